import type { EventData } from './events'
import { RecentLatency, RecentSum } from './recent'
import type { FlowState, FlowStatus, Problem, Progress } from './status'

/** What of a flow's status does not change while it runs. */
export type FlowFacts = Pick<FlowStatus, 'pipeline' | 'flow' | 'source' | 'transforms' | 'sink'> & { readonly bounded: boolean }

/** Adds up the events of one flow. `now` is wall time, `tick` a clock that never goes back; both in milliseconds. */
export class FlowBoard {
  readonly #facts: FlowFacts
  readonly #counts = { read: 0, bytes_read: 0, written: 0, filtered: 0, dead_lettered: 0, batches: 0, restarts: 0 }
  readonly #recent: { readonly read: RecentSum; readonly rows: RecentSum; readonly batches: RecentSum }
  readonly #latency: RecentLatency
  readonly #waiting = new Map<string, Problem>()
  #state: FlowState = 'starting'
  #problem: Problem | null = null
  #startedAt: number | null = null
  #partitions: number | null = null
  #lag: number | null = null
  #batchRows: number | null = null
  #bytesInFlight = 0
  #watermark: number | null = null
  /** Records that will have been read at the end, as last measured. */
  #total: number | null = null

  constructor(facts: FlowFacts, tick: number) {
    this.#facts = facts
    this.#recent = { read: new RecentSum(tick), rows: new RecentSum(tick), batches: new RecentSum(tick) }
    this.#latency = new RecentLatency(tick)
  }

  started(now: number): void {
    this.#state = 'starting'
    this.#startedAt ??= now
  }

  session({ partitions }: EventData['session_started']): void {
    this.#state = 'running'
    this.#problem = null
    this.#waiting.clear()
    this.#partitions = partitions
  }

  ended({ complete }: EventData['flow_finished']): void {
    this.#state = complete ? 'finished' : 'stopped'
    this.#problem = null
    this.#bytesInFlight = 0
  }

  failed(problem: Problem): void {
    this.#state = 'failed'
    this.#problem = problem
    this.#bytesInFlight = 0
  }

  restarting(problem: Problem): void {
    this.#counts.restarts++
    this.#state = 'restarting'
    this.#problem = problem
    this.#waiting.clear()
  }

  unreachable(stage: string, problem: Problem): void {
    this.#waiting.set(stage, problem)
  }

  reachable(stage: string): void {
    this.#waiting.delete(stage)
  }

  read({ records, bytes }: EventData['records_read'], tick: number): void {
    this.#counts.read += records
    this.#counts.bytes_read += bytes
    this.#recent.read.add(records, tick)
  }

  written({ rows, filtered, latencies_ms }: EventData['batch_written'], tick: number): void {
    this.#counts.batches++
    this.#counts.written += rows
    this.#counts.filtered += filtered
    this.#recent.rows.add(rows, tick)
    this.#recent.batches.add(1, tick)
    this.#batchRows = this.#recent.rows.sum(tick) / this.#recent.batches.sum(tick)
    for (const ms of latencies_ms) this.#latency.add(ms, tick)
  }

  rejected(records: number): void {
    this.#counts.dead_lettered += records
  }

  lag({ records, unread }: EventData['lag_measured']): void {
    this.#lag = records
    this.#total = this.#counts.read + unread
  }

  bytes(bytes: number): void {
    this.#bytesInFlight = bytes
  }

  watermark(ms: number): void {
    this.#watermark = ms
  }

  status(tick: number): FlowStatus {
    const [waiting] = this.#waiting.values()
    const going = this.#state === 'starting' || this.#state === 'running'
    const { bounded, ...facts } = this.#facts
    const [p50, p99] = this.#latency.quantiles([0.5, 0.99], tick)
    return {
      ...facts,
      state: going && waiting ? 'waiting' : this.#state,
      problem: going ? (waiting ?? null) : this.#problem,
      started_at: this.#startedAt,
      partitions: this.#partitions,
      ...this.#counts,
      read_per_second: this.#recent.read.rate(tick),
      written_per_second: this.#recent.rows.rate(tick),
      lag: this.#lag,
      batch_rows: this.#batchRows,
      latency_ms: { p50, p99 },
      bytes_in_flight: this.#bytesInFlight,
      watermark_ms: this.#watermark,
      progress: bounded ? this.#progress(tick) : null,
    }
  }

  #progress(tick: number): Progress | null {
    const { read } = this.#counts
    if (this.#state === 'finished') return { share: 1, records_left: 0, time_left_ms: 0 }
    if (this.#total === null) return null
    const total = Math.max(read, this.#total)
    const left = total - read
    const rate = this.#recent.read.rate(tick)
    const time_left_ms = left === 0 ? 0 : rate > 0 ? (left * 1000) / rate : null
    return { share: total === 0 ? 1 : read / total, records_left: left, time_left_ms }
  }
}
