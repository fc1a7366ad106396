import { z } from 'zod'
import { localSource } from '../../runtime/local_source'
import { defineSource } from '../../runtime/plugin'
import type { StoreConfig } from '../../sql/client'
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
    'One worker reads a view: its positions and the log stand in its data folder.',
  config: viewSourceConfig,
  connection: 'clickhouse',
  capabilities: { delivers: 'columns', exactly_once: true, groups: false, shared_offsets: true },
  examples: [
    {
      title: 'Windows into a topic',
      yaml: `flows:
  windows:
    source: {type: view, view: cpu_5m}
    sink: {type: kafka, topic: cpu_5m, key: [device], value: avro}
`,
    },
  ],
  conformance: { skip: { source: 'needs a view' } },
  bounded: () => false,
  reads: config => [`view:${config.view}`],
  create: (config, context) => localSource(new ViewInput(config.view, context), context),
})
