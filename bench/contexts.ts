import { join } from 'node:path'
import type { Batch } from '../runtime/batch'
import { systemClock } from '../runtime/clock'
import { silent } from '../runtime/events'
import type { ApplyContext, PluginContext } from '../runtime/plugin'

/** What the engine would give a transform that is measured alone. */
export const pluginContext: PluginContext = {
  pipeline: 'bench',
  flow: 'bench',
  connection: undefined,
  connectionName: '',
  lanes: 1,
  baseDir: join(__dirname, '..'),
  dataDir: '.',
  clock: systemClock,
  events: silent,
  memory: 1 << 28,
}

export const applyContext = (plugin: string): ApplyContext => ({
  signal: new AbortController().signal,
  reject: (batch: Batch, row, error) => ({ stage: 'transform', plugin, error, record: batch.raw(row) }),
})
