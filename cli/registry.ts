import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { connectors } from '../connectors'
import { ConnectError } from '../runtime/errors'
import type { Declaration } from '../runtime/plugin'
import { createRegistry, type Registry } from '../runtime/registry'
import { transforms } from '../transforms'
import { formats } from '../transforms/formats'
import { detectors } from '../transforms/score/detectors'
import { declarationProblem } from './declaration'

const builtIn: readonly Declaration[] = [...connectors, ...transforms, ...formats, ...detectors]

/** The plugins that come with the product. */
export const builtInRegistry = (): Registry => createRegistry(builtIn)

/** A name in `plugins:` and the folder of the file it stands in. */
export interface PluginReference {
  readonly name: string
  readonly file: string
}

/** Built-in plugins and those that pipeline files name: `./my-sink.js` beside the file, or a package it can resolve. */
export async function registryWith(plugins: readonly PluginReference[]): Promise<Registry> {
  const byFile = new Map<string, PluginReference>()
  for (const plugin of plugins) byFile.set(locate(plugin), plugin)
  const loaded = await Promise.all([...byFile].map(([file, plugin]) => load(file, plugin)))
  return createRegistry([...builtIn, ...loaded.flat()])
}

/** Throws C012 if there is none. */
function locate({ name, file }: PluginReference): string {
  if (name.startsWith('.') || path.isAbsolute(name)) return path.resolve(path.dirname(file), name)
  try {
    return createRequire(file).resolve(name)
  } catch (cause) {
    throw new ConnectError('C012_UNREADABLE_FILE', `${file}: there is no package ${name} to be found from its folder`, { cause })
  }
}

async function load(file: string, { name, file: pipeline }: PluginReference): Promise<readonly Declaration[]> {
  let loaded: unknown
  try {
    loaded = await import(pathToFileURL(file).href)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ConnectError('C012_UNREADABLE_FILE', `${pipeline}: the plugin ${name} cannot be loaded: ${reason}`, { cause })
  }
  // an ES module's default export; a CommonJS module arrives as the default of its namespace, compiled ones once more inside
  let exported = (loaded as { default?: unknown }).default
  if (typeof exported === 'object' && exported !== null && 'default' in exported) exported = exported.default
  const declarations = Array.isArray(exported) ? exported : [exported]
  for (const d of declarations) {
    const problem = declarationProblem(d)
    if (problem !== null)
      throw new ConnectError('C018_PLUGIN_INVALID', `${pipeline}: the default export of ${name} is no plugin: ${problem}`)
  }
  return declarations as readonly Declaration[]
}
