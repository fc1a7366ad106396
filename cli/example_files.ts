import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { pluginUses } from '../runtime/conformance/plugin_uses'

/** `<kind> <name>` of a plugin -> names of the files in `config/examples/` that use it. An installation may have left them out. */
export function exampleFiles(): ReadonlyMap<string, readonly string[]> {
  const folder = path.join(path.dirname(require.resolve('olap-connect/package.json')), 'config/examples')
  const found = new Map<string, string[]>()
  if (!existsSync(folder)) return found
  for (const file of readdirSync(folder)
    .filter(f => f.endsWith('.yaml'))
    .sort()) {
    const uses = pluginUses(parse(readFileSync(path.join(folder, file), 'utf8')))
    for (const plugin of new Set(uses.map(({ kind, name }) => `${kind} ${name}`)))
      found.set(plugin, [...(found.get(plugin) ?? []), file])
  }
  return found
}
