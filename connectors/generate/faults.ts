import { type Column, F64Column } from '../../runtime/column'
import type { FaultOptions, GenerateOptions } from './options'
import { streamOf, uniform, uniform53 } from './random'
import type { Rows } from './rows'

/**
 * Faults of single keys, on a timetable: stretch n of a fault begins at history + after + n * every and strikes one key, drawn for
 * each stretch, for `for`. Which fault a row has is a function of key and time alone. Where several strike at once the one that is
 * named first counts.
 */
export interface Faults {
  /** Number of the fault of a key, from 1, at so many milliseconds after the start; 0: none. */
  at(key: number, elapsed: number): number
  /** True if a key with this fault does not report. */
  silences(fault: number): boolean
  /** `name-n` for stretch n, from 1; empty for 0. */
  label(fault: number, elapsed: number): string
}

interface Timetable {
  readonly name: string
  readonly options: FaultOptions
  readonly first: number
  readonly stream: number
}

export function faultsOf({ faults = {}, keys, history = 0, seed }: GenerateOptions): Faults | null {
  const count = keys?.count ?? 1
  const tables: readonly Timetable[] = Object.entries(faults).map(([name, options]) => ({
    name,
    options,
    first: history + options.after,
    stream: streamOf(seed, `faults/${name}/key`),
  }))
  if (tables.length === 0) return null
  const strikes = ({ options, first, stream }: Timetable, key: number, elapsed: number): boolean => {
    if (elapsed < first) return false
    const stretch = stretchOf(options, first, elapsed)
    if (elapsed - first - stretch * options.every >= options.for) return false
    return Math.floor(uniform(stream, 0, stretch) * count) === key
  }
  return {
    at: (key, elapsed) => tables.findIndex(t => strikes(t, key, elapsed)) + 1,
    silences: fault => tables[fault - 1]?.options.type === 'silent',
    label: (fault, elapsed) => {
      const table = tables[fault - 1]
      return table ? `${table.name}-${stretchOf(table.options, table.first, elapsed) + 1}` : ''
    },
  }
}

const stretchOf = (options: FaultOptions, first: number, elapsed: number): number => Math.floor((elapsed - first) / options.every)

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
