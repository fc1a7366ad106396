import type { Clock } from '../clock'
import { type OffsetRange, partitionKey } from '../origin'

/**
 * How far a table has come in event time, over all flows that write it.
 *
 * Its watermark is the smallest of the largest settled event times of its partitions; an idle partition (read to its end for a
 * while) does not hold it back, a partition without any event time does. It never goes back. Of partitions that another worker
 * holds it knows what stands in their positions, which is never more than what is settled; a flow whose partitions are not all
 * known holds it where it is. When every partition is idle it goes on with the wall clock, so that the last windows close and
 * silence is seen.
 */
export class TableProgress {
  readonly #clock: Clock
  readonly #flows = new Map<string, FlowState>()
  readonly #listeners = new Set<TableListener>()
  /** Highest offset whose rows were told to be late or not, by flow and partition. */
  readonly #judged = new Map<string, number>()
  #watermark: number | null = null
  #idleSince: { readonly at: number; readonly watermark: number } | null = null
  #started = false
  #watching = 0

  /** `flows`: names of those that write the table. */
  constructor(flows: readonly string[], clock: Clock) {
    this.#clock = clock
    for (const flow of flows) this.#flows.set(flow, NEW)
  }

  /** True once a flow has opened the table, here or elsewhere. */
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

  /** Until the returned function is called somebody needs the watermark, so that partitions held elsewhere are looked up. */
  watch(): () => void {
    this.#watching++
    let done = false
    return () => {
      if (!done) this.#watching--
      done = true
    }
  }

  /** What a flow tells that writes the table. */
  of(flow: string): FlowProgress {
    const state = (): FlowState => this.#flows.get(flow) ?? NEW
    const change = (changes: Partial<FlowState>): void => {
      this.#flows.set(flow, { ...state(), ...changes })
      for (const l of this.#listeners) l.changed()
    }
    const written = (earliest: number | null, behind: Float64Array | null): void => {
      for (const l of this.#listeners) l.written(earliest, behind)
    }
    return {
      watched: () => this.#watching > 0,
      joined: (partitions, whole) => {
        // whatever other workers wrote between two looks
        written(Number.NEGATIVE_INFINITY, null)
        change({ ...NEW, phase: 'running', expected: new Set(partitions), elsewhere: whole ? NOWHERE : null })
      },
      left: () => change({ phase: 'starting' }),
      lane: watermarks => {
        this.#started = true
        change({ marks: new Map([...state().marks, ...watermarks]) })
      },
      settled: ({ watermarks, earliest, behind, ranges }) => {
        written(earliest, this.#isNew(flow, ranges) ? behind : null)
        change({ marks: new Map([...state().marks, ...watermarks]) })
      },
      idle: (partition, idle) => {
        const next = new Set(state().idle)
        if (idle === next.has(partition)) return
        if (idle) next.add(partition)
        else next.delete(partition)
        change({ idle: next })
      },
      elsewhere: partitions => {
        const { elsewhere, phase } = state()
        if (phase !== 'running') return
        this.#started ||= [...partitions.values()].some(p => p.begun)
        // one that did not hold the watermark back may have written into windows that are final
        const back = [...partitions].some(([key, p]) => {
          const before = elsewhere?.get(key)
          return before?.idle && before.watermark !== p.watermark
        })
        if (back) written(Number.NEGATIVE_INFINITY, null)
        change({ elsewhere: partitions })
      },
      ended: well => {
        if (state().phase !== 'done') change({ phase: well ? 'done' : 'failed' })
      },
    }
  }

  /** False for a batch that is sent again, with exactly the same ranges, because a session ended before its position moved. */
  #isNew(flow: string, ranges: readonly OffsetRange[]): boolean {
    const judged = ranges.map(r => [`${flow}|${partitionKey(r)}`, r.to] as const)
    const isNew = judged.some(([key, to]) => to > (this.#judged.get(key) ?? -1))
    if (isNew) for (const [key, to] of judged) this.#judged.set(key, to)
    return isNew
  }

  #raise(to: number): void {
    if (this.#watermark === null || to > this.#watermark) this.#watermark = to
  }

  #lowest(): { readonly lowest: number | null; readonly allIdle: boolean } {
    let lowest = Number.POSITIVE_INFINITY
    let allIdle = true
    for (const { phase, expected, marks, idle, elsewhere } of this.#flows.values()) {
      if (phase === 'done') continue
      if (phase !== 'running' || elsewhere === null) return { lowest: null, allIdle: false }
      const here = [...expected].map(key => ({ idle: idle.has(key), watermark: marks.get(key) ?? null }))
      for (const partition of [...here, ...elsewhere.values()]) {
        if (partition.idle) continue
        allIdle = false
        if (partition.watermark === null) return { lowest: null, allIdle: false }
        lowest = Math.min(lowest, partition.watermark)
      }
    }
    return { lowest: Number.isFinite(lowest) ? lowest : null, allIdle: allIdle && !this.ended }
  }
}

interface FlowState {
  readonly phase: 'starting' | 'running' | 'done' | 'failed'
  /** Partitions that this worker holds. */
  readonly expected: ReadonlySet<string>
  /** Largest settled event time of each of them, milliseconds. */
  readonly marks: ReadonlyMap<string, number>
  readonly idle: ReadonlySet<string>
  /** Those that others hold; null: not known yet. */
  readonly elsewhere: ReadonlyMap<string, ElsewhereState> | null
}

const NOWHERE: ReadonlyMap<string, ElsewhereState> = new Map()
const NEW: FlowState = { phase: 'starting', expected: new Set(), marks: new Map(), idle: new Set(), elsewhere: null }

/** A partition that another worker holds, as its position says. */
export interface ElsewhereState {
  /** Largest settled event time, milliseconds; null: none yet. */
  readonly watermark: number | null
  readonly idle: boolean
  /** False: nobody has stored a position for it yet. */
  readonly begun: boolean
}

export interface TableListener {
  changed(): void
  /**
   * Rows were written: the earliest of their event times (-Infinity: not known), and how far each lay behind (see
   * `TokenWrite.behind`; null: not known, or told before).
   */
  written(earliest: number | null, behind: Float64Array | null): void
}

/** What one flow tells about the table it writes. Partitions by their `partitionKey`. */
export interface FlowProgress {
  /** Whether what is told about other workers is of use now. */
  watched(): boolean
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
    readonly ranges: readonly OffsetRange[]
  }): void
  idle(partition: string, idle: boolean): void
  /** All partitions that the session lacks. */
  elsewhere(partitions: ReadonlyMap<string, ElsewhereState>): void
  ended(well: boolean): void
}
