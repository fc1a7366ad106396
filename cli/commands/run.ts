import path from 'node:path'
import { systemClock } from '../../runtime/clock'
import { ConnectError } from '../../runtime/errors'
import type { Emitter, Level } from '../../runtime/events'
import { parseDuration } from '../../runtime/fields'
import type { Status } from '../../runtime/status'
import { StatusBoard } from '../../runtime/status_board'
import { Worker, type WorkerResult } from '../../runtime/worker'
import { chaosHooks } from '../chaos'
import { embeddedServices, refuseEmbedded, withAddresses } from '../embed'
import { errorPart, printEnvelope } from '../envelope'
import { EXIT, exitCodeOf } from '../exit_codes'
import type { Io } from '../io'
import { formatWarning, loadFiles } from '../load'
import { observe } from '../observe'
import { anomalyLine, runResult } from '../run_result'
import type * as Server from '../server'
import { type RunningServices, type ServiceChange, startServices } from '../services'
import { stateStores } from '../states'
import { version } from '../version'

export interface RunOptions {
  readonly for?: string
  readonly untilCaughtUp?: boolean
  readonly data: string
  readonly embedded?: boolean
  readonly json?: boolean
  readonly listen: string
  readonly logLevel: Level
  readonly logFormat: 'text' | 'json'
}

const DEFAULT_LISTEN = '127.0.0.1:8083'
const REPORT_EVERY_MS = 10_000

/** `connect run FILE...`: runs every flow of every file until it is stopped, or to the end of what is there. Returns the exit code. */
export async function run(files: readonly string[], options: RunOptions, io: Io): Promise<number> {
  const duration = options.for === undefined ? null : parseDuration(options.for)
  if (options.for !== undefined && duration === null)
    throw new ConnectError('C019_USAGE', `--for ${options.for}: expected a duration such as 30s or 5m`)
  const { pipelines, registry, scrub, warnings } = await loadFiles(files, io)
  for (const warning of warnings) await io.err(`${formatWarning(warning)}\n`)
  const board = new StatusBoard(systemClock, version())
  const { events, metrics } = observe(io, { level: options.logLevel, format: options.logFormat }, scrub, board)
  const dataDir = path.resolve(io.cwd, options.data)
  const stop = stopOnSignals(io)
  const states = stateStores(dataDir)
  const timer = duration === null ? null : setTimeout(() => stop.drain('the time given by --for is over'), duration)
  let services: RunningServices | null = null
  let server: Server.StatusServer | null = null
  let report: NodeJS.Timeout | null = null
  try {
    const need = embeddedServices(pipelines, registry)
    if (need.size > 0) {
      if (!options.embedded && !io.outIsTerminal) refuseEmbedded(pipelines, registry)
      services = await startServices({ data: dataDir, need, signal: stop.draining })
      for (const [service, address] of Object.entries(services.addresses)) events.emit('service_started', { service, address })
      services.onExit(change => tell(change, events))
    }
    const addressed = withAddresses(pipelines, registry, services?.addresses ?? {})
    board.watch(addressed, registry, options.untilCaughtUp ?? false)
    const worker = new Worker({
      pipelines: addressed,
      registry,
      events,
      clock: systemClock,
      dataDir,
      stdout: text => io.out(text),
      untilCaughtUp: options.untilCaughtUp ?? false,
      states: states.of,
      hooks: chaosHooks(io.env.OLAP_CONNECT_CHAOS, () => process.kill(process.pid, 'SIGKILL')),
      drain: stop.draining,
      abort: stop.aborting,
    })
    server = await listen(options.listen, { metrics, health: () => worker.health(), status: () => board.status() }, io)
    if (!options.json) report = setInterval(() => void io.err(`${statusLine(board.status())}\n`), REPORT_EVERY_MS)
    stop.limit(Math.max(...pipelines.map(p => p.shutdownTimeout)))
    const result = await worker.run()
    await printResult(result, services, options, io, scrub)
    return exitCodeOf([...result.flows, ...result.views].flatMap(r => (r.error ? [r.error] : [])))
  } finally {
    if (timer) clearTimeout(timer)
    if (report) clearInterval(report)
    await server?.close()
    await states.close()
    await services?.stop()
    stop.release()
  }
}

interface Stop {
  readonly draining: AbortSignal
  readonly aborting: AbortSignal
  drain(reason: string): void
  /** From now on a drain that takes longer than this many milliseconds is cut short. */
  limit(ms: number): void
  release(): void
}

/** The first signal stops reading and drains; a second ends the process at once, which loses nothing. */
function stopOnSignals(io: Io): Stop {
  const draining = new AbortController()
  const aborting = new AbortController()
  let limit = 30_000
  let deadline: NodeJS.Timeout | null = null
  const drain = (reason: string): void => {
    if (draining.signal.aborted) return
    draining.abort(new ConnectError('R003_ABORTED', reason))
    deadline = setTimeout(
      () => aborting.abort(new ConnectError('R004_SHUTDOWN_TIMEOUT', `not finished after ${limit / 1000} s`)),
      limit,
    )
  }
  const off = io.onSignal(signal => {
    if (draining.signal.aborted) io.exit(EXIT[signal])
    drain(`stopped by ${signal}`)
  })
  return {
    draining: draining.signal,
    aborting: aborting.signal,
    drain,
    limit: ms => {
      limit = ms
    },
    release: () => {
      off()
      if (deadline) clearTimeout(deadline)
    },
  }
}

/** The default address gives way to a free port, so that a second run beside the first just works; a given one does not. */
async function listen(
  text: string,
  pages: Parameters<typeof Server.serveStatus>[2],
  io: Io,
): Promise<Server.StatusServer | null> {
  if (text === 'off') return null
  const at = text.lastIndexOf(':')
  const port = Number(text.slice(at + 1))
  if (at < 1 || !Number.isInteger(port) || port < 0 || port > 65_535)
    throw new ConnectError('C019_USAGE', `--listen ${text}: expected HOST:PORT or off`)
  const host = text.slice(0, at)
  // its libraries take a fifth of the time that a start takes
  const { serveStatus }: typeof Server = require('../server')
  try {
    return await serveStatus(host, port, pages)
  } catch (error) {
    if (text !== DEFAULT_LISTEN || !(error instanceof ConnectError) || error.code !== 'E004_PORT_TAKEN') throw error
    const server = await serveStatus(host, 0, pages)
    await io.err(`${DEFAULT_LISTEN} is taken; metrics are at ${server.address}/metrics\n`)
    return server
  }
}

const statusLine = ({ flows }: Status): string =>
  flows
    .map(f => `${f.flow}: read ${f.read}, written ${f.written}, filtered ${f.filtered}, dead-lettered ${f.dead_lettered}`)
    .join('; ')

/** What an embedded service does while it is used. */
function tell({ service, kind, pid, address }: ServiceChange, events: Emitter): void {
  if (kind === 'restarted') events.emit('service_started', { service, address })
  else if (kind === 'exited') events.emit('service_stopped', { service, reason: `process ${pid} ended` })
  else events.emit('service_stopped', { service, reason: 'it cannot be started again; see its log in the data folder' })
}

async function printResult(
  result: WorkerResult,
  services: RunningServices | null,
  options: RunOptions,
  io: Io,
  scrub: (text: string) => string,
): Promise<void> {
  const failed = [...result.flows, ...result.views].filter(f => f.error)
  const written = result.flows.reduce((n, f) => n + f.counts.written, 0)
  const summary =
    failed.length === 0
      ? `${result.flows.length} flow(s) ended well, ${written} records written`
      : `${failed.length} of ${result.flows.length + result.views.length} flow(s) and view(s) failed`
  if (!options.json) {
    for (const f of result.flows) {
      const { read, written, filtered, dead_lettered, restarts } = f.counts
      await io.err(
        `${f.flow}: read ${read}, written ${written}, filtered ${filtered}, dead-lettered ${dead_lettered}, restarts ${restarts}${f.error ? ` (failed: ${f.error.code})` : ''}\n`,
      )
    }
    for (const v of result.views) {
      const { windows, revisions, late, reopened } = v.counts
      await io.err(
        `${v.view}: windows ${windows}, revisions ${revisions}, late ${late}, reopened ${reopened}${v.error ? ` (failed: ${v.error.code})` : ''}\n`,
      )
    }
    const found = anomalyLine(result)
    if (found) await io.err(`${found}\n`)
    return io.err(`${summary}\n`)
  }
  const error = failed[0]?.error ?? null
  await printEnvelope(io, {
    command: 'run',
    ok: failed.length === 0,
    summary,
    result: runResult(result, services?.addresses ?? {}),
    error: error && { ...errorPart(error), message: scrub(error.message) },
  })
}
