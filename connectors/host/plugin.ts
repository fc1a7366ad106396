import { z } from 'zod'
import { duration } from '../../runtime/fields'
import { localSource } from '../../runtime/local_source'
import { defineSource } from '../../runtime/plugin'
import { HostInput } from './source'

export const hostOptions = z.strictObject({
  interval: duration()
    .prefault('1s')
    .refine(ms => ms > 0, 'the interval must be above 0')
    .describe('Time between two readings, which are taken at whole intervals.'),
  count: z.int().min(1).optional().describe('Ends after so many readings. Default: never.'),
})

export type HostOptions = z.output<typeof hostOptions>

export const hostConnector = defineSource({
  name: 'host',
  status: 'beta',
  since: '0.1.0',
  summary: "This machine's CPU, memory, network and disk.",
  description:
    'A row at each interval: `ts`, `host` (its name), `cpu`, `core` (the busiest of them) and `memory` in percent, `net_in`, `net_out`, ' +
    '`disk_read` and `disk_write` in bytes per second since the row before. On Linux from `/proc`; elsewhere Node tells CPU and memory, and the ' +
    'others are null. Loopback, loop devices and disks in memory do not count. A reading is kept in the data folder until it is ' +
    'delivered, so each arrives once also after a crash; while nothing runs there are none.',
  config: hostOptions,
  connection: null,
  capabilities: { delivers: 'columns', exactly_once: true, groups: false },
  examples: [
    {
      title: 'Three readings',
      yaml: `name: this-machine-now
flows:
  watch:
    source: { type: host, interval: 1s, count: 3 }
    sink: { type: stdout }
`,
    },
    {
      title: 'Into a table',
      yaml: `name: this-machine-kept
connections:
  clickhouse: { url: embedded, database: this_machine_kept }
flows:
  watch:
    source: { type: host, interval: 1s }
    sink: { type: clickhouse, table: readings, time: ts, order_by: [host, ts], retain: 7d }
`,
    },
  ],
  conformance: { config: { interval: '20ms', count: 40 } },
  bounded: config => config.count !== undefined,
  endless: config => config.count === undefined,
  reads: () => [],
  create: (config, context) => localSource(new HostInput(config, context), context),
})
