import type { Clock } from '../clock'

/**
 * How far a table has come in event time, over all flows of this worker that write it.
 *
 * Its watermark is the smallest of the largest settled event times of its partitions; an idle partition (read to its end for a
 * while) does not hold it back, a partition without any event time does. It never goes back. A flow whose partitions are not all
 * here (another worker holds some) or not known yet holds it where it is. When every partition is idle it goes on with the wall
 * clock, so that the last windows close and silence is seen.
 */
export class TableProgress {
  readonly #clock: Clock
  readonly #flows = new Map<string, FlowState>()
  readonly #listeners = new Set<TableListener>()
  #watermark: number | null = null
  #idleSince: { readonly at: number; readonly watermark: number } | null = null
  #started = false

  /** `flows`: names of those that write the table. */
  constructor(flows: readonly string[], clock: Clock) {
    this.#clock = clock
    for (const flow of flows) this.#flows.set(flow, { phase: 'starting', expected: new Set(), marks: new Map(), idle: new Set() })
  }

  /** True once a flow has opened the table. */
  get started(): boolean {
    return this.#started
  }

  /** Every flow has ended: nothing more comes in this run. */
  get ended(): boolean {
    return [...this.#flows.values()].every(f => f.phase === 'done' || f.phase === 'failed')
  }

  /** Every flow has read all of its input, so that open windows may be closed. */
  get complete(): boolean {
    return [...this.#flows.values()].every(f => f.phase === 'done')
  }

  /** True while the watermark follows the wall clock. */
  get idle(): boolean {
    return this.#idleSince !== null
  }

  /** Milliseconds since 1970; null: not known yet. */
  watermark(): number | null {
    const { lowest, allIdle } = this.#lowest()
    if (allIdle && this.#watermark !== null) {
      this.#idleSince ??= { at: this.#clock.monotonic(), watermark: this.#watermark }
      this.#raise(this.#idleSince.watermark + this.#clock.monotonic() - this.#idleSince.at)
    } else {
      this.#idleSince = null
      if (lowest !== null) this.#raise(lowest)
    }
    return this.#watermark
  }

  listen(listener: TableListener): void {
    this.#listeners.add(listener)
  }

  /** What a flow tells; undefined for a flow that does not write this table. */
  of(flow: string): FlowProgress {
    const state = (): FlowState =>
      this.#flows.get(flow) ?? { phase: 'starting', expected: new Set(), marks: new Map(), idle: new Set() }
    const change = (changes: Partial<FlowState>): void => {
      this.#flows.set(flow, { ...state(), ...changes })
      for (const l of this.#listeners) l.changed()
    }
    return {
      joined: (partitions, whole) =>
        change({ phase: whole ? 'running' : 'partial', expected: new Set(partitions), marks: new Map(), idle: new Set() }),
      left: () => change({ phase: 'starting' }),
      lane: watermarks => {
        this.#started = true
        change({ marks: new Map([...state().marks, ...watermarks]) })
      },
      settled: ({ watermarks, earliest, behind }) => {
        for (const l of this.#listeners) l.written(earliest, behind)
        change({ marks: new Map([...state().marks, ...watermarks]) })
      },
      idle: (partition, idle) => {
        const next = new Set(state().idle)
        if (idle === next.has(partition)) return
        if (idle) next.add(partition)
        else next.delete(partition)
        change({ idle: next })
      },
      ended: well => {
        if (state().phase !== 'done') change({ phase: well ? 'done' : 'failed' })
      },
    }
  }

  #raise(to: number): void {
    if (this.#watermark === null || to > this.#watermark) this.#watermark = to
  }

  #lowest(): { readonly lowest: number | null; readonly allIdle: boolean } {
    let lowest = Number.POSITIVE_INFINITY
    let allIdle = true
    for (const { phase, expected, marks, idle } of this.#flows.values()) {
      if (phase === 'done') continue
      if (phase !== 'running') return { lowest: null, allIdle: false }
      for (const partition of expected) {
        if (idle.has(partition)) continue
        allIdle = false
        const mark = marks.get(partition)
        if (mark === undefined) return { lowest: null, allIdle: false }
        lowest = Math.min(lowest, mark)
      }
    }
    return { lowest: Number.isFinite(lowest) ? lowest : null, allIdle: allIdle && !this.ended }
  }
}

interface FlowState {
  /** `partial`: other workers hold some of its partitions. */
  readonly phase: 'starting' | 'running' | 'partial' | 'done' | 'failed'
  readonly expected: ReadonlySet<string>
  /** Largest settled event time of each partition, milliseconds. */
  readonly marks: ReadonlyMap<string, number>
  readonly idle: ReadonlySet<string>
}

export interface TableListener {
  changed(): void
  /** Rows were written: the earliest of their event times, and how far each lay behind (see `TokenWrite.behind`). */
  written(earliest: number | null, behind: Float64Array | null): void
}

/** What one flow tells about the table it writes. Partitions by their `partitionKey`. */
export interface FlowProgress {
  /** A session began. `whole`: it has every partition of the flow. */
  joined(partitions: readonly string[], whole: boolean): void
  /** It is over; what comes next is not known. */
  left(): void
  /** A lane is about to go on from its position. */
  lane(watermarks: ReadonlyMap<string, number>): void
  /** A batch is durable and settled. */
  settled(batch: {
    readonly watermarks: ReadonlyMap<string, number>
    readonly earliest: number | null
    readonly behind: Float64Array | null
  }): void
  idle(partition: string, idle: boolean): void
  ended(well: boolean): void
}
