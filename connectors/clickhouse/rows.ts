import type { Batch } from '../../runtime/batch'
import type { Column } from '../../runtime/column'
import { TICKS_PER_MS } from '../../runtime/schema'
import { takeColumn } from '../../runtime/take'
import type { RowFailure } from '../../sql/check'

/** Rows of one batch that are about to be written: dense, checked, provenance included. */
export interface Rows {
  readonly batch: Batch
  readonly columns: readonly Column[]
  readonly count: number
  /** Position in the batch of every row; null: the same. */
  readonly positions: Int32Array | null
}

/** The rows without the failed ones. Columns are copied only if there are any. */
export function without(rows: Rows, failures: readonly RowFailure[]): Rows {
  if (failures.length === 0) return rows
  const bad = new Set(failures.map(f => f.row))
  const kept = new Int32Array(rows.count - bad.size)
  let n = 0
  for (let i = 0; i < rows.count; i++) if (!bad.has(i)) kept[n++] = i
  return pick(rows, kept)
}

/** These rows, in this order. */
export const pick = (rows: Rows, kept: Int32Array): Rows => ({
  batch: rows.batch,
  columns: rows.columns.map(c => takeColumn(c, kept)),
  count: kept.length,
  positions: kept.map(i => rows.positions?.[i] ?? i),
})

/** Milliseconds since 1970 of a row of a timestamp column, rounded down. Null for any other column. */
export function millisecondsOf(column: Column): ((row: number) => number) | null {
  if (column.layout !== 'i64' || column.type.kind !== 'timestamp') return null
  const ticks = TICKS_PER_MS[column.type.unit]
  return row => Math.floor(column.number(row) / ticks)
}

/** First and last event time of the rows, widened by a second on both sides; null for a column of dates. */
export function timeSpan(column: Column, count: number): { readonly from: number; readonly to: number } | null {
  const at = millisecondsOf(column)
  if (!at || count === 0) return null
  let from = Infinity
  let to = -Infinity
  for (let i = 0; i < count; i++) {
    const ms = at(i)
    if (ms < from) from = ms
    if (ms > to) to = ms
  }
  return { from: from - 1000, to: to + 1000 }
}
