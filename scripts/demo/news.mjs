// What of all that is found is to be told, and as what.
import { Repeats } from './repeats.mjs'
import { tells } from './verdict.mjs'

const nameOf = ({ detector, key }) => JSON.stringify([detector, key])

export class News {
  #arrivesMs
  /** Anomalies by their ids, with the moment they were seen first. */
  #seen = new Map()
  #said = new Set()
  /** Faults that were told: a more severe alert of the same one is no news. */
  #faults = new Set()
  #repeats = new Repeats()
  /** Detectors and keys whose alert was no news, and now suppresses those that would be. */
  #hushed = new Set()

  /** `arrivesMs`: so long after an anomaly the label of the fault that caused it may still be on the way. */
  constructor(arrivesMs) {
    this.#arrivesMs = arrivesMs
  }

  /**
   * What was not told yet of the anomalies of windows that ended after `since`, as `{anomaly, fault, how}`: `fault` is null where none
   * explains it, for `how` see repeats.mjs. Until `live` the demo itself kept this machine busy, with its history: no news. All moments
   * are milliseconds since 1970.
   */
  of(anomalies, injected, { since, live = since, now }) {
    const news = []
    for (const anomaly of anomalies) {
      if (anomaly.end <= since || this.#said.has(anomaly.id)) continue
      if (anomaly.database === 'machine' && anomaly.start < live) {
        if (anomaly.status === 'raised') this.#hushed.add(nameOf(anomaly))
        continue
      }
      const found = anomaly.database === 'fleet' ? this.#explained(anomaly, injected, now) : this.#unusual(anomaly)
      if (found) news.push({ anomaly, ...found })
    }
    return news
  }

  /** Of a pipeline without faults: told unless that was told lately. */
  #unusual(anomaly) {
    const { status } = anomaly
    const first = status === 'raised' || (status === 'suppressed' && this.#hushed.has(nameOf(anomaly)))
    const how = this.#repeats.note(first ? { ...anomaly, status: 'raised' } : anomaly)
    if (!first) return null
    this.#hushed.delete(nameOf(anomaly))
    this.#said.add(anomaly.id)
    return how && { fault: null, how }
  }

  /** Of the fleet: told once for each fault, as soon as it is known whether one explains it. */
  #explained(anomaly, injected, now) {
    if (anomaly.status !== 'raised') return null
    const explain = injected.filter(f => tells(anomaly, f))
    const fault = explain.find(f => !this.#faults.has(f.fault)) ?? null
    if (!this.#seen.has(anomaly.id)) this.#seen.set(anomaly.id, now)
    if (explain.length === 0 && now - this.#seen.get(anomaly.id) < this.#arrivesMs) return null
    this.#said.add(anomaly.id)
    if (explain.length > 0 && fault === null) return null
    if (fault) this.#faults.add(fault.fault)
    return { fault, how: 'new' }
  }
}
