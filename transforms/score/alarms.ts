const DAY = 86_400_000
const UNITS: Readonly<Record<string, number>> = { hour: DAY / 24, day: DAY, week: 7 * DAY, month: 30 * DAY }

export const ALARM_RATE = /^(\d+(?:\.\d+)?)\/(hour|day|week|month)$/

/** Alarms per millisecond of `1/day`, `0.5/hour`, `3/week`, `1/month` (30 days); null if the text is none of these or 0. */
export function parseAlarms(text: string): number | null {
  const match = ALARM_RATE.exec(text)
  const rate = match ? Number(match[1]) / UNITS[match[2]] : 0
  return rate > 0 ? rate : null
}

/** Before any time has passed nothing is known of the rate: the score of one in ten thousand. */
export const STARTING_THRESHOLD = 4
/** Rarer than one in ten must an alarm be, whatever the budget. */
const LEAST_THRESHOLD = 1
/** The rate of points is that of about the last day of event time. */
const MEMORY = DAY

/**
 * The score from which on something is an alarm: fixed, or so that normal data give about `budget` alarms a millisecond of event
 * time. Points arrive at a rate of active keys / slide; of n points a millisecond, n * 10^-t score t or more, so
 * t = log10(n * detectors / budget). The rate is an exponentially weighted mean over event time, so it follows keys that come
 * and go; it is brought up to date when event time moves on, which makes it independent of how rows are cut into batches.
 */
export class Threshold {
  /** Weighted points, weighted milliseconds, largest event time, threshold. */
  readonly #state = Float64Array.of(0, 0, Number.NEGATIVE_INFINITY, STARTING_THRESHOLD)
  readonly #fixed: number | null
  readonly #budget: number | null

  /** `budget` in alarms a millisecond for one detector; null: `fixed` holds. */
  constructor(options: { readonly fixed: number } | { readonly budget: number }) {
    this.#budget = 'budget' in options ? options.budget : null
    this.#fixed = 'fixed' in options ? options.fixed : null
  }

  get value(): number {
    return this.#fixed ?? this.#state[3]
  }

  /** One point was scored at this event time. */
  count(time: number): void {
    if (this.#budget === null) return
    const state = this.#state
    if (time > state[2]) {
      if (state[2] > Number.NEGATIVE_INFINITY) {
        const passed = time - state[2]
        const kept = Math.exp(-passed / MEMORY)
        state[1] = (state[1] + passed) * kept
        state[0] *= kept
        state[3] = Math.max(LEAST_THRESHOLD, Math.log10(state[0] / state[1] / this.#budget))
      }
      state[2] = time
    }
    state[0]++
  }

  /** What a snapshot holds; written to when one is restored. A fixed threshold is no part of it. */
  get state(): Float64Array {
    return this.#state
  }
}
