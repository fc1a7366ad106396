import type { ServerResponse } from 'node:http'
import type { AnomalyRow } from './anomalies'

/** Browsers that look at the same time. */
export const MOST_CLIENTS = 32
const EVERY_MS = 1_000
/** Changed anomalies in one message; where there are more, the browser asks for the list. */
const MOST_CHANGES = 100

export interface StreamSource {
  /** What `state` messages carry. Taken at most once a second, and only while somebody looks. */
  state(): unknown
  /** Calls back with each new or changed anomaly until the returned function is called. */
  onAnomaly(listener: (row: AnomalyRow) => void): () => void
}

interface Client {
  readonly response: ServerResponse
  /** Something was left out while the browser was slow. */
  behind: boolean
}

/**
 * Server-sent events: `state` and what is new in the list of anomalies (`anomalies`, or `reset` where the list must be read
 * again), once a second however fast things change. A browser that does not read is skipped, so that nothing piles up here.
 */
export class EventStream {
  readonly #source: StreamSource
  readonly #clients = new Set<Client>()
  #changes = new Map<string, AnomalyRow>()
  #timer: NodeJS.Timeout | null = null
  #unhear: (() => void) | null = null

  constructor(source: StreamSource) {
    this.#source = source
  }

  get full(): boolean {
    return this.#clients.size >= MOST_CLIENTS
  }

  /** Takes over a response whose head has been written. */
  add(response: ServerResponse): void {
    const client: Client = { response, behind: false }
    this.#clients.add(client)
    response.on('close', () => this.#remove(client))
    response.on('error', () => this.#remove(client))
    response.write(message('state', this.#source.state()))
    this.#unhear ??= this.#source.onAnomaly(row => {
      if (this.#changes.size <= MOST_CHANGES) this.#changes.set(`${row.pipeline}|${row.flow}|${row.id}`, row)
    })
    this.#timer ??= setInterval(() => this.#tick(), EVERY_MS).unref()
  }

  close(): void {
    for (const { response } of this.#clients) response.end()
    this.#clients.clear()
    this.#rest()
  }

  #tick(): void {
    const { size } = this.#changes
    const news = size === 0 ? '' : size > MOST_CHANGES ? RESET : message('anomalies', [...this.#changes.values()])
    this.#changes = new Map()
    const state = message('state', this.#source.state())
    for (const client of this.#clients) {
      if (client.response.writableNeedDrain) {
        client.behind ||= news !== ''
        continue
      }
      client.response.write(state + (client.behind ? RESET : news))
      client.behind = false
    }
  }

  #remove(client: Client): void {
    this.#clients.delete(client)
    if (this.#clients.size === 0) this.#rest()
  }

  #rest(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
    this.#unhear?.()
    this.#unhear = null
    this.#changes = new Map()
  }
}

const message = (event: string, data: unknown): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
const RESET = message('reset', null)
