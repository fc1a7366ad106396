import type { Column } from './column'
import type { Kind, Schema } from './schema'
import { int64At, type Value, valueAt } from './value'

/** One row of a batch seen as an object: a property for each column. Setting `row` moves it; reading a property reads the column. */
export interface RowView {
  cols: readonly Column[]
  row: number
  /** A copy that stays what it is when the view moves on. */
  toObject(): Record<string, Value>
}

export type RowViewClass = new () => RowView & Readonly<Record<string, Value>>

/** Names the view uses itself: columns called so are not reachable as properties, only through `toObject`. */
export const RESERVED: readonly string[] = ['cols', 'row', 'toObject', 'constructor', '__proto__']

/**
 * A class for a schema, with one getter per column on its prototype. One class per schema and one view moved over all rows is
 * what lets V8 inline the getters: a class per batch costs 10 times as much, a Proxy 15 times.
 *
 * Values are those of `valueAt`: 64-bit integers beyond 2^53 are bigints, times are numbers in the column's unit.
 */
export function rowViewClass(schema: Schema): RowViewClass {
  class View implements RowView {
    cols: readonly Column[] = []
    row = 0
    toObject(): Record<string, Value> {
      return Object.fromEntries(schema.fields.map((f, k) => [f.name, valueAt(this.cols[k], this.row)]))
    }
  }
  schema.fields.forEach((f, k) => {
    if (RESERVED.includes(f.name)) return
    const get = (GETTERS[f.type.kind] ?? anyGetter)(k)
    Object.defineProperty(View.prototype, f.name, { get, enumerable: true, configurable: true })
  })
  return View as unknown as RowViewClass
}

type Getter = (this: RowView) => Value

const anyGetter = (k: number): Getter =>
  function () {
    return valueAt(this.cols[k], this.row)
  }

// a function per kind, each with its own code, so that the place where a getter reads sees one layout only
const GETTERS: Readonly<Partial<Record<Kind, (k: number) => Getter>>> = {
  f64: k =>
    function () {
      const column = this.cols[k]
      return column.layout !== 'f64' || column.nulls?.[this.row] ? null : column.values[this.row]
    },
  f32: k =>
    function () {
      const column = this.cols[k]
      return column.layout !== 'f32' || column.nulls?.[this.row] ? null : column.values[this.row]
    },
  i32: k =>
    function () {
      const column = this.cols[k]
      return column.layout !== 'i32' || column.nulls?.[this.row] ? null : column.values[this.row]
    },
  bool: k =>
    function () {
      const column = this.cols[k]
      return column.layout !== 'bool' || column.nulls?.[this.row] ? null : column.values[this.row] === 1
    },
  i64: k => int64Getter(k),
  timestamp: k => int64Getter(k),
  utf8: k =>
    function () {
      const column = this.cols[k]
      return column.layout !== 'var' || column.nulls?.[this.row] ? null : column.string(this.row)
    },
}

const int64Getter = (k: number): Getter =>
  function () {
    const column = this.cols[k]
    return column.layout !== 'i64' || column.nulls?.[this.row] ? null : int64At(column, this.row)
  }
