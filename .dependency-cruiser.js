// The import rule of the layout, type imports counted (tsPreCompilationDeps). Each rule says what a folder must not reach.
const own = '^(config|transforms|sql|connectors|cli|embedded)/'
const clients =
  '^node_modules/(kafkajs|@clickhouse|avsc|@kafkajs|apache-arrow|@node-rs|lz4-napi|snappy|zstddec|fastify|ml-matrix|node-cron)'
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    { name: 'runtime-imports-nothing-of-ours', severity: 'error', from: { path: '^runtime/' }, to: { path: own } },
    { name: 'runtime-imports-no-client', severity: 'error', from: { path: '^runtime/' }, to: { path: clients } },
    {
      name: 'middle-layers-import-runtime-only',
      severity: 'error',
      from: { path: '^(config|transforms|sql)/' },
      to: { path: '^(config|transforms|sql|connectors|cli|embedded)/', pathNot: '^$1/' },
    },
    {
      name: 'connectors-import-runtime',
      severity: 'error',
      from: { path: '^connectors/', pathNot: '^connectors/(clickhouse|view)/' },
      to: { path: '^(config|transforms|sql|cli|embedded)/' },
    },
    {
      name: 'store-connectors-may-import-sql',
      severity: 'error',
      from: { path: '^connectors/(clickhouse|view)/' },
      to: { path: '^(config|transforms|cli|embedded)/' },
    },
    {
      name: 'no-connector-imports-another',
      severity: 'error',
      from: { path: '^connectors/([^/]+)/' },
      to: { path: '^connectors/([^/]+)/', pathNot: '^connectors/$1/' },
    },
    {
      name: 'embedded-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^embedded/' },
      to: { path: '^(runtime|config|transforms|sql|connectors|cli)/' },
    },
    {
      name: 'clickhouse-client-in-one-file',
      severity: 'error',
      from: { path: '^(runtime|config|transforms|connectors|cli)/' },
      to: { path: '^node_modules/@clickhouse' },
    },
    {
      name: 'kafkajs-behind-its-connector',
      severity: 'error',
      from: { path: '^(runtime|config|transforms|sql|cli)/' },
      to: { path: '^node_modules/kafkajs' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: '^(node_modules|dist)/' },
    exclude: { path: '^(dist|test|bench)/' },
  },
}
