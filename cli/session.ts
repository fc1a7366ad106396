import path from 'node:path'
import { readServices, servicesFile } from '../embedded/services_file'
import { systemClock } from '../runtime/clock'
import { silent } from '../runtime/events'
import type { PluginContext } from '../runtime/plugin'
import type { Registry } from '../runtime/registry'
import type { PipelineSpec } from '../runtime/spec'
import { embeddedServices, withAddresses } from './embed'
import type { Io } from './io'
import { loadFile } from './load'
import { SERVICE_NAMES, startServices } from './services'

/** A loaded pipeline whose connections have addresses. */
export interface OpenPipeline {
  readonly pipeline: PipelineSpec
  readonly registry: Registry
  readonly scrub: (text: string) => string
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  /** A context for a plugin used outside a flow. */
  context(connection: string, name: string): PluginContext
}

/**
 * Loads one file, starts the embedded services it asks for (or attaches to running ones) for the moment, runs `use`, lets go of them.
 * Says so where they have never run in this folder: who looks for what is somewhere else would find nothing, without a word.
 */
export async function withPipeline<T>(file: string, data: string, io: Io, use: (open: OpenPipeline) => Promise<T>): Promise<T> {
  const { pipeline: loaded, registry, scrub } = await loadFile(file, io)
  const dataDir = path.resolve(io.cwd, data)
  const stop = new AbortController()
  const off = io.onSignal(() => stop.abort())
  const need = embeddedServices([loaded], registry)
  const known = readServices(servicesFile(dataDir)).services
  const fresh = SERVICE_NAMES.filter(name => need.has(name) && !known[name])
  if (fresh.length > 0) await io.err(`${fresh.join(', ')}: embedded, new and empty in ${data}; --data names another folder\n`)
  const services = need.size > 0 ? await startServices({ data: dataDir, need, signal: stop.signal }) : null
  try {
    const [pipeline] = withAddresses([loaded], registry, services?.addresses ?? {})
    const context = contextsOf(pipeline, dataDir)
    return await use({ pipeline, registry, scrub, signal: stop.signal, context })
  } finally {
    off()
    await services?.stop()
  }
}

/** Contexts for plugins of a pipeline that are used outside its flows. */
export const contextsOf =
  (pipeline: Pick<PipelineSpec, 'name' | 'connections' | 'baseDir'>, dataDir: string) =>
  (connection: string, name: string): PluginContext => ({
    pipeline: pipeline.name,
    flow: name,
    connection: pipeline.connections[connection]?.config,
    connectionName: connection,
    lanes: 1,
    baseDir: pipeline.baseDir,
    dataDir,
    clock: systemClock,
    events: silent,
    memory: 64 * 1024 ** 2,
  })
