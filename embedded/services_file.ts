import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { isAlive, type ProcessRef } from './processes'

export const SERVICE_NAMES = ['clickhouse', 'kafka', 'schema_registry'] as const
export type ServiceName = (typeof SERVICE_NAMES)[number]

/** One service as last started; it stays here after it ended, so that the next start can take the same port. */
export interface ServiceEntry {
  readonly process: ProcessRef
  /** `starting` until the ready line; `leaving` once the service found nobody left and is on its way out. */
  readonly state: 'starting' | 'ready' | 'leaving'
  /** What clients are given: `http://127.0.0.1:PORT`, for Kafka `127.0.0.1:PORT`. Empty while it has never been ready. */
  readonly address: string
  readonly port: number
  /** ClickHouse's native protocol. */
  readonly tcp?: number
  readonly started_at: string
}

/** A command that uses services; several may stand for one process. */
export interface UserEntry {
  readonly id: string
  readonly process: ProcessRef
  readonly need: readonly ServiceName[]
  readonly since: string
}

export interface ServicesState {
  readonly services: Partial<Record<ServiceName, ServiceEntry>>
  readonly users: readonly UserEntry[]
}

export const servicesFile = (data: string): string => path.join(data, 'services.json')
/** Every change of a services file happens under this lock; reading needs none, for the file is replaced as a whole. */
export const lockFileOf = (servicesFile: string): string => `${servicesFile}.lock`

export function readServices(file: string): ServicesState {
  try {
    const state = JSON.parse(readFileSync(file, 'utf8')) as Partial<ServicesState>
    return { services: state.services ?? {}, users: state.users ?? [] }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return { services: {}, users: [] }
    throw error
  }
}

export function writeServices(file: string, state: ServicesState): void {
  const draft = `${file}.${process.pid}.tmp`
  writeFileSync(draft, `${JSON.stringify(state, null, 2)}\n`)
  renameSync(draft, file)
}

/** The users that still run, of all services or of one. */
export function liveUsers(state: ServicesState, service?: ServiceName): readonly UserEntry[] {
  return state.users.filter(user => (service === undefined || user.need.includes(service)) && isAlive(user.process))
}
