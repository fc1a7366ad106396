import { z } from 'zod'
import { ConnectError } from '../../runtime/errors'
import { localSource } from '../../runtime/local_source'
import { defineSource } from '../../runtime/plugin'
import type { ClosingLog } from '../../runtime/views/contracts'
import type { StoreConfig } from '../../sql/client'
import { ShardedView } from './sharded'
import { ViewInput } from './source'

export const viewSourceConfig = z.strictObject({
  view: z.string().min(1).describe('View of this file whose windows are read.'),
})

export const viewConnector = defineSource<typeof viewSourceConfig, StoreConfig>({
  name: 'view',
  status: 'experimental',
  since: '0.1.0',
  summary: 'The windows of a view as they close, in window order.',
  description:
    'Each time a window closes, is revised by late records, or becomes final, its rows are delivered: `window_start`, `window_end`, the ' +
    "view's keys and columns, `_rev` (grows with late records) and `_kind`: `close`, `revise` or `final`. The position is a place in the " +
    'log of closings of the view; reading a place again gives rows at least as new, and `_rev` tells which of two is. ' +
    'A row is counted as read once, when its window closes; that it comes again as revised or final is the metric `records_repeated_total`. ' +
    "Where the pipeline has a Kafka connection the log is a topic of its own with a partition for each shard of the view's keys (as many " +
    'as the flow has `lanes` when it is made), and workers share the shards; else the log and the positions stand in the data folder of one worker.',
  config: viewSourceConfig,
  connection: 'clickhouse',
  capabilities: { delivers: 'columns', exactly_once: true, groups: true, shared_offsets: true },
  examples: [
    {
      title: 'Windows into a topic',
      yaml: `name: windows
connections:
  kafka: { brokers: embedded, schema_registry: embedded }
  clickhouse: { url: embedded, database: windows }
flows:
  ingest:
    source:
      type: generate
      history: 1h
      keys: { column: device, count: 5, prefix: d- }
      fields: { cpu: { type: uniform, min: 0, max: 100 } }
    sink: { type: clickhouse, table: cpu, time: ts, order_by: [device, ts] }
  publish:
    source: { type: view, view: cpu_5m }
    sink: { type: kafka, topic: windows.cpu_5m, value: avro } # the key of a record is that of the view
views:
  cpu_5m:
    from: cpu
    size: 5m
    keys: [device]
    columns:
      mean: avg(cpu)
      peak: max(cpu)
`,
    },
  ],
  conformance: { skip: { source: 'needs a view' } },
  bounded: () => false,
  reads: config => [`view:${config.view}`],
  create(config, context) {
    const closings = context.closings?.(config.view)
    if (closings?.kind === 'shared') return new ShardedView(config.view, context, closings.shared)
    const log = async (): Promise<ClosingLog> => {
      if (closings) return closings.log()
      throw new ConnectError('C010_UNKNOWN_REFERENCE', `nobody closes the windows of ${config.view} here`)
    }
    return localSource(new ViewInput(config.view, context, log), context)
  },
})
