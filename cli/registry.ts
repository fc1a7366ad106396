import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { PluginReference } from '../config/load'
import { connectors } from '../connectors'
import { ConnectError } from '../runtime/errors'
import type { Declaration } from '../runtime/plugin'
import { createRegistry, type Registry } from '../runtime/registry'
import { transforms } from '../transforms'
import { formats } from '../transforms/formats'

const builtIn: readonly Declaration[] = [...connectors, ...transforms, ...formats]

/** The plugins that come with the product. */
export const builtInRegistry = (): Registry => createRegistry(builtIn)

/** Built-in plugins and those that pipeline files name: `./my-sink.js` beside the file, or a package it can resolve. */
export async function registryWith(plugins: readonly PluginReference[]): Promise<Registry> {
  const byFile = new Map<string, PluginReference>()
  for (const plugin of plugins) byFile.set(locate(plugin), plugin)
  const loaded = await Promise.all([...byFile].map(([file, plugin]) => load(file, plugin)))
  return createRegistry([...builtIn, ...loaded.flat()])
}

/** Throws C012 with the position of the name. */
function locate({ specifier, baseDir, at }: PluginReference): string {
  if (specifier.startsWith('.') || path.isAbsolute(specifier)) return path.resolve(baseDir, specifier)
  try {
    return createRequire(path.join(baseDir, 'pipeline.yaml')).resolve(specifier)
  } catch (cause) {
    throw new ConnectError('C012_UNREADABLE_FILE', `${at}: there is no package ${specifier} to be found from ${baseDir}`, {
      cause,
    })
  }
}

async function load(file: string, { specifier, at }: PluginReference): Promise<readonly Declaration[]> {
  let loaded: unknown
  try {
    loaded = await import(pathToFileURL(file).href)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ConnectError('C012_UNREADABLE_FILE', `${at}: the plugin ${specifier} cannot be loaded: ${reason}`, { cause })
  }
  // an ES module's default export; a CommonJS module arrives as the default of its namespace, compiled ones once more inside
  let exported = (loaded as { default?: unknown }).default
  if (typeof exported === 'object' && exported !== null && 'default' in exported) exported = exported.default
  const declarations = Array.isArray(exported) ? exported : [exported]
  for (const d of declarations)
    if (!isDeclaration(d))
      throw new ConnectError('C018_PLUGIN_INVALID', `${at}: the default export of ${specifier} is not a plugin declaration`)
  return declarations as readonly Declaration[]
}

const isDeclaration = (value: unknown): value is Declaration =>
  typeof value === 'object' && value !== null && 'kind' in value && 'name' in value && 'config' in value && 'create' in value
