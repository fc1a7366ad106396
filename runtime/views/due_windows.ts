import type { Clock } from '../clock'

/** Remembered at most: a view that is further behind is measured by the oldest. */
const MOST = 1_000

/** Since when windows that are not closed yet could have been: the watermark had passed their end. */
export class DueWindows {
  readonly #clock: Clock
  /** Ascending by both. */
  #due: { readonly end: number; readonly since: number }[] = []
  #last = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The watermark has passed all windows up to the one that ends here. */
  passed(end: number): void {
    // also where the watermark is not known yet: NaN
    if (!(end > this.#last)) return
    this.#last = end
    if (this.#due.length < MOST) this.#due.push({ end, since: this.#clock.monotonic() })
  }

  /** Windows up to here are closed. Milliseconds for which the oldest of them was due; null: none was. */
  closed(end: number): number | null {
    const oldest = this.#due.at(0)
    const left = this.#due.filter(d => d.end > end)
    if (oldest === undefined || left.length === this.#due.length) return null
    this.#due = left
    return this.#clock.monotonic() - oldest.since
  }
}
