import { spawn } from 'node:child_process'
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, type ProcessRef, refOf } from '../embedded/processes'
import { type ServiceName, servicesFile } from '../embedded/services_file'
import { ConnectError } from '../runtime/errors'

const POLL_MS = 20
/** Cold, ClickHouse's 540 MB library comes from disk first. */
const READY_DEADLINE_MS = 120_000
const STOP_DEADLINE_MS = 10_000
/** A log larger than this is set aside when its service starts again. */
const LOG_LIMIT_BYTES = 16 * 1024 * 1024

const PROGRAMS: Readonly<Record<ServiceName, string>> = {
  clickhouse: 'clickhouse',
  kafka: 'kafka',
  schema_registry: 'schema-registry',
}

export interface Launch {
  readonly service: ServiceName
  /** The data folder of the command; the service's own is a folder in it. */
  readonly data: string
  readonly port: number
  readonly tcpPort: number | undefined
  /** Called as soon as the process exists, long before it is ready. */
  readonly onSpawn: (process: ProcessRef) => void
  readonly signal: AbortSignal | undefined
}

/** What a service says once it answers. */
export interface Ready {
  readonly process: ProcessRef
  readonly address: string
  readonly tcp?: string
}

/**
 * Starts a service in a session of its own, so that Ctrl-C on the terminal and the end of the command that started it leave it
 * running for the others, and returns when it answers. It ends by itself when nobody in the services file needs it any more.
 * @throws ConnectError E005_EMBEDDED_FAILED with what the service said
 */
export async function launch(options: Launch): Promise<Ready> {
  const { service, data, signal } = options
  const logFile = path.join(data, 'logs', `${service}.log`)
  const log = openLog(logFile)
  const from = fstatSync(log).size
  const child = spawn(process.execPath, [programOf(service), ...argumentsOf(options)], {
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const { pid } = await new Promise<{ pid: number }>((resolve, reject) => {
    child.once('error', error =>
      reject(new ConnectError('E005_EMBEDDED_FAILED', `${service} cannot be started`, { cause: error })),
    )
    child.once('spawn', () => resolve({ pid: child.pid ?? 0 }))
  })
  child.unref()
  const ref = refOf(pid)
  options.onSpawn(ref)
  const deadline = Date.now() + READY_DEADLINE_MS
  try {
    for (;;) {
      signal?.throwIfAborted()
      // Looked at before the log, so that what the process wrote before it ended is not missed.
      const running = child.exitCode === null && child.signalCode === null
      const said = events(logFile, from).find(event => event.pid === pid)
      if (said?.event === 'ready') return { process: ref, address: said.address ?? '', tcp: said.tcp }
      if (!running) throw failure(service, logFile, from, said)
      if (Date.now() > deadline) throw notReady(service, logFile)
      await delay(POLL_MS, undefined, { signal })
    }
  } catch (error) {
    await terminate(ref)
    throw error
  }
}

/** Asks a process to end and waits; after ten seconds it is killed, which the data of every service survives. */
export async function terminate(ref: ProcessRef): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isAlive(ref)) return
    try {
      process.kill(ref.pid, signal)
    } catch {
      // It ended in between, which the next look sees; a process of another user cannot be ended and is left.
    }
    await waitForEnd(ref, STOP_DEADLINE_MS)
  }
}

/** Returns when the process has ended or the time is over. */
export async function waitForEnd(ref: ProcessRef, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (isAlive(ref) && Date.now() < deadline) await delay(POLL_MS)
}

function argumentsOf({ service, data, port, tcpPort }: Launch): readonly string[] {
  const tcp = tcpPort === undefined ? [] : ['--tcp-port', String(tcpPort)]
  return ['--data', path.join(data, service), '--port', String(port), ...tcp, '--users', servicesFile(data)]
}

/** The compiled program: beside this file, or in dist/ when this file itself runs uncompiled. */
function programOf(service: ServiceName): string {
  const main = path.join('embedded', PROGRAMS[service], 'main.js')
  const found = [path.join(__dirname, '..', main), path.join(__dirname, '..', 'dist', main)].find(file => existsSync(file))
  if (found === undefined)
    throw new ConnectError('E005_EMBEDDED_FAILED', `${main} is missing`, { hint: 'build the project: npm run build' })
  return found
}

function openLog(file: string): number {
  mkdirSync(path.dirname(file), { recursive: true })
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_LIMIT_BYTES) renameSync(file, `${file}.1`)
  return openSync(file, 'a')
}

interface ServiceEvent {
  readonly event?: 'ready' | 'failed'
  readonly pid?: number
  readonly address?: string
  readonly tcp?: string
  readonly message?: string
  readonly hint?: string
}

const tail = (file: string, from: number): readonly string[] => readFileSync(file).subarray(from).toString('utf8').split('\n')

function events(file: string, from: number): readonly ServiceEvent[] {
  // The last piece is a line that is still being written.
  return tail(file, from)
    .slice(0, -1)
    .flatMap(line => {
      if (!line.startsWith('{"event":')) return []
      try {
        return [JSON.parse(line) as ServiceEvent]
      } catch {
        return []
      }
    })
}

function failure(service: ServiceName, logFile: string, from: number, said: ServiceEvent | undefined): ConnectError {
  const lines = tail(logFile, from).filter(line => line.trim() !== '')
  const message = said?.message ?? (lines.slice(-3).join('; ') || 'it ended without a word')
  return new ConnectError('E005_EMBEDDED_FAILED', `embedded ${service} did not start: ${message}`, {
    hint: said?.hint ?? `see ${logFile}`,
  })
}

function notReady(service: ServiceName, logFile: string): ConnectError {
  const seconds = READY_DEADLINE_MS / 1000
  return new ConnectError('E005_EMBEDDED_FAILED', `embedded ${service} was not ready within ${seconds} s`, {
    hint: `see ${logFile}`,
  })
}
