import type { Clock } from '../clock'
import type { EventData } from '../events'

/** A file of old records is late in each of its batches: people are told the first time, then how many more there were. */
const EVERY_MS = 60_000

/** What of the late records of a view is told when; none is left uncounted. */
export class LateNews {
  readonly #table: string
  readonly #clock: Clock
  #untold = 0
  #told: number | null = null

  constructor(table: string, clock: Clock) {
    this.#table = table
    this.#clock = clock
  }

  /** What to tell when so many more have come. */
  add(records: number): EventData['records_late']['tell'] {
    const now = this.#clock.monotonic()
    const first = this.#told === null
    this.#untold += records
    if (this.#told !== null && now - this.#told < EVERY_MS) return null
    const told = { table: this.#table, records: this.#untold, first }
    this.#told = now
    this.#untold = 0
    return told
  }
}
