import { countAnomalies } from './anomaly_counts'
import type { Batch, Rejection } from './batch'
import { ConnectError } from './errors'
import type { FlowRun } from './flow'
import type { Prepared } from './pipeline'
import type { Chunk, WriteResult } from './plugin'
import { retrying } from './retry'
import type { FlowStats } from './stats'

/** What a lane has measured. */
export interface LaneFigures {
  /** Between its position and the end of its partitions. */
  readonly records: number
  /** Those of them that have not been read yet. */
  readonly unread: number
  /** Held in memory. */
  readonly bytes: number
}

/** What a flow tells about its records: counters for the result, events for logs and metrics, dead letters for what was rejected. */
export class FlowReport {
  readonly #flow: FlowRun
  readonly #stats: FlowStats
  readonly #measured = new Map<number, LaneFigures>()

  constructor(flow: FlowRun, stats: FlowStats) {
    this.#flow = flow
    this.#stats = stats
  }

  /** What a lane has measured; the flow's figures are the sums over its lanes. */
  measured(lane: number, figures: LaneFigures): void {
    this.#measured.set(lane, figures)
    const all = [...this.#measured.values()]
    const sum = (figure: keyof LaneFigures): number => all.reduce((n, m) => n + m[figure], 0)
    this.#flow.emit('lag_measured', { records: sum('records'), unread: sum('unread') })
    this.#flow.emit('memory_in_flight', { bytes: sum('bytes') })
  }

  /** A session is over: its lanes may go on elsewhere. */
  left(): void {
    this.#measured.clear()
  }

  read(chunk: Chunk): void {
    const rows = (chunk.block?.count ?? 0) + (chunk.damaged ? 1 : 0)
    const { repeated = 0, bytes } = chunk
    this.#stats.read += rows - repeated
    if (rows > 0) this.#flow.emit('records_read', { records: rows - repeated, repeated, bytes })
  }

  /** Records that a lane has read and leaves to whoever goes on: they are read again, and counted by the one who settles them. */
  leftUnsettled(records: number): void {
    this.#stats.read -= records
  }

  slow(slow: Readonly<Record<string, number>>): void {
    for (const [reason, rows] of Object.entries(slow)) if (rows > 0) this.#flow.emit('slow_path', { reason, rows })
  }

  written(lane: number, prepared: Prepared, result: WriteResult, write_ms: number): void {
    const { filtered, batch } = prepared
    this.#stats.written += result.written
    this.#stats.filtered += filtered
    if (this.#flow.findsAnomalies) this.#anomalies(batch)
    const { after: watermarks, earliest, behind } = prepared
    this.#flow.progress?.settled({ watermarks, earliest, behind, ranges: batch.origin.ranges })
    const latencies_ms = this.#latencies(batch)
    for (const ms of latencies_ms) this.#stats.latency.add(ms)
    this.#flow.emit('batch_written', {
      lane,
      rows: result.written,
      filtered,
      write_ms,
      latencies_ms,
    })
    const marks = [...watermarks.values()]
    if (marks.length > 0) this.#flow.emit('watermark_moved', { watermark_ms: Math.min(...marks) })
  }

  /**
   * Of up to 64 rows spread over the batch: enough for a quantile, no cost a row. What is older than the run is history: how long
   * ago it was made says nothing of how long this flow took, which is what lag is for.
   */
  #latencies({ rows: { timestamp }, length }: Batch): readonly number[] {
    const now = this.#flow.clock.now()
    const step = Math.max(1, Math.floor(length / 64))
    const latencies: number[] = []
    for (let i = 0; i < length; i += step) if (timestamp[i] >= this.#stats.since) latencies.push(Math.max(0, now - timestamp[i]))
    return latencies
  }

  #anomalies(batch: Batch): void {
    for (const found of countAnomalies(batch)) {
      this.#stats.addAnomalies(found)
      const { view, detector, counts } = found
      this.#flow.emit('anomalies_written', { view, detector, ...counts })
    }
  }

  async deadLetters(rejections: readonly Rejection[], signal: AbortSignal): Promise<void> {
    const writer = this.#flow.deadLetters
    if (!writer) throw new ConnectError('R001_INTERNAL', 'no dead letter writer')
    const letters = rejections.map(({ stage, plugin, error, record }) => ({
      id: `${record.topic}|${record.partition}|${record.offset}`,
      pipeline: this.#flow.pipeline,
      flow: this.#flow.spec.name,
      stage,
      plugin,
      error,
      record,
    }))
    await retrying(this.#flow.retryContext('dead_letter', signal), () => writer.write(letters, signal))
    this.#stats.deadLettered += letters.length
    for (const [first, count] of grouped(rejections)) {
      const { stage, plugin, error, record } = first
      const example = `${record.topic}/${record.partition}@${record.offset}: ${error.message}`
      this.#flow.emit('records_rejected', { stage, plugin, code: error.code, records: count, example })
    }
  }
}

/** The error with which `on_error: stop` ends the flow. */
export function stoppedBy({ error, stage, plugin, record }: Rejection): ConnectError {
  const where = `${record.topic}/${record.partition} offset ${record.offset}`
  return new ConnectError(error.code, `${where}: ${error.message}`, {
    stage,
    plugin,
    retriable: false,
    hint: `${error.hint}; or set on_error: {dead_letter: TOPIC} to set such records aside and go on`,
    cause: error,
  })
}

/** One example and the count of each kind of rejection. */
function grouped(rejections: readonly Rejection[]): readonly (readonly [Rejection, number])[] {
  const groups = new Map<string, [Rejection, number]>()
  for (const r of rejections) {
    const key = `${r.stage} ${r.plugin} ${r.error.code}`
    const group = groups.get(key)
    if (group) group[1]++
    else groups.set(key, [r, 1])
  }
  return [...groups.values()]
}
