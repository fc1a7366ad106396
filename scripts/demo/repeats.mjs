// What was told is not told every minute anew.

/** A stretch of anomalies has stopped if none, not even a suppressed one, was seen for so long. */
const STOPPED_MS = 60_000
/** One that does not stop is told again after this. */
const AGAIN_MS = 300_000

/** Remembers per detector and key what was told. Anomalies are noted in the order of their windows; each may be noted many times. */
export class Repeats {
  #stretches = new Map()

  /** Null: told already, or none to tell. Else it is to be told: as `new`, as come `again` after it had stopped, or as `still` there. */
  note({ database, detector, key, start, end, status }) {
    const name = JSON.stringify([database, detector, key])
    const before = this.#stretches.get(name)
    if (!before) {
      if (status !== 'raised') return null
      this.#stretches.set(name, { until: end, told: end, stopped: false })
      return 'new'
    }
    if (start - before.until > STOPPED_MS) before.stopped = true
    before.until = Math.max(before.until, end)
    if (status !== 'raised' || (!before.stopped && end - before.told < AGAIN_MS)) return null
    const how = before.stopped ? 'again' : 'still'
    before.told = end
    before.stopped = false
    return how
  }
}
