import { type Declaration, defineConnection, defineSink } from '../../runtime/plugin'
import { openWindowStore } from '../../sql/windows/window_store'
import { type ConnectionConfig, connectionConfig, sinkConfig } from './config'
import { ClickHouseSink } from './sink'
import { checkSchema } from './tables'

const connection = defineConnection({
  name: 'clickhouse',
  status: 'beta',
  since: '0.1.0',
  summary: 'A ClickHouse server, by HTTP.',
  description: 'Tables of sinks and views live in its `database`, which is made if it is missing.',
  config: connectionConfig,
  examples: [
    {
      title: 'A ClickHouse on this machine',
      yaml: `name: on-this-machine
connections:
  clickhouse: { url: embedded, database: on_this_machine }
flows:
  fill:
    source: { type: generate, count: 100, fields: { cpu: { type: uniform, min: 0, max: 100 } } }
    sink: { type: clickhouse, table: cpu, time: ts }
`,
    },
    {
      title: 'A server with a password that the variable CLICKHOUSE_PASSWORD holds',
      yaml: `name: server
connections:
  clickhouse:
    url: https://clickhouse.example.com:8443
    database: ec2
    username: connect
    password: \${CLICKHOUSE_PASSWORD}
flows:
  fill:
    source: { type: generate, count: 100, fields: { cpu: { type: uniform, min: 0, max: 100 } } }
    sink: { type: clickhouse, table: cpu, time: ts }
`,
    },
  ],
  conformance: { config: { url: 'http://127.0.0.1:8123' } },
  embedded: { url: 'clickhouse' },
})

const sink = defineSink<typeof sinkConfig, ConnectionConfig>({
  name: 'clickhouse',
  status: 'beta',
  since: '0.1.0',
  summary: 'Rows into a ClickHouse table, exactly once.',
  description: [
    'Makes the table if it is missing and checks it if it exists: a column that is absent or too narrow is an error before the',
    'first row, a value that does not fit is a rejected row, nothing is changed on the way in.',
    'Beside the table stand `<table>__in`, into which rows are inserted, and `<table>__mv`, which carries them over.',
    'Every row also carries `_source` (flow/topic), `_partition`, `_offset` and, with `time`, `_behind`: how many milliseconds it was',
    'behind the largest event time of its source partition.',
    '',
    'ClickHouse has no NULL for arrays, maps and tuples: a nullable one gets a companion column `<name>__null`.',
  ].join('\n'),
  config: sinkConfig,
  examples: [
    {
      title: 'Events kept for 90 days',
      yaml: `name: events
connections:
  clickhouse: { url: embedded, database: events }
flows:
  fill:
    source: { type: generate, count: 100, keys: { column: device, count: 5 }, fields: { cpu: { type: uniform, min: 0, max: 100 } } }
    sink: { type: clickhouse, table: cpu, time: ts, order_by: [device, ts], retain: 90d }
`,
    },
    {
      title: 'The latest row of each id',
      yaml: `name: latest
connections:
  clickhouse: { url: embedded, database: latest }
flows:
  fill:
    source: { type: generate, count: 100, keys: { column: id, count: 5 }, fields: { rev: { type: sequence } } }
    sink: { type: clickhouse, table: latest, mode: upsert, version: rev, order_by: [id] }
`,
    },
  ],
  conformance: {},
  connection: 'clickhouse',
  capabilities: { exactly_once: true, upsert: true, create_table: true, transactional: false },
  writes: config => [`clickhouse:${config.table}`],
  create: (config, context) => new ClickHouseSink(config, context),
  checkColumns: (config, schema) => checkSchema(schema, config),
  windows: (view, context, signal) => openWindowStore(view, context.connection, context.baseDir, signal),
})

export const clickhouseConnector: readonly Declaration[] = [connection, sink]
