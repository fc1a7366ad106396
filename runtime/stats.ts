import { addAnomalies, type DetectorAnomalies, NO_ANOMALIES } from './anomaly_counts'

/** What one flow has done since it was started; printed by `run --json` and by the summary. */
export interface FlowCounts {
  /** Without what was read and left to whoever goes on. Rows of windows count once, when their window closes: `Chunk.repeated`. */
  readonly read: number
  readonly written: number
  readonly filtered: number
  readonly dead_lettered: number
  readonly restarts: number
}

const BUCKETS_PER_DOUBLING = 8

/** Latencies in buckets that grow by 2^(1/8), so quantiles are within 9 % of the truth in constant memory. */
export class LatencyHistogram {
  readonly #counts = new Map<number, number>()
  #total = 0

  /** `ms` >= 0. */
  add(ms: number): void {
    const bucket = Math.round(Math.log2(Math.max(ms, 0.01)) * BUCKETS_PER_DOUBLING)
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1)
    this.#total++
  }

  merge(other: LatencyHistogram): void {
    for (const [bucket, n] of other.#counts) this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + n)
    this.#total += other.#total
  }

  /** Milliseconds below which a share `q` (0..1) lies; null before the first. */
  quantile(q: number): number | null {
    if (this.#total === 0) return null
    let left = q * this.#total
    for (const bucket of [...this.#counts.keys()].sort((a, b) => a - b)) {
      left -= this.#counts.get(bucket) ?? 0
      if (left <= 0) return 2 ** (bucket / BUCKETS_PER_DOUBLING)
    }
    return 2 ** (Math.max(...this.#counts.keys()) / BUCKETS_PER_DOUBLING)
  }
}

/** Counters of one flow. */
export class FlowStats {
  /** When the run began, milliseconds since 1970. */
  readonly since: number
  readonly #anomalies = new Map<string, DetectorAnomalies>()
  read = 0
  written = 0
  filtered = 0
  deadLettered = 0
  restarts = 0
  readonly latency = new LatencyHistogram()

  constructor(since: number) {
    this.since = since
  }

  /** Anomaly records written, by view and detector. */
  get anomalies(): readonly DetectorAnomalies[] {
    return [...this.#anomalies.values()]
  }

  addAnomalies(found: DetectorAnomalies): void {
    const key = JSON.stringify([found.view, found.detector])
    const before = this.#anomalies.get(key)?.counts ?? NO_ANOMALIES
    this.#anomalies.set(key, { ...found, counts: addAnomalies(before, found.counts) })
  }

  counts(): FlowCounts {
    return {
      read: this.read,
      written: this.written,
      filtered: this.filtered,
      dead_lettered: this.deadLettered,
      restarts: this.restarts,
    }
  }
}
