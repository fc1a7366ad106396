import fc from 'fast-check'

/** Random streams of events for windows, and their windows by hand: what the property tests of windows share. */

const S = 1000
export const T0 = Date.UTC(2024, 1, 28, 23, 50)

export interface Shape {
  readonly size: number
  readonly slide: number
  readonly offset: number
  readonly delay: number
  readonly lateness: number
}

export const SHAPES: readonly Shape[] = [
  { size: 60 * S, slide: 60 * S, offset: 0, delay: 0, lateness: 0 },
  { size: 300 * S, slide: 60 * S, offset: 0, delay: 30 * S, lateness: 90 * S },
  { size: 90 * S, slide: 30 * S, offset: 7 * S, delay: 20 * S, lateness: 0 },
  { size: 21 * S, slide: 7 * S, offset: 3 * S, delay: 0, lateness: 400 * S },
]

/** Seconds an event moves the stream: mostly forward, sometimes back a little, far back, or over a gap. */
export const event = fc.record({
  move: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0, max: 40 }) },
    { weight: 3, arbitrary: fc.integer({ min: -60, max: 0 }) },
    { weight: 1, arbitrary: fc.constantFrom(-900, 1200) },
  ),
  device: fc.constantFrom('a', 'b', 'c'),
  cpu: fc.integer({ min: -50, max: 50 }),
})

export type Move = typeof event extends fc.Arbitrary<infer T> ? T : never

/** Event times along a stream. */
export class Timeline {
  #seconds = 0

  /** Milliseconds of where the stream is. */
  get now(): number {
    return T0 + this.#seconds * S
  }

  /** Milliseconds of the event; one that moves forward takes the stream with it. */
  time({ move }: Move): number {
    const at = this.now + move * S
    if (move > 0) this.#seconds += move
    return at
  }
}

export interface Window {
  readonly n: number
  readonly total: number
  readonly top: number
}

/** The windows of the events that count, in order: each at most delay + lateness behind the largest before it in its partition. */
export class BruteForce {
  /** By `window_end device`. */
  readonly windows = new Map<string, Window>()
  readonly #shape: Shape
  readonly #largest = new Map<number, number>()

  constructor(shape: Shape) {
    this.#shape = shape
  }

  /** Milliseconds that the event lies behind. */
  add(partition: number, { ts, device, cpu }: { readonly ts: number; readonly device: string; readonly cpu: number }): number {
    const { size, slide, offset, delay, lateness } = this.#shape
    const largest = Math.max(this.#largest.get(partition) ?? ts, ts)
    this.#largest.set(partition, largest)
    if (largest - ts > delay + lateness) return largest - ts
    const pane = ts - ((((ts - offset) % slide) + slide) % slide)
    for (let end = pane + slide; end <= pane + size; end += slide) {
      const id = `${end} ${device}`
      const w = this.windows.get(id) ?? { n: 0, total: 0, top: Number.NEGATIVE_INFINITY }
      this.windows.set(id, { n: w.n + 1, total: w.total + cpu, top: Math.max(w.top, cpu) })
    }
    return largest - ts
  }

  /** Largest event time of each partition that had one. */
  get marks(): ReadonlyMap<number, number> {
    return this.#largest
  }

  /** The first difference to rows `{end, device, n, total, top}` of a store; null if there is none. */
  differs(rows: readonly Readonly<Record<string, unknown>>[]): string | null {
    const found = new Map<string, Window>()
    for (const r of rows) found.set(`${r.end} ${r.device}`, { n: Number(r.n), total: Number(r.total), top: Number(r.top) })
    if (found.size !== rows.length) return `${rows.length} rows of ${found.size} windows`
    for (const [id, want] of this.windows) {
      if (JSON.stringify(found.get(id)) !== JSON.stringify(want)) {
        return `${id}: ${JSON.stringify(found.get(id))}, not ${JSON.stringify(want)}`
      }
    }
    return found.size === this.windows.size ? null : `${found.size} windows, not ${this.windows.size}`
  }
}
