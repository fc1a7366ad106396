import { type Batch, liveRows } from './batch'
import { rowJson } from './row_json'
import type { FlowSpec } from './spec'

/**
 * Looks at rows as they pass a stage. Nobody looks most of the time: then a batch costs one comparison. Rows are seen when they
 * pass, so those of a batch that is prepared again after a lost session are seen again.
 */

export interface TapOptions {
  /** Most rows in all. */
  readonly limit: number
  /** Names of fields, at any depth, whose values are not shown. */
  readonly hide: (field: string) => boolean
  /** Takes a row as JSON; false: the reader has not taken the last ones yet, so the rest of the batch is left out. */
  readonly row: (json: string) => boolean
  /** The limit is reached, or the flow has ended. */
  readonly end: () => void
}

/** Rows taken of one batch at most, spread over it: a sample of the stream and not of its first batch. */
const PER_BATCH = 20

class Tap {
  readonly #options: TapOptions
  #left: number

  constructor(options: TapOptions) {
    this.#options = options
    this.#left = options.limit
  }

  /** False: it has seen enough. */
  see(batch: Batch): boolean {
    const live = liveRows(batch)
    const take = Math.min(live, this.#left, PER_BATCH)
    for (let i = 0; i < take; i++) {
      const at = Math.floor((i * live) / take)
      const row = batch.selection ? batch.selection[at] : at
      this.#left--
      if (!this.#options.row(rowJson(batch.schema, batch.columns, row, this.#options.hide))) break
    }
    return this.#left > 0
  }

  end(): void {
    this.#options.end()
  }
}

/** Those who look at one flow, by stage: 0 is the source, then each transform, then the sink. */
export class FlowTaps {
  readonly #stages = new Map<number, Set<Tap>>()

  get watched(): boolean {
    return this.#stages.size > 0
  }

  /** A batch has passed a stage. */
  pass(stage: number, batch: Batch): void {
    for (const tap of this.#stages.get(stage) ?? []) {
      if (tap.see(batch)) continue
      this.#remove(stage, tap)
      tap.end()
    }
  }

  /** Begins to look; the returned function ends it without a call of `end`. */
  add(stage: number, options: TapOptions): () => void {
    const tap = new Tap(options)
    this.#stages.set(stage, new Set([...(this.#stages.get(stage) ?? []), tap]))
    return () => this.#remove(stage, tap)
  }

  /** The flow has ended for good. */
  end(): void {
    const all = [...this.#stages.values()].flatMap(taps => [...taps])
    this.#stages.clear()
    for (const tap of all) tap.end()
  }

  #remove(stage: number, tap: Tap): void {
    const left = [...(this.#stages.get(stage) ?? [])].filter(t => t !== tap)
    if (left.length > 0) this.#stages.set(stage, new Set(left))
    else this.#stages.delete(stage)
  }
}

/** All flows of a worker. */
export class Taps {
  readonly #flows = new Map<string, FlowTaps>()

  of(pipeline: string, flow: string): FlowTaps {
    const key = `${pipeline}/${flow}`
    const taps = this.#flows.get(key) ?? new FlowTaps()
    this.#flows.set(key, taps)
    return taps
  }
}

/**
 * Names of the stages of a flow in order, each as `stageOf` takes it, given the types of its transforms: `source`, `filter`, `sink`;
 * a transform whose type stands there more than once goes by its place, from 1.
 */
export const stageNames = (types: readonly string[]): readonly string[] => [
  'source',
  ...types.map((type, i) => (types.indexOf(type) === types.lastIndexOf(type) ? type : String(i + 1))),
  'sink',
]

/**
 * A stage as people name it: `source`, `sink`, the place of a transform from 1, or its type where that stands once. Null: there is
 * none, or several.
 */
export function stageOf(flow: Pick<FlowSpec, 'transforms'>, name: string): number | null {
  const { transforms } = flow
  if (name === 'source') return 0
  if (name === 'sink') return transforms.length + 1
  if (/^\d+$/.test(name)) return Number(name) >= 1 && Number(name) <= transforms.length ? Number(name) : null
  const found = transforms.flatMap((t, i) => (t.type === name ? [i + 1] : []))
  return found.length === 1 ? found[0] : null
}
