import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import path from 'node:path'
import { type ClickHouseClient, ClickHouseLogLevel, type ClickHouseSettings, createClient } from '@clickhouse/client'
import { ConnectError } from '../runtime/errors'
import type { ColumnSet, SelectOptions, Store, StoreOptions, StoreRow, TableName } from '../runtime/store'
import { codeOf, networkError, serverError, statusError } from './errors'
import { insertColumns } from './insert'
import { selectColumns } from './select'
import { abortReason, type Endpoint, post } from './transport'

/** What the `clickhouse` connection of a pipeline file says; times in milliseconds. */
export interface StoreConfig {
  readonly url: string
  readonly database: string
  readonly username: string
  readonly password: string
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  readonly request_timeout: number
}

export interface StoreContext {
  /** Folder against which the paths of `tls` are resolved. */
  readonly baseDir?: string
  /** Requests at the same time; more wait for a socket. */
  readonly sockets?: number
}

/** A store that also takes raw bodies: the sink needs the statement, the settings and the bytes in its own hands. */
export interface ClickHouseStore extends Store {
  /** Address for messages, without credentials. */
  readonly where: string
  /** A statement with its body as a chunk list; the chunks must stay untouched until it settles. Gives the answer's bytes. */
  send(statement: string, body: readonly Uint8Array[], options?: StoreOptions): Promise<Buffer>
}

/**
 * A store for a connection. Opens no socket before the first request. Throws C012 for unreadable TLS files and C005 for an
 * address that is none.
 */
export function createStore(config: StoreConfig, context: StoreContext = {}): ClickHouseStore {
  const endpoint = endpointOf(config, context)
  // Two agents: the library closes idle sockets by timers of its own, also those that another request has taken up meanwhile.
  const libraryAgent = agentOf(endpoint.url, config, context)
  const client = createClient({
    url: new URL(endpoint.url.origin),
    ...(endpoint.url.pathname === '/' ? {} : { pathname: endpoint.url.pathname }),
    username: config.username,
    password: config.password,
    database: config.database,
    request_timeout: config.request_timeout,
    http_agent: libraryAgent,
    log: { level: ClickHouseLogLevel.OFF },
    clickhouse_settings: BASE_SETTINGS,
  })
  return new HttpStore(config, endpoint, client, libraryAgent)
}

/** Every answer is read by us, so its spelling is fixed whatever the server's profile says. */
const BASE_SETTINGS: ClickHouseSettings = {
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_denormals: 1,
  output_format_json_quote_decimals: 1,
}

class HttpStore implements ClickHouseStore {
  readonly database: string
  readonly where: string
  readonly #client: ClickHouseClient
  readonly #endpoint: Endpoint
  readonly #libraryAgent: http.Agent
  readonly #timeout: number

  constructor(config: StoreConfig, endpoint: Endpoint, client: ClickHouseClient, libraryAgent: http.Agent) {
    this.database = config.database
    this.where = endpoint.where
    this.#endpoint = endpoint
    this.#libraryAgent = libraryAgent
    this.#client = client
    this.#timeout = config.request_timeout
  }

  async query(sql: string, options: StoreOptions = {}): Promise<readonly StoreRow[]> {
    return this.#guarded(options, async (signal, settings) => {
      const result = await this.#client.query({
        query: sql,
        format: 'JSONEachRow',
        abort_signal: signal,
        clickhouse_settings: { ...settings, wait_end_of_query: 1 },
        ...(options.params ? { query_params: options.params } : {}),
      })
      return result.json<StoreRow>()
    })
  }

  async command(sql: string, options: StoreOptions = {}): Promise<void> {
    await this.#guarded(options, (signal, settings) =>
      this.#client.command({
        query: sql,
        abort_signal: signal,
        clickhouse_settings: { ...settings, wait_end_of_query: 1 },
        ...(options.params ? { query_params: options.params } : {}),
      }),
    )
  }

  select(sql: string, options: SelectOptions = {}): Promise<ColumnSet> {
    return selectColumns(this, sql, options)
  }

  insert(table: TableName, rows: ColumnSet, options: StoreOptions = {}): Promise<void> {
    return insertColumns(this, table, rows, options)
  }

  send(statement: string, body: readonly Uint8Array[], options: StoreOptions = {}): Promise<Buffer> {
    const timeout = options.timeout ?? this.#timeout
    const search: Record<string, string> = { query: statement, max_execution_time: seconds(timeout) }
    for (const [name, value] of Object.entries(options.settings ?? {})) search[name] = String(value)
    for (const [name, value] of Object.entries(options.params ?? {})) search[`param_${name}`] = String(value)
    return post(this.#endpoint, { search, body, timeout, signal: options.signal })
  }

  async close(): Promise<void> {
    await this.#client.close()
    this.#libraryAgent.destroy()
    this.#endpoint.agent.destroy()
  }

  /** Runs a call of the client library with a deadline and our errors. */
  async #guarded<T>(options: StoreOptions, call: (signal: AbortSignal, settings: ClickHouseSettings) => Promise<T>): Promise<T> {
    const { signal } = options
    if (signal?.aborted) throw abortReason(signal)
    const timeout = options.timeout ?? this.#timeout
    const deadline = AbortSignal.timeout(timeout)
    try {
      return await call(signal ? AbortSignal.any([signal, deadline]) : deadline, {
        max_execution_time: Math.ceil(timeout / 1000),
        ...options.settings,
      } as ClickHouseSettings)
    } catch (thrown) {
      if (signal?.aborted) throw abortReason(signal)
      if (deadline.aborted)
        throw new ConnectError('R002_TIMEOUT', `ClickHouse at ${this.where} did not answer within ${timeout} ms`)
      throw libraryError(thrown, this.where)
    }
  }
}

/** The client library throws its own ClickHouseError (code as text) for the server's answers and plain errors for sockets. */
function libraryError(thrown: unknown, where: string): ConnectError {
  if (!(thrown instanceof Error)) return networkError(thrown, where)
  if ('type' in thrown && 'code' in thrown && typeof thrown.code === 'string' && /^\d+$/.test(thrown.code)) {
    return serverError(Number(thrown.code), thrown.message, where)
  }
  const code = codeOf(thrown.message)
  if (code !== null) return serverError(code, thrown.message, where)
  const status = /HTTP status code:? (\d{3})/i.exec(thrown.message)
  return status ? statusError(Number(status[1]), thrown.message, where) : networkError(thrown, where)
}

const seconds = (ms: number): string => String(Math.max(1, Math.ceil(ms / 1000)))

function endpointOf(config: StoreConfig, context: StoreContext): Endpoint {
  const url = URL.canParse(config.url) ? new URL(config.url) : null
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new ConnectError('C005_INVALID_VALUE', 'the address of a clickhouse connection must be a URL such as http://host:8123')
  }
  return { url, where: url.host, username: config.username, password: config.password, agent: agentOf(url, config, context) }
}

function agentOf(url: URL, config: StoreConfig, context: StoreContext): http.Agent {
  const read = (file: string | undefined): Buffer | undefined => {
    if (file === undefined) return undefined
    try {
      return readFileSync(path.resolve(context.baseDir ?? '.', file))
    } catch (cause) {
      throw new ConnectError('C012_UNREADABLE_FILE', `cannot read the TLS file ${file}`, { cause })
    }
  }
  const options = { keepAlive: true, maxSockets: context.sockets ?? 16, noDelay: true }
  return url.protocol === 'https:'
    ? new https.Agent({ ...options, ca: read(config.tls?.ca), cert: read(config.tls?.cert), key: read(config.tls?.key) })
    : new http.Agent(options)
}
