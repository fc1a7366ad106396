import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { systemClock } from '../clock'
import { ConnectError } from '../errors'
import { silent } from '../events'
import type { PluginContext, SinkContext } from '../plugin'

/** Deadline of any one call in a suite. */
export const CALL_MS = 60_000

export interface ContextOptions {
  readonly connection?: unknown
  readonly connectionName?: string
  /** Folder that relative paths of the config start from. */
  readonly baseDir?: string
  readonly lanes?: number
  /** For what reads a view: the views of the pipeline, and where what happens to them is written down. */
  readonly views?: PluginContext['views']
  readonly closings?: PluginContext['closings']
  readonly stdout?: (text: string) => Promise<void>
}

/** Runs a test with an empty data folder that is removed after it. */
export async function withDataDir(test: (dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'olap-connect-conformance-'))
  try {
    await test(dataDir)
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}

export const contextIn = (dataDir: string, options: ContextOptions): PluginContext => ({
  pipeline: 'conformance',
  flow: 'flow',
  connection: options.connection,
  connectionName: options.connectionName ?? '',
  lanes: options.lanes ?? 1,
  baseDir: options.baseDir ?? dataDir,
  dataDir,
  clock: systemClock,
  events: silent,
  memory: 64 * 1024 * 1024,
  ...(options.views ? { views: options.views } : {}),
  ...(options.closings ? { closings: options.closings } : {}),
  stdout: options.stdout ?? (async () => {}),
})

export const sinkContextIn = (
  dataDir: string,
  options: ContextOptions & { readonly format?: SinkContext['format'] },
): SinkContext => ({
  ...contextIn(dataDir, options),
  sourceTopics: ['conformance'],
  format:
    options.format ??
    (spec => {
      throw new ConnectError('C009_UNKNOWN_PLUGIN', `the fixture has no format "${spec.format}"`)
    }),
})

/** The error that a call ends with; throws if it ends well. */
export async function failure(call: () => Promise<unknown>, what: string): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  throw new Error(`${what} should have failed`)
}

/** Waits for a promise that must end by itself; a hanging plugin is an error after `ms` and not a hanging test run. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not end within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
