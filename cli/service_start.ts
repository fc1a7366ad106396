import { setTimeout as delay } from 'node:timers/promises'
import { isAlive } from '../embedded/processes'
import { claimPort, ServiceError } from '../embedded/service_main'
import { readServices, type ServiceEntry, type ServiceName, servicesFile, writeServices } from '../embedded/services_file'
import { ConnectError } from '../runtime/errors'
import { isHealthy } from './service_health'
import { launch, terminate, waitForEnd } from './service_process'

/** The ports that people expect; taken where they are free. */
const USUAL_PORTS: Readonly<Record<ServiceName, number>> = { clickhouse: 8123, kafka: 9092, schema_registry: 8081 }
const USUAL_TCP_PORT = 9000
/** A port or a folder is free again only a moment after the process that had it ended. */
const ATTEMPTS = 3
const RETRY_MS = 1_000
const PORT_WAIT_MS = 2_000
const PORT_PROBE_MS = 50
/** A busy machine can leave a healthy service silent for a moment; it is not ended for one missing answer. */
const PROBES = 3

export interface EnsureOptions {
  readonly service: ServiceName
  readonly data: string
  /** A port to listen on, 0 for any; without it the one it had, else the usual one, else any. */
  readonly port: number | undefined
  /** Only the port it had: for a restart under clients that hold its address. */
  readonly samePort?: boolean
  readonly signal: AbortSignal | undefined
}

/** The running service of a data folder, started if there is none that answers. Call it under the lock of the services file. */
export async function ensureService(options: EnsureOptions): Promise<ServiceEntry> {
  const { service, data } = options
  const known = readServices(servicesFile(data)).services[service]
  if (known !== undefined && isAlive(known.process)) {
    if (known.state === 'ready' && (await answers(service, known.address))) return known
    if (known.state === 'leaving') await waitForEnd(known.process, 10_000)
    // Without a mark the pid may belong to somebody else by now. If it is the service after all, its folder lock says so.
    if (known.process.mark !== '') await terminate(known.process)
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(options, known)
    } catch (error) {
      options.signal?.throwIfAborted()
      if (attempt === ATTEMPTS) throw error
      await delay(RETRY_MS, undefined, { signal: options.signal })
    }
  }
}

async function answers(service: ServiceName, address: string): Promise<boolean> {
  for (let probe = 1; probe <= PROBES; probe++) if (await isHealthy(service, address)) return true
  return false
}

async function start(options: EnsureOptions, before: ServiceEntry | undefined): Promise<ServiceEntry> {
  const { service, data, signal } = options
  const usual = options.port === undefined ? [USUAL_PORTS[service], 0] : [options.port]
  const had = before === undefined || (options.port ?? 0) !== 0 ? [] : [before.port]
  const port = await firstFree(options.samePort === true ? had : usual, service, had)
  const tcpPort = service === 'clickhouse' ? await tcpPortFor(options, before) : undefined
  const file = servicesFile(data)
  const save = (entry: ServiceEntry): ServiceEntry => {
    const state = readServices(file)
    writeServices(file, { ...state, services: { ...state.services, [service]: entry } })
    return entry
  }
  const started_at = new Date().toISOString()
  const ready = await launch({
    service,
    data,
    port,
    tcpPort,
    signal,
    onSpawn: process => save({ process, state: 'starting', address: '', port, tcp: tcpPort, started_at }),
  })
  return save({ process: ready.process, state: 'ready', address: ready.address, port, tcp: tcpPort, started_at })
}

function tcpPortFor({ port, samePort }: EnsureOptions, before: ServiceEntry | undefined): Promise<number> {
  const had = before?.tcp === undefined ? [] : [before.tcp]
  if (samePort === true) return firstFree([...had, 0], 'clickhouse')
  return firstFree(port === undefined ? [...had, USUAL_TCP_PORT, 0] : [...had, 0], 'clickhouse')
}

/**
 * The first of the ports that can be listened on, 0 being any free one. The port a service had is waited for, because the kernel
 * closes the sockets of a killed process only after it is gone from the list of processes.
 */
async function firstFree(ports: readonly number[], service: ServiceName, had: readonly number[] = []): Promise<number> {
  let taken: ServiceError | undefined
  for (const port of had) {
    for (let waited = 0; waited < PORT_WAIT_MS; waited += PORT_PROBE_MS) {
      const free = await claimPort(port, `embedded ${service}`).catch(() => null)
      if (free !== null) return free
      await delay(PORT_PROBE_MS)
    }
  }
  for (const port of ports) {
    try {
      return await claimPort(port, `embedded ${service}`)
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      taken = error
    }
  }
  throw new ConnectError('E004_PORT_TAKEN', taken?.message ?? `embedded ${service} has no port to start on`, {
    hint: taken?.hint,
  })
}
