import { ConnectError } from '../../runtime/errors'
import type { PluginContext } from '../../runtime/plugin'
import type { Schema } from '../../runtime/schema'
import type { WindowStore } from '../../runtime/views/contracts'
import type { StoreConfig } from '../../sql/client'
import { openWindowStore } from '../../sql/windows/window_store'
import { KIND } from './closed_rows'

/**
 * The windows of a view and the schema of what is delivered of them. Throws a retriable S011 while the view is not there yet,
 * one that ends the flow where those that make it have failed.
 */
export async function openView(
  name: string,
  { views = [], connection, connectionName, baseDir, makers }: PluginContext<StoreConfig>,
  signal: AbortSignal,
): Promise<{ readonly windows: WindowStore; readonly schema: Schema }> {
  // as it is before the look: what a flow made as its last act is found by the next look
  const { working, failed } = makers?.(`view:${name}`) ?? { working: [], failed: [] }
  const spec = views.find(v => v.name === name && v.connection === connectionName && v.window)
  if (!spec) throw new ConnectError('C010_UNKNOWN_REFERENCE', `there is no view ${name} with windows on ${connectionName}`)
  const windows = await openWindowStore(spec, connection, baseDir, signal).catch(error => {
    const hopeless = error instanceof ConnectError && error.code === 'S011_NO_VIEW' && working.length === 0 && failed.length > 0
    throw hopeless ? new ConnectError(error.code, error.message, { retriable: false }) : error
  })
  try {
    const { schema } = await windows.read([0], null, signal)
    return { windows, schema: { ...schema, name, key: spec.keys, fields: [...schema.fields, KIND] } }
  } catch (error) {
    await windows.close()
    throw error
  }
}
