import type { RecordBlock } from '../../runtime/batch'
import type { VarColumn } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import type { Field, Schema } from '../../runtime/schema'

/** Appends every record's bytes to a column unchanged, tombstones as null or empty cells. */
export function appendBytes(column: VarColumn, block: RecordBlock, part: 'key' | 'value'): void {
  const starts = part === 'key' ? block.keyStart : block.valueStart
  const ends = part === 'key' ? block.keyEnd : block.valueEnd
  const { count, buffer } = block
  let total = 0
  for (let i = 0; i < count; i++) total += ends[i] - starts[i]
  column.reserve(count, total)
  const { offsets, data, nulls } = column
  let row = column.length
  let q = offsets[row]
  for (let i = 0; i < count; i++, row++) {
    const start = starts[i]
    if (start >= 0) {
      buffer.copy(data, q, start, ends[i])
      q += ends[i] - start
    }
    if (nulls) nulls[row] = start < 0 ? 1 : 0
    offsets[row + 1] = q
  }
  column.length = row
}

/** The one column that a format of plain values writes: the named one, or the only one. Throws C016_SCHEMA or C015. */
export function singleField(
  schema: Schema,
  name: string | undefined,
  format: string,
): { readonly index: number; readonly field: Field } {
  if (name !== undefined) {
    const index = schema.fields.findIndex(f => f.name === name)
    if (index < 0)
      throw new ConnectError('C015_UNKNOWN_COLUMN', `the format ${format} should write the column "${name}", which is not there`)
    return { index, field: schema.fields[index] }
  }
  if (schema.fields.length === 1) return { index: 0, field: schema.fields[0] }
  throw new ConnectError('C016_SCHEMA', `the format ${format} writes one column, there are ${schema.fields.length}`, {
    hint: `name the column: {format: ${format}, field: NAME}`,
  })
}
