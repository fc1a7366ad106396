import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ListedPlugin } from '../config/load'
import { connectors } from '../connectors'
import { asConnectError, ConnectError } from '../runtime/errors'
import type { Declaration } from '../runtime/plugin'
import { createRegistry, type Registry } from '../runtime/registry'
import { transforms } from '../transforms'
import { formats } from '../transforms/formats'
import { detectors } from '../transforms/score/detectors'
import { declarationProblem } from './declaration'

const builtIn: readonly Declaration[] = [...connectors, ...transforms, ...formats, ...detectors]

/** The plugins that come with the product. */
export const builtInRegistry = (): Registry => createRegistry(builtIn)

/** An entry of `plugins:` and the pipeline file it stands in, as an absolute path. */
export interface PluginReference extends ListedPlugin {
  readonly file: string
}

export interface RegistryWith<Reference> {
  readonly registry: Registry
  /** Entries that could not be taken up, with the reason; the registry is without them. */
  readonly failures: readonly { readonly plugin: Reference; readonly error: ConnectError }[]
}

/** Built-in plugins and those that pipeline files name: `./my-sink.js` beside the file, or a package it can resolve. */
export async function registryWith<Reference extends PluginReference>(
  plugins: readonly Reference[],
): Promise<RegistryWith<Reference>> {
  let registry = builtInRegistry()
  const failures: { readonly plugin: Reference; readonly error: ConnectError }[] = []
  // one for all: two files may name the same plugin
  const known = new Set<string>()
  for (const plugin of plugins) {
    try {
      const file = locate(plugin)
      if (known.has(file)) continue
      registry = createRegistry([...registry.all, ...(await load(file, plugin.name))])
      known.add(file)
    } catch (error) {
      failures.push({ plugin, error: asConnectError(error) })
    }
  }
  return { registry, failures }
}

/** Throws C012 if there is none. */
function locate({ name, file }: PluginReference): string {
  if (name.startsWith('.') || path.isAbsolute(name)) return path.resolve(path.dirname(file), name)
  try {
    return createRequire(file).resolve(name)
  } catch (cause) {
    const message = `there is no package ${name} to be found from the folder of this file`
    throw new ConnectError('C012_UNREADABLE_FILE', message, { hint: 'install it beside the file, or correct its name', cause })
  }
}

async function load(file: string, name: string): Promise<readonly Declaration[]> {
  let loaded: unknown
  try {
    loaded = await import(pathToFileURL(file).href)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ConnectError('C012_UNREADABLE_FILE', `the plugin ${name} cannot be loaded: ${reason}`, { cause })
  }
  // an ES module's default export; a CommonJS module arrives as the default of its namespace, compiled ones once more inside
  let exported = (loaded as { default?: unknown }).default
  if (typeof exported === 'object' && exported !== null && 'default' in exported) exported = exported.default
  const declarations = Array.isArray(exported) ? exported : [exported]
  for (const d of declarations) {
    const problem = declarationProblem(d)
    if (problem !== null) throw new ConnectError('C018_PLUGIN_INVALID', `the default export of ${name} is no plugin: ${problem}`)
  }
  return declarations as readonly Declaration[]
}
