import { ConnectError } from '../../runtime/errors'
import type { PluginContext } from '../../runtime/plugin'
import type { Schema } from '../../runtime/schema'
import type { WindowStore } from '../../runtime/views/contracts'
import type { StoreConfig } from '../../sql/client'
import { openWindowStore } from '../../sql/windows/window_store'
import { KIND } from './closed_rows'

/** The windows of a view and the schema of what is delivered of them. Throws a retriable S011 while the view is not there yet. */
export async function openView(
  name: string,
  { views = [], connection, connectionName, baseDir }: PluginContext<StoreConfig>,
  signal: AbortSignal,
): Promise<{ readonly windows: WindowStore; readonly schema: Schema }> {
  const spec = views.find(v => v.name === name && v.connection === connectionName && v.window)
  if (!spec) throw new ConnectError('C010_UNKNOWN_REFERENCE', `there is no view ${name} with windows on ${connectionName}`)
  const windows = await openWindowStore(spec, connection, baseDir, signal)
  try {
    const { schema } = await windows.read([0], null, signal)
    return { windows, schema: { ...schema, name, key: spec.keys, fields: [...schema.fields, KIND] } }
  } catch (error) {
    await windows.close()
    throw error
  }
}
