import { type Column, F64Column } from '../../runtime/column'
import type { FaultOptions, GenerateOptions } from './options'
import { streamOf, uniform, uniform53 } from './random'
import type { Rows } from './rows'

/**
 * Faults of single keys, on a timetable: stretch n of a fault begins at history + after + n * every and strikes one key for `for`.
 * The key is drawn for each stretch; where it has a fault at that time that is named before this one, the next key that has none is
 * struck, and where all have one, none is. So a key has one fault at a time, and which one is a function of key and time alone.
 */
export interface Faults {
  /** Number of the fault of a key, from 1, at so many milliseconds after the start; 0: none. */
  at(key: number, elapsed: number): number
  /** True if a key with this fault does not report. */
  silences(fault: number): boolean
  /** `name-n` for stretch n, from 1; empty for 0. */
  label(fault: number, elapsed: number): string
}

/** Struck keys that are remembered a fault, which are worked out again at will. */
const REMEMBERED = 1024

export function faultsOf({ faults = {}, keys, history = 0, seed }: GenerateOptions): Faults | null {
  const tables: Timetable[] = []
  for (const [name, options] of Object.entries(faults)) {
    const first = history + options.after
    tables.push(new Timetable(name, options, first, keys?.count ?? 1, streamOf(seed, `faults/${name}/key`), [...tables]))
  }
  if (tables.length === 0) return null
  return {
    at: (key, elapsed) => tables.findIndex(t => t.strikes(key, elapsed)) + 1,
    silences: fault => tables[fault - 1]?.options.type === 'silent',
    label: (fault, elapsed) => {
      const table = tables[fault - 1]
      return table ? `${table.name}-${table.stretch(elapsed) + 1}` : ''
    },
  }
}

/** When one fault strikes whom. Times are milliseconds after the start. */
class Timetable {
  readonly #struck = new Map<number, number>()

  constructor(
    readonly name: string,
    readonly options: FaultOptions,
    private readonly first: number,
    private readonly keys: number,
    private readonly stream: number,
    /** Those named before, which have the first choice. */
    private readonly before: readonly Timetable[],
  ) {}

  /** Number of the stretch in which a moment lies, or of the last one before it; negative before the first. */
  stretch(elapsed: number): number {
    return Math.floor((elapsed - this.first) / this.options.every)
  }

  strikes(key: number, elapsed: number): boolean {
    const stretch = this.stretch(elapsed)
    return stretch >= 0 && elapsed < this.#begin(stretch) + this.options.for && this.#key(stretch) === key
  }

  #begin(stretch: number): number {
    return this.first + stretch * this.options.every
  }

  /** The key that a stretch strikes; -1: all have another fault. */
  #key(stretch: number): number {
    const known = this.#struck.get(stretch)
    if (known !== undefined) return known
    const from = this.#begin(stretch)
    const taken = new Set<number>()
    for (const other of this.before) other.#addStruck(from, from + this.options.for, taken)
    const drawn = Math.floor(uniform(this.stream, 0, stretch) * this.keys)
    let key = -1
    for (let tries = 0; tries <= taken.size && tries < this.keys && key < 0; tries++) {
      const candidate = (drawn + tries) % this.keys
      if (!taken.has(candidate)) key = candidate
    }
    if (this.#struck.size >= REMEMBERED) this.#struck.clear()
    this.#struck.set(stretch, key)
    return key
  }

  /** Adds the keys struck at some moment in [from, to). */
  #addStruck(from: number, to: number, keys: Set<number>): void {
    for (let n = Math.max(0, this.stretch(from)); this.#begin(n) < to && keys.size < this.keys; n++) {
      const key = this.#begin(n) + this.options.for > from ? this.#key(n) : -1
      if (key >= 0) keys.add(key)
    }
  }
}

/** What faults do to a column of numbers: in place, before anyone else has seen it. Null: nothing. */
export function damage(field: string, { faults = {}, seed }: GenerateOptions): ((column: Column, rows: Rows) => void) | null {
  const effects = Object.entries(faults).map(([name, options]) =>
    effectOf(options, field, streamOf(seed, `faults/${name}/${field}`)),
  )
  if (effects.every(effect => effect === null)) return null
  return (column, rows) => {
    if (!(column instanceof F64Column)) return
    for (let i = 0; i < rows.count; i++) {
      const effect = rows.fault[i] > 0 ? effects[rows.fault[i] - 1] : null
      if (effect) column.values[i] = effect(column.values[i], rows.key[i], rows.tick[i])
    }
  }
}

type Effect = (value: number, key: number, tick: number) => number

function effectOf(options: FaultOptions, field: string, stream: number): Effect | null {
  if (options.type === 'silent' || !options.fields.includes(field)) return null
  if (options.type === 'scale') return value => value * options.by
  const { min, max } = options
  return (_value, key, tick) => min + uniform53(stream, key, tick) * (max - min)
}
