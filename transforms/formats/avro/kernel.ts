import type { Column } from '../../../runtime/column'
import { MALFORMED, PARKED } from './varint'

/** Where the rows of a segment stand: row i reads from pos[i] and never at or beyond ends[i]. */
export interface Rows {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly pos: Int32Array
  readonly ends: Int32Array
}

/**
 * Reads one Avro type for `n` rows, moving `rows.pos`, and writes rows `row .. row + n` of the column it was made for. A parked or
 * bad row gets an empty cell and keeps its position; a row that turns out bad gets an empty cell and a position that says so.
 * Kernels never throw, never read outside a row and never loop longer than the row's bytes allow. Before `read`, the segment has
 * reserved the column's rows; bytes of strings are reserved by who writes them.
 */
export interface Kernel {
  read(rows: Rows, n: number, row: number): void
}

/** Marks row i malformed unless it is parked or bad already. */
export function spoil(pos: Int32Array, i: number, why: number = MALFORMED): void {
  if (pos[i] < PARKED) pos[i] = why
}

/** One row of the caller's, for kernels that call others element by element. */
export class Cursor implements Rows {
  bytes: Uint8Array = new Uint8Array(0)
  view: DataView = new DataView(new ArrayBuffer(0))
  readonly pos = new Int32Array(1)
  readonly ends = new Int32Array(1)

  over(rows: Rows): void {
    this.bytes = rows.bytes
    this.view = rows.view
  }
}

/** Sets the length of a column and of everything in it. */
export function setLength(column: Column, length: number): void {
  column.length = length
  if (column.layout === 'struct') for (const child of column.children) setLength(child, length)
  else if (column.layout === 'list') setLength(column.child, column.offsets[length])
  else if (column.layout === 'map') {
    setLength(column.keys, column.offsets[length])
    setLength(column.child, column.offsets[length])
  }
}

/** Reserves rows in the column and everything in it that has a row for each of its own. */
export function reserveDeep(column: Column, rows: number): void {
  column.reserve(rows)
  if (column.layout === 'struct') for (const child of column.children) reserveDeep(child, rows)
}

/** Empty cells for n rows: null where the column allows it, else the zero of its layout. */
export function blank(column: Column, row: number, n: number): void {
  column.nulls?.fill(1, row, row + n)
  switch (column.layout) {
    case 'i64':
      column.halves.fill(0, 2 * row, 2 * (row + n))
      return
    case 'dictionary':
      column.ids.fill(0, row, row + n)
      return
    case 'fixed':
      column.data.fill(0, row * column.width, (row + n) * column.width)
      return
    case 'var':
    case 'list':
    case 'map':
      column.offsets.fill(column.offsets[row], row + 1, row + n + 1)
      return
    case 'struct':
      for (const child of column.children) blank(child, row, n)
      return
    default:
      column.values.fill(0, row, row + n)
  }
}
