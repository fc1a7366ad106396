import type { Status } from '../../runtime/status'
import { LATELY_MS } from './verdict'

const EVERY_MS = 30_000

/** How many dead letters each flow wrote lately, out of counters that only grow. At most one sample every half minute is kept. */
export class RecentLetters {
  readonly #samples: { readonly at: number; readonly counts: ReadonlyMap<string, number> }[] = []

  /** By `pipeline/flow`. Call it with every status that is made. */
  of({ now, started_at, flows }: Status): ReadonlyMap<string, number> {
    const counts = new Map(flows.map(f => [`${f.pipeline}/${f.flow}`, f.dead_lettered]))
    const [first] = this.#samples
    // of a worker that runs for longer and was not looked at, nobody knows when it was
    if (!first) this.#samples.push({ at: started_at, counts: now - started_at < LATELY_MS ? new Map() : counts })
    if (now - (this.#samples.at(-1)?.at ?? 0) >= EVERY_MS) this.#samples.push({ at: now, counts })
    while (this.#samples.length > 1 && this.#samples[1].at <= now - LATELY_MS) this.#samples.shift()
    const before = this.#samples[0].counts
    return new Map([...counts].map(([flow, n]) => [flow, n - (before.get(flow) ?? 0)]))
  }
}
