import { LatencyHistogram } from './stats'

const SLOTS = 10
const SLOT_MS = 1_000

/** A sum over the last ten seconds, in slots of one. Moments are milliseconds on a clock that never goes back. */
export class RecentSum {
  readonly #slots = new Float64Array(SLOTS)
  #slot: number
  readonly #since: number

  constructor(now: number) {
    this.#since = now
    this.#slot = Math.floor(now / SLOT_MS)
  }

  add(value: number, now: number): void {
    this.#advance(now)
    this.#slots[this.#slot % SLOTS] += value
  }

  sum(now: number): number {
    this.#advance(now)
    return this.#slots.reduce((a, b) => a + b, 0)
  }

  /** Per second, over what of the ten seconds has passed since it was made; the first second counts as a whole one. */
  rate(now: number): number {
    const covered = (SLOTS - 1) * SLOT_MS + (now % SLOT_MS)
    return (this.sum(now) * 1_000) / Math.max(SLOT_MS, Math.min(covered, now - this.#since))
  }

  #advance(now: number): void {
    const slot = Math.floor(now / SLOT_MS)
    const stale = Math.min(SLOTS, slot - this.#slot)
    for (let i = 1; i <= stale; i++) this.#slots[(this.#slot + i) % SLOTS] = 0
    if (slot > this.#slot) this.#slot = slot
  }
}

const TURN_MS = 60_000

/** Latencies of the last one to two minutes, in constant memory. */
export class RecentLatency {
  #current = new LatencyHistogram()
  #before = new LatencyHistogram()
  #turned: number

  constructor(now: number) {
    this.#turned = now
  }

  add(ms: number, now: number): void {
    this.#turn(now)
    this.#current.add(ms)
  }

  /** Milliseconds below which each share (0..1) lies; null: nothing was measured lately. */
  quantiles(shares: readonly number[], now: number): readonly (number | null)[] {
    this.#turn(now)
    const both = new LatencyHistogram()
    both.merge(this.#before)
    both.merge(this.#current)
    return shares.map(q => both.quantile(q))
  }

  #turn(now: number): void {
    const turns = Math.floor((now - this.#turned) / TURN_MS)
    if (turns < 1) return
    this.#before = turns === 1 ? this.#current : new LatencyHistogram()
    this.#current = new LatencyHistogram()
    this.#turned += turns * TURN_MS
  }
}
