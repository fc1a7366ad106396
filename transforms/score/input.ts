import type { Batch } from '../../runtime/batch'
import type { Column } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import { fieldIndex, type Schema } from '../../runtime/schema'
import { valueAt } from '../../runtime/value'
import { requireColumn } from '../columns'
import { millisecondsOf } from './numbers'

/** What a row tells about its window. A `record` is a window of its own that closes and is final at once. */
export const KIND = { close: 0, revise: 1, final: 2, record: 3 } as const

/** Which columns of the input mean what. */
export interface InputPlan {
  /** Rows are windows of a view: `window_start`, `window_end`, `_rev`, `_kind`. */
  readonly windows: boolean
  /** Name for `view` in the anomaly record. */
  readonly view: string
  readonly keys: readonly { readonly name: string; readonly index: number }[]
  readonly start: number
  readonly end: number
  readonly rev: number
  readonly kind: number
}

export interface InputOptions {
  readonly keys?: readonly string[] | undefined
  readonly time?: string | undefined
}

const WINDOW_COLUMNS = ['window_start', 'window_end', '_rev', '_kind'] as const

/** Throws C004_MISSING_KEY, C005_INVALID_VALUE, C015_UNKNOWN_COLUMN or C020_TYPE_MISMATCH. */
export function planInput(schema: Schema, options: InputOptions, flow: string): InputPlan {
  const windows = WINDOW_COLUMNS.every(name => fieldIndex(schema, name) >= 0)
  const names = options.keys ?? (windows ? schema.key : undefined)
  if (names === undefined) {
    throw new ConnectError(
      'C004_MISSING_KEY',
      'keys: the rows are records, not windows of a view; which columns tell series apart?',
      {
        hint: 'add `keys: [COLUMN, ...]`, or `keys: []` if all records are one series',
      },
    )
  }
  const keys = names.map(name => ({ name, index: requireColumn(schema, name, 'keys') }))
  for (const { name, index } of keys) {
    const { kind } = schema.fields[index].type
    if (kind !== 'list' && kind !== 'map' && kind !== 'struct') continue
    throw new ConnectError('C020_TYPE_MISMATCH', `keys: "${name}" is ${kind}, which cannot be a key`)
  }
  if (windows) {
    if (options.time !== undefined) {
      throw new ConnectError('C005_INVALID_VALUE', 'time: the windows of a view have their own times; remove it')
    }
    const [start, end, rev, kind] = WINDOW_COLUMNS.map(name => fieldIndex(schema, name))
    for (const index of [start, end]) requireTime(schema, index, 'window')
    return { windows, view: schema.name ?? flow, keys, start, end, rev, kind }
  }
  if (options.time === undefined) {
    throw new ConnectError('C004_MISSING_KEY', 'time: the rows are records; which column has their time?', {
      hint: 'add `time: COLUMN`',
    })
  }
  const at = requireColumn(schema, options.time, 'time')
  requireTime(schema, at, 'time')
  return { windows, view: flow, keys, start: at, end: at, rev: -1, kind: -1 }
}

function requireTime(schema: Schema, index: number, where: string): void {
  const { name, type, nullable } = schema.fields[index]
  if (type.kind !== 'timestamp' && type.kind !== 'date') {
    throw new ConnectError('C020_TYPE_MISMATCH', `${where}: "${name}" is ${type.kind}, a timestamp or date is needed`)
  }
  if (nullable) {
    throw new ConnectError('C020_TYPE_MISMATCH', `${where}: "${name}" may be null; a time must be there`, {
      hint: 'filter the rows without it and cast the column to a type without ?',
    })
  }
}

/** The window columns of one batch, by physical row. */
export interface Windows {
  readonly start: Float64Array
  readonly end: Float64Array
  /** Values of KIND. */
  readonly kind: Uint8Array
  rev(row: number): number | bigint
}

export function windowsOf(plan: InputPlan, batch: Batch): Windows {
  const { columns, length } = batch
  const end = millisecondsOf(columns[plan.end], length)
  if (!plan.windows) return { start: end, end, kind: new Uint8Array(length).fill(KIND.record), rev: () => 1 }
  return {
    start: millisecondsOf(columns[plan.start], length),
    end,
    kind: kindsOf(columns[plan.kind], batch),
    rev: row => {
      const rev = valueAt(columns[plan.rev], row)
      return typeof rev === 'number' || typeof rev === 'bigint' ? rev : 0
    },
  }
}

function kindsOf(column: Column, batch: Batch): Uint8Array {
  const out = new Uint8Array(batch.length)
  if (column.layout === 'dictionary') {
    const codes = column.dictionary.map(codeOf)
    for (let i = 0; i < batch.length; i++) out[i] = codes[column.ids[i]]
  } else for (let i = 0; i < batch.length; i++) out[i] = codeOf(valueAt(column, i))
  return out
}

/** 255: a word that means nothing here; refused where a live row has it. */
function codeOf(word: unknown): number {
  return word === 'close' || word === 'revise' || word === 'final' ? KIND[word] : 255
}
