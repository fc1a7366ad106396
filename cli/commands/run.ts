import path from 'node:path'
import { systemClock } from '../../runtime/clock'
import { type ConnectError, TimeOver } from '../../runtime/errors'
import type { Emitter, Level } from '../../runtime/events'
import { StatusBoard } from '../../runtime/status_board'
import { Taps } from '../../runtime/tap'
import { Worker } from '../../runtime/worker'
import { chaosHooks } from '../chaos'
import { embeddedServices, refuseEmbedded, withAddresses } from '../embed'
import { exitCodeOf } from '../exit_codes'
import type { Io } from '../io'
import { listen, listenAddress, requireFree } from '../listen'
import { plainLines } from '../live/lines'
import { liveTable } from '../live/table'
import { formatWarning, loadFiles } from '../load'
import { observe } from '../observe'
import { durationOption } from '../option_values'
import { printResult } from '../print_result'
import type { StatusServer } from '../server'
import { type RunningServices, type ServiceChange, startServices } from '../services'
import { stateStores } from '../states'
import { stopOnSignals } from '../stop'
import { version } from '../version'
import { announceWorker } from '../workers'

export interface RunOptions {
  readonly for?: string
  readonly untilCaughtUp?: boolean
  readonly data: string
  readonly embedded?: boolean
  readonly json?: boolean
  readonly listen: string
  readonly tokenFile?: string
  readonly logLevel: Level
  readonly logFormat: 'text' | 'json'
}

const REPORT_EVERY_MS = 10_000
/** By then the services' processes are on their way. */
const SERVICES_SPAWNED_MS = 150

/** `connect run FILE...`: runs every flow of every file until it is stopped, or to the end of what is there. Returns the exit code. */
export async function run(files: readonly string[], options: RunOptions, terminal: Io): Promise<number> {
  const duration = options.for === undefined ? null : durationOption('--for', options.for)
  const serveAt = listenAddress(options, terminal)
  const { pipelines, registry, scrub, warnings } = await loadFiles(files, terminal)
  for (const warning of warnings) await terminal.err(`${formatWarning(warning)}\n`)
  await requireFree(serveAt)
  const board = new StatusBoard(systemClock, version())
  // a table would tear a log for collectors apart
  const table = options.json || options.logFormat === 'json' ? null : liveTable(terminal, () => board.status())
  const io = table?.io ?? terminal
  const { events, metrics } = observe(
    io,
    { level: options.logLevel, format: options.logFormat, several: pipelines.length > 1 },
    scrub,
    board,
  )
  const dataDir = path.resolve(io.cwd, options.data)
  const stop = stopOnSignals(io)
  const states = stateStores(dataDir)
  const timer = duration === null ? null : setTimeout(() => stop.drain(new TimeOver()), duration)
  let services: RunningServices | null = null
  let server: StatusServer | null = null
  let report: NodeJS.Timeout | null = null
  let forget: (() => Promise<void>) | null = null
  try {
    const need = embeddedServices(pipelines, registry)
    if (need.size > 0) {
      if (!options.embedded && !io.outIsTerminal) refuseEmbedded(pipelines, registry)
      const starting = startServices({ data: dataDir, need, signal: stop.draining })
      // while they start nothing else is done here, so that what is loaded now costs no time
      const early = serveAt === null ? null : setTimeout(() => require('../server'), SERVICES_SPAWNED_MS)
      services = await starting.finally(() => early && clearTimeout(early))
      for (const [service, address] of Object.entries(services.addresses)) events.emit('service_started', { service, address })
      services.onExit(change => tell(change, events))
    }
    const addressed = withAddresses(pipelines, registry, services?.addresses ?? {})
    board.watch(addressed, registry, options.untilCaughtUp ?? false)
    const taps = new Taps()
    const worker = new Worker({
      pipelines: addressed,
      registry,
      events,
      clock: systemClock,
      dataDir,
      stdout: text => io.out(text),
      untilCaughtUp: options.untilCaughtUp ?? false,
      states: states.of,
      taps,
      hooks: chaosHooks(io.env.OLAP_CONNECT_CHAOS, () => process.kill(process.pid, 'SIGKILL')),
      drain: stop.draining,
      abort: stop.aborting,
    })
    const pages = { metrics, health: () => worker.health(), status: () => board.status() }
    const runs = (pipeline: string, flow: string): boolean => !worker.hasEnded(pipeline, flow)
    const page = { pipelines: addressed, registry, dataDir, scrub }
    server = await listen(serveAt, { ...pages, page, tap: { taps, pipelines: addressed, runs, scrub } }, events)
    if (server) {
      events.emit('listening', { address: server.address })
      forget = await announceWorker(dataDir, { address: server.address, pipelines: pipelines.map(p => p.name) })
    }
    if (!options.json && !table)
      report = setInterval(
        () =>
          void io.err(
            plainLines(board.status())
              .map(l => `${l}\n`)
              .join(''),
          ),
        REPORT_EVERY_MS,
      )
    stop.limit(Math.max(...pipelines.map(p => p.shutdownTimeout)))
    const result = await worker.run()
    await table?.close()
    const { aborted, reason } = stop.draining
    const ended = {
      addresses: services?.addresses ?? {},
      stopped: aborted ? (reason as ConnectError).message : null,
      neverReached: board.neverReached(),
    }
    await printResult(result, ended, options, terminal, scrub)
    return exitCodeOf([...result.flows, ...result.views].flatMap(r => (r.error ? [r.error] : [])))
  } finally {
    if (timer) clearTimeout(timer)
    if (report) clearInterval(report)
    await table?.close()
    await forget?.()
    await server?.close()
    await states.close()
    await services?.stop()
    stop.release()
  }
}

/** What an embedded service does while it is used. */
function tell({ service, kind, pid, address }: ServiceChange, events: Emitter): void {
  if (kind === 'restarted') events.emit('service_started', { service, address })
  else if (kind === 'exited') events.emit('service_stopped', { service, reason: `process ${pid} ended` })
  else events.emit('service_stopped', { service, reason: 'it cannot be started again; see its log in the data folder' })
}
