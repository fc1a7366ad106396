// The suites that talk to a broker, with Apache Kafka in place of the development broker. Started and stopped by the set-up.
const { projects } = require('./jest.config.js')
const { displayName: _name, testMatch: _match, ...base } = projects[0]
module.exports = {
  ...base,
  displayName: 'apache-kafka',
  testTimeout: 120_000,
  globalSetup: '<rootDir>/test/support/kafka_setup.ts',
  globalTeardown: '<rootDir>/test/support/kafka_teardown.ts',
  testMatch: [
    '<rootDir>/test/integration/kafka/*.test.ts',
    '<rootDir>/test/integration/embedded-kafka/*.test.ts',
    '<rootDir>/test/integration/kafka-security.test.ts',
    '<rootDir>/test/chaos/exactly_once.test.ts',
    '<rootDir>/test/pipelines/nab.test.ts',
    '<rootDir>/test/pipelines/workers.test.ts',
  ],
}
