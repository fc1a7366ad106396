/** An alert that stands: it can be revised or retracted. */
export interface Alert {
  readonly status: 'raised' | 'suppressed'
  /** Revision and offset of the row that it was last judged by. */
  readonly rev: number
  readonly offset: number
}

/** Alerts of a lane that a revision of their window can still find. Beyond this many the oldest are forgotten: 200 bytes each. */
const MOST = 100_000

/** The alerts of windows, by detector, key and window end. */
export class Alerts {
  #standing = new Map<string, Alert>()

  get(detector: string, key: number, end: number): Alert | undefined {
    return this.#standing.get(idOf(detector, key, end))
  }

  set(detector: string, key: number, end: number, alert: Alert): void {
    this.#standing.set(idOf(detector, key, end), alert)
    if (this.#standing.size <= MOST) return
    for (const oldest of this.#standing.keys()) {
      this.#standing.delete(oldest)
      break
    }
  }

  delete(detector: string, key: number, end: number): void {
    this.#standing.delete(idOf(detector, key, end))
  }

  /** What was key ids[i] is key i from now on; alerts of other keys are forgotten. */
  keep(ids: Int32Array): void {
    const renamed = new Map(Array.from(ids, (id, i) => [id, i]))
    const kept = [...this.#standing].flatMap(([id, alert]): [string, Alert][] => {
      const [key, end, detector] = partsOf(id)
      const now = renamed.get(key)
      return now === undefined ? [] : [[idOf(detector, now, end), alert]]
    })
    this.#standing = new Map(kept)
  }

  snapshot(): Buffer {
    return Buffer.from(JSON.stringify([...this.#standing]))
  }

  restore(bytes: Buffer): void {
    this.#standing = new Map(JSON.parse(bytes.toString()) as [string, Alert][])
  }
}

const idOf = (detector: string, key: number, end: number): string => `${key}|${end}|${detector}`

function partsOf(id: string): [key: number, end: number, detector: string] {
  const [key, end, ...detector] = id.split('|')
  return [Number(key), Number(end), detector.join('|')]
}
