import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { withLock } from '../embedded/lock'
import { isAlive, self } from '../embedded/processes'
import {
  liveUsers,
  lockFileOf,
  readServices,
  SERVICE_NAMES,
  type ServiceEntry,
  type ServiceName,
  servicesFile,
  type UserEntry,
  writeServices,
} from '../embedded/services_file'
import { terminate } from './service_process'
import { ensureService } from './service_start'

export { SERVICE_NAMES, type ServiceName }

const WATCH_MS = 250
/** Longer than the start of a service may take, during which the other command holds the lock. */
const LOCK_TIMEOUT_MS = 300_000

export interface ServicesOptions {
  /** Folder of data, logs and services.json. Default `.connect`. */
  readonly data?: string
  readonly need: ReadonlySet<ServiceName>
  /** Ends the start; what runs already is left by `stop`. */
  readonly signal?: AbortSignal
  /** 0 is any free port. Without one a service keeps the port it had, else takes the usual one if it is free. */
  readonly ports?: Partial<Record<ServiceName, number>>
  /** Start a service again that died. Default true, unless CONNECT_RESTART_SERVICES is 0. */
  readonly restart?: boolean
}

export interface ServiceChange {
  readonly service: ServiceName
  readonly kind: 'exited' | 'restarted' | 'restart_failed'
  readonly pid: number
  readonly address: string
  readonly error?: unknown
}

export interface RunningServices {
  /** ClickHouse and registry as `http://127.0.0.1:PORT`, Kafka as `127.0.0.1:PORT`; current after a restart too. */
  readonly addresses: Readonly<Partial<Record<ServiceName, string>>>
  readonly pids: Readonly<Partial<Record<ServiceName, number>>>
  /** Leaves the services; those that no other running command needs are stopped. */
  stop(): Promise<void>
  /** `listener` hears of services that died while this command uses them, and of their restart. */
  onExit(listener: (change: ServiceChange) => void): void
}

/**
 * Starts the embedded services a command needs, or attaches to those that run in the same data folder. They outlive this process
 * as long as another command uses them, and end within seconds when the last one has gone, also when it was killed.
 * @throws ConnectError E004_PORT_TAKEN, E005_EMBEDDED_FAILED
 */
export async function startServices(options: ServicesOptions): Promise<RunningServices> {
  const data = path.resolve(options.data ?? '.connect')
  mkdirSync(data, { recursive: true })
  const need = SERVICE_NAMES.filter(name => options.need.has(name))
  const services = new AttachedServices(data, need, options)
  await services.attach()
  return services
}

class AttachedServices implements RunningServices {
  readonly addresses: Partial<Record<ServiceName, string>> = {}
  readonly pids: Partial<Record<ServiceName, number>> = {}
  readonly #data: string
  readonly #file: string
  readonly #options: ServicesOptions
  readonly #restart: boolean
  readonly #user: UserEntry
  readonly #entries = new Map<ServiceName, ServiceEntry>()
  readonly #listeners: ((change: ServiceChange) => void)[] = []
  /** Services whose death has been told. */
  readonly #gone = new Set<ServiceName>()
  readonly #leaving = new AbortController()
  #watching: NodeJS.Timeout | undefined
  #stopped: Promise<void> | undefined

  constructor(data: string, need: readonly ServiceName[], options: ServicesOptions) {
    this.#data = data
    this.#file = servicesFile(data)
    this.#options = options
    this.#restart = options.restart ?? process.env.CONNECT_RESTART_SERVICES !== '0'
    this.#user = { id: randomUUID(), process: self(), need, since: new Date().toISOString() }
  }

  async attach(): Promise<void> {
    const { signal, ports } = this.#options
    try {
      await this.#locked(async () => {
        const state = readServices(this.#file)
        writeServices(this.#file, { ...state, users: [...liveUsers(state), this.#user] })
        const starts = this.#user.need.map(async service =>
          this.#take(service, await ensureService({ service, data: this.#data, port: ports?.[service], signal })),
        )
        // All have ended before the lock is let go, also when one failed.
        for (const result of await Promise.allSettled(starts)) if (result.status === 'rejected') throw result.reason
      }, signal)
    } catch (error) {
      await this.stop()
      throw error
    }
    this.#watch()
  }

  onExit(listener: (change: ServiceChange) => void): void {
    this.#listeners.push(listener)
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#leave()
    return this.#stopped
  }

  async #leave(): Promise<void> {
    clearTimeout(this.#watching)
    this.#leaving.abort()
    await this.#locked(async () => {
      const state = readServices(this.#file)
      const left = { ...state, users: liveUsers(state).filter(({ id }) => id !== this.#user.id) }
      writeServices(this.#file, left)
      const unused = this.#user.need.filter(service => liveUsers(left, service).length === 0)
      await Promise.all(unused.map(service => end(left.services[service])))
    })
  }

  #locked<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return withLock(lockFileOf(this.#file), work, { timeoutMs: LOCK_TIMEOUT_MS, signal })
  }

  #take(service: ServiceName, entry: ServiceEntry): void {
    this.#entries.set(service, entry)
    this.addresses[service] = entry.address
    this.pids[service] = entry.process.pid
  }

  /** One look after the other; the timer does not keep the command running. */
  #watch(): void {
    this.#watching = setTimeout(async () => {
      for (const service of this.#user.need) await this.#look(service)
      if (this.#stopped === undefined) this.#watch()
    }, WATCH_MS).unref()
  }

  async #look(service: ServiceName): Promise<void> {
    const entry = this.#entries.get(service)
    if (entry === undefined || isAlive(entry.process) || this.#stopped !== undefined) return
    if (!this.#gone.has(service)) {
      this.#gone.add(service)
      this.#tell({ service, kind: 'exited', pid: entry.process.pid, address: entry.address })
    }
    try {
      const next = await this.#replacement(service)
      if (next === undefined) return
      this.#gone.delete(service)
      this.#take(service, next)
      this.#tell({ service, kind: 'restarted', pid: next.process.pid, address: next.address })
    } catch (error) {
      if (this.#stopped === undefined)
        this.#tell({ service, kind: 'restart_failed', pid: entry.process.pid, address: entry.address, error })
    }
  }

  /** The service as somebody else has started it again, or as it is started here. */
  async #replacement(service: ServiceName): Promise<ServiceEntry | undefined> {
    if (!this.#restart) {
      const listed = readServices(this.#file).services[service]
      return listed !== undefined && listed.state === 'ready' && isAlive(listed.process) ? listed : undefined
    }
    const { signal } = this.#leaving
    return this.#locked(() => ensureService({ service, data: this.#data, port: undefined, samePort: true, signal }), signal)
  }

  #tell(change: ServiceChange): void {
    for (const listener of this.#listeners) listener(change)
  }
}

async function end(entry: ServiceEntry | undefined): Promise<void> {
  if (entry !== undefined) await terminate(entry.process)
}
