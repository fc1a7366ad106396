import type { Batch } from '../../runtime/batch'
import { systemClock } from '../../runtime/clock'
import { type Emitter, silent } from '../../runtime/events'
import type { Declaration, PluginContext, Transform } from '../../runtime/plugin'
import { applyContext } from './batches'

export const pluginContext = (baseDir = process.cwd(), events: Emitter = silent): PluginContext => ({
  pipeline: 'test',
  flow: 'flow',
  connection: undefined,
  connectionName: '',
  lanes: 1,
  baseDir,
  dataDir: baseDir,
  clock: systemClock,
  events,
  memory: 1 << 28,
})

/** A transform from its declaration and YAML-form config, validated as the loader does. */
export function createTransform(declaration: Declaration, config: unknown, context: PluginContext = pluginContext()): Transform {
  if (declaration.kind !== 'transform') throw new Error(`${declaration.name} is no transform`)
  return declaration.create(declaration.config.parse(config), context)
}

/** Binds and applies to one batch. */
export async function applied(declaration: Declaration, config: unknown, batch: Batch, context?: PluginContext): Promise<Batch> {
  const transform = createTransform(declaration, config, context)
  transform.bind(batch.schema)
  return transform.apply(batch, applyContext(declaration.name))
}

/** Code and message of what `bind` throws, or null. */
export function bindError(
  declaration: Declaration,
  config: unknown,
  batch: Batch,
): { code: string; message: string; hint: string } | null {
  try {
    createTransform(declaration, config).bind(batch.schema)
    return null
  } catch (error) {
    return error as { code: string; message: string; hint: string }
  }
}
