import type { Batch } from './batch'
import {
  BoolColumn,
  type Column,
  DictionaryColumn,
  F32Column,
  F64Column,
  FixedColumn,
  I32Column,
  I64Column,
  ListColumn,
  MapColumn,
  StructColumn,
  VarColumn,
} from './column'

/** The batch with its live rows only, dense. The same batch if nothing was filtered. */
export function takeBatch(batch: Batch): Batch {
  const { selection, rows, raw } = batch
  if (selection === null) return batch
  const n = selection.length
  const range = new Int32Array(n)
  const offset = new Float64Array(n)
  const timestamp = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const row = selection[i]
    range[i] = rows.range[row]
    offset[i] = rows.offset[row]
    timestamp[i] = rows.timestamp[row]
  }
  return {
    ...batch,
    columns: batch.columns.map(c => takeColumn(c, selection)),
    length: n,
    selection: null,
    rows: { range, offset, timestamp },
    raw: row => raw(selection[row]),
  }
}

/** A new column with these rows in this order. Rows may repeat. */
export function takeColumn(column: Column, rows: Int32Array): Column {
  const n = rows.length
  const out = takeValues(column, rows)
  if (column.nulls && out.nulls) for (let i = 0; i < n; i++) out.nulls[i] = column.nulls[rows[i]]
  out.length = n
  return out
}

function takeValues(column: Column, rows: Int32Array): Column {
  const n = rows.length
  switch (column.layout) {
    case 'bool':
      return gather(new BoolColumn(column.type, column.nullable), column.values, rows)
    case 'i32':
      return gather(new I32Column(column.type, column.nullable), column.values, rows)
    case 'f32':
      return gather(new F32Column(column.type, column.nullable), column.values, rows)
    case 'f64':
      return gather(new F64Column(column.type, column.nullable), column.values, rows)
    case 'i64': {
      const out = new I64Column(column.type, column.nullable)
      out.reserve(n)
      const from = column.halves
      const to = out.halves
      for (let i = 0; i < n; i++) {
        const row = rows[i]
        to[2 * i] = from[2 * row]
        to[2 * i + 1] = from[2 * row + 1]
      }
      return out
    }
    case 'var':
      return takeVar(column, rows)
    case 'fixed': {
      const out = new FixedColumn(column.type, column.nullable, column.width)
      out.reserve(n)
      const w = column.width
      for (let i = 0; i < n; i++) column.data.copy(out.data, i * w, rows[i] * w, (rows[i] + 1) * w)
      return out
    }
    case 'dictionary': {
      const out = new DictionaryColumn(column.type, column.nullable, column.dictionary)
      out.reserve(n)
      for (let i = 0; i < n; i++) out.ids[i] = column.ids[rows[i]]
      return out
    }
    case 'list': {
      const out = new ListColumn(column.type as ListColumn['type'] & { kind: 'list' }, column.nullable)
      const inner = childRows(column.offsets, rows, out)
      return replaceChild(out, { child: takeColumn(column.child, inner) })
    }
    case 'map': {
      const out = new MapColumn(column.type as MapColumn['type'] & { kind: 'map' }, column.nullable)
      const inner = childRows(column.offsets, rows, out)
      return replaceChild(out, { keys: takeColumn(column.keys, inner), child: takeColumn(column.child, inner) })
    }
    case 'struct': {
      const out = new StructColumn(column.type as StructColumn['type'] & { kind: 'struct' }, column.nullable)
      out.reserve(n)
      return replaceChild(out, { children: column.children.map(c => takeColumn(c, rows)) })
    }
  }
}

function gather<C extends BoolColumn | I32Column | F32Column | F64Column>(out: C, from: C['values'], rows: Int32Array): C {
  out.reserve(rows.length)
  const to = out.values
  for (let i = 0; i < rows.length; i++) to[i] = from[rows[i]]
  return out
}

function takeVar(column: VarColumn, rows: Int32Array): VarColumn {
  const n = rows.length
  const { offsets, data } = column
  let total = 0
  for (let i = 0; i < n; i++) total += offsets[rows[i] + 1] - offsets[rows[i]]
  const out = new VarColumn(column.type, column.nullable)
  out.reserve(n, total)
  const to = out.data
  let end = 0
  for (let i = 0; i < n; i++) {
    let p = offsets[rows[i]]
    const stop = offsets[rows[i] + 1]
    // short strings are the rule: a byte loop beats a call to copy below about 64 bytes
    if (stop - p > 64) {
      data.copy(to, end, p, stop)
      end += stop - p
    } else while (p < stop) to[end++] = data[p++]
    out.offsets[i + 1] = end
  }
  return out
}

/** Fills the offsets of a list or map for these rows and returns the rows of its children. */
function childRows(offsets: Int32Array, rows: Int32Array, out: ListColumn | MapColumn): Int32Array {
  out.reserve(rows.length)
  let total = 0
  for (let i = 0; i < rows.length; i++) {
    total += offsets[rows[i] + 1] - offsets[rows[i]]
    out.offsets[i + 1] = total
  }
  const inner = new Int32Array(total)
  let n = 0
  for (let i = 0; i < rows.length; i++) for (let p = offsets[rows[i]]; p < offsets[rows[i] + 1]; p++) inner[n++] = p
  return inner
}

const replaceChild = <C extends Column>(column: C, parts: Partial<Record<'child' | 'keys' | 'children', unknown>>): C =>
  Object.assign(column, parts)
