import { brokerErrorType, kafkaError } from '../../../../connectors/kafka/errors'
import { ConnectError } from '../../../../runtime/errors'

const failure = (fields: object): Error => Object.assign(new Error('it failed'), fields)

test.each([
  [{ name: 'KafkaJSConnectionError', message: 'Connection error: connect ECONNREFUSED 127.0.0.1:1' }, 'E001_UNREACHABLE', true],
  [
    { name: 'KafkaJSConnectionError', message: 'Connection error: self-signed certificate in certificate chain' },
    'E009_TLS',
    false,
  ],
  [
    { name: 'KafkaJSConnectionError', message: "Connection error: Hostname/IP does not match certificate's altnames" },
    'E009_TLS',
    false,
  ],
  [{ name: 'KafkaJSSASLAuthenticationError', message: 'SASL PLAIN authentication failed' }, 'E003_AUTHENTICATION', false],
  [{ name: 'KafkaJSProtocolError', type: 'TOPIC_AUTHORIZATION_FAILED' }, 'E007_AUTHORIZATION', false],
  [{ name: 'KafkaJSProtocolError', type: 'UNKNOWN_TOPIC_OR_PARTITION', retriable: true }, 'K005_UNKNOWN_TOPIC', false],
  [{ name: 'KafkaJSProtocolError', type: 'NOT_LEADER_FOR_PARTITION', retriable: true }, 'K004_KAFKA_BUSY', true],
  [{ name: 'KafkaJSProtocolError', type: 'CORRUPT_MESSAGE', retriable: false }, 'K003_KAFKA_ERROR', false],
  [{ name: 'KafkaJSProtocolError', type: 'INCONSISTENT_GROUP_PROTOCOL', retriable: false }, 'E010_LANES_DIFFER', false],
  [{ name: 'KafkaJSProtocolError', type: 'KAFKAJS_UNKNOWN_ERROR_CODE', message: 'Unknown error code 90' }, 'K006_FENCED', false],
])('%j is %s', (fields, code, retriable) => {
  const direct = kafkaError(failure(fields), 'x')
  expect([direct.code, direct.retriable]).toEqual([code, retriable])
  const wrapped = failure({ name: 'KafkaJSNonRetriableError', cause: failure(fields) })
  expect(kafkaError(wrapped, 'x').code).toBe(code)
  const exhausted = failure({ name: 'KafkaJSNumberOfRetriesExceeded', cause: wrapped })
  expect(kafkaError(exhausted, 'x').code).toBe(code)
})

test('our own error passes unchanged, also from inside', () => {
  const own = new ConnectError('K001_OFFSET_OUT_OF_RANGE', 'gone')
  expect(kafkaError(own, 'x')).toBe(own)
  expect(kafkaError(failure({ cause: own }), 'x')).toBe(own)
})

test('the type of a broker error is found through what wraps it', () => {
  expect(brokerErrorType(failure({ cause: failure({ type: 'ILLEGAL_GENERATION' }) }))).toBe('ILLEGAL_GENERATION')
  expect(brokerErrorType(failure({}))).toBeNull()
  const loop = failure({})
  expect(brokerErrorType(Object.assign(loop, { cause: loop }))).toBeNull()
})
