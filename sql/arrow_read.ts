import type * as Arrow from 'apache-arrow'
import { type Column, createColumn, type ListColumn, type MapColumn, type VarColumn } from '../runtime/column'
import { ConnectError } from '../runtime/errors'
import type { ArrowLibrary } from './arrow'
import type { ReadField } from './read_types'

/** The columns of an uncompressed ArrowStream, values copied into columns of ours. */
export function decodeArrow(
  arrow: ArrowLibrary,
  stream: Uint8Array,
  fields: readonly ReadField[],
): { columns: Column[]; rows: number } {
  const columns = fields.map(f => createColumn(f.field))
  let rows = 0
  for (const batch of arrow.RecordBatchReader.from(stream)) {
    // an answer without rows may come as a batch without buffers
    if (batch.numRows === 0) continue
    appendAll(columns, fields, batch.data.children)
    rows += batch.numRows
  }
  return { columns, rows }
}

function appendAll(columns: readonly Column[], fields: readonly ReadField[], data: readonly Arrow.Data[]): void {
  fields.forEach((f, i) => {
    append(columns[i], f, data[f.at], f.companionAt === null ? null : data[f.companionAt])
  })
}

function append(column: Column, read: ReadField, data: Arrow.Data, companion: Arrow.Data | null): void {
  const rows = data.length
  const first = column.length
  column.reserve(rows, column.layout === 'var' ? textBytes(data) : 0)
  if (column.nulls) {
    if (companion) for (let i = 0; i < rows; i++) column.nulls[first + i] = bit(companion.values, companion.offset + i)
    else if (data.nullCount > 0 && data.nullBitmap) {
      for (let i = 0; i < rows; i++) column.nulls[first + i] = bit(data.nullBitmap, data.offset + i) ^ 1
    }
  }
  appendValues(column, read, data, first)
  column.length = first + rows
}

function appendValues(column: Column, read: ReadField, data: Arrow.Data, first: number): void {
  const rows = data.length
  switch (column.layout) {
    case 'bool':
      for (let i = 0; i < rows; i++) column.values[first + i] = bit(data.values, data.offset + i)
      return
    case 'i32':
    case 'f32':
    case 'f64':
      column.values.set(data.values.subarray(0, rows), first)
      return
    case 'i64':
      appendInt64(column.halves, read, data, first)
      return
    case 'var':
      appendText(column, data, first)
      return
    case 'fixed': {
      const { buffer, byteOffset } = data.values
      column.data.set(new Uint8Array(buffer, byteOffset, rows * column.width), first * column.width)
      return
    }
    case 'list':
      appendOffsets(column, data, first)
      appendItems(column.child, read.children[0], data.children[0])
      return
    case 'map': {
      appendOffsets(column, data, first)
      const [keys, values] = data.children[0].children
      column.keys.reserve(keys.length, textBytes(keys))
      appendText(column.keys, keys, column.keys.length)
      column.keys.length += keys.length
      appendItems(column.child, read.children[0], values)
      return
    }
    case 'struct':
      appendAll(column.children, read.children, data.children)
      return
    case 'dictionary':
      throw new ConnectError('R001_INTERNAL', 'dictionaries are not asked for')
  }
}

function appendItems(child: Column, read: ReadField, data: Arrow.Data): void {
  if (read.wrapped) append(child, read, data.children[0], data.children[1])
  else append(child, read, data, null)
}

function appendOffsets(column: ListColumn | MapColumn, data: Arrow.Data, first: number): void {
  const base = column.offsets[first] - data.valueOffsets[0]
  for (let i = 1; i <= data.length; i++) column.offsets[first + i] = data.valueOffsets[i] + base
}

const textBytes = (data: Arrow.Data): number => data.valueOffsets[data.length] - data.valueOffsets[0]

function appendText(column: VarColumn, data: Arrow.Data, first: number): void {
  const start = data.valueOffsets[0]
  const end = column.offsets[first]
  column.data.set(data.values.subarray(start, data.valueOffsets[data.length]), end)
  for (let i = 1; i <= data.length; i++) column.offsets[first + i] = data.valueOffsets[i] - start + end
}

/** UInt32, Int64 and UInt64 into halves. */
function appendInt64(halves: Int32Array, read: ReadField, data: Arrow.Data, first: number): void {
  const { values, length } = data
  if (values instanceof Uint32Array) {
    for (let i = 0; i < length; i++) {
      halves[2 * (first + i)] = values[i]
      halves[2 * (first + i) + 1] = 0
    }
    return
  }
  const from = new Int32Array(values.buffer, values.byteOffset, 2 * length)
  if (values instanceof BigUint64Array) {
    for (let i = 0; i < length; i++) {
      if (from[2 * i + 1] >= 0) continue
      throw new ConnectError(
        'D005_OUT_OF_RANGE',
        `column ${read.field.name}: ${values[i]} is too large for a 64-bit signed integer`,
      )
    }
  }
  halves.set(from, 2 * first)
}

const bit = (bits: Uint8Array, i: number): 0 | 1 => ((bits[i >> 3] >> (i & 7)) & 1) as 0 | 1
