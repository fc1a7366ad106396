import type { Batch } from '../../runtime/batch'
import { type Column, DictionaryColumn, I32Column, I64Column } from '../../runtime/column'
import type { Memory } from '../../runtime/memory'
import { type Field, field } from '../../runtime/schema'
import { stripes } from '../../runtime/stripes'

/**
 * Columns the sink adds to every row: where it came from (`_source` is "<flow>/<topic>", so that several flows and topics can feed
 * one table) and how far behind the largest event time of its partition it was. A re-sent batch is looked up by the first three.
 */
export const SOURCE = '_source'
export const PARTITION = '_partition'
export const OFFSET = '_offset'
export const BEHIND = '_behind'

export const PROVENANCE: readonly Field[] = [field(SOURCE, 'dictionary'), field(PARTITION, 'i32'), field(OFFSET, 'i64')]

export const provenanceFields = (hasTime: boolean): readonly Field[] =>
  hasTime ? [...PROVENANCE, field(BEHIND, 'i64')] : PROVENANCE

export const sourceName = (flow: string, topic: string): string => `${flow}/${topic}`

/** The provenance columns of a dense batch, in the order of `provenanceFields`. */
export function provenanceColumns(
  batch: Batch,
  flow: string,
  hasTime: boolean,
  behind: Float64Array | null,
  memory: Memory,
): readonly Column[] {
  const { length, origin, rows } = batch
  const source = new DictionaryColumn({ kind: 'dictionary' }, false, [], memory)
  const partition = new I32Column({ kind: 'i32' }, false, memory)
  const offset = new I64Column({ kind: 'i64' }, false, memory)
  const columns = [source, partition, offset]
  for (const column of columns) column.reserve(length)
  const ids = Int32Array.from(origin.ranges, r => source.idOf(sourceName(flow, r.topic)))
  const partitions = Int32Array.from(origin.ranges, r => r.partition)
  // locals: this runs for every row of every batch
  const { range, offset: offsets } = rows
  const sourceIds = source.ids
  const partitionValues = partition.values
  stripes(length, (from, to) => {
    spread(ids, range, sourceIds, from, to)
    spread(partitions, range, partitionValues, from, to)
    writeIntegers(offset.halves, offsets, from, to)
  })
  for (const column of columns) column.length = length
  return hasTime ? [...columns, behindColumn(length, behind, memory)] : columns
}

function behindColumn(length: number, behind: Float64Array | null, memory: Memory): Column {
  const column = new I64Column({ kind: 'i64' }, false, memory)
  column.reserve(length)
  if (behind) stripes(length, (from, to) => writeIntegers(column.halves, behind, from, to))
  column.length = length
  return column
}

/** What holds for a row's range, for every row. */
function spread(values: Int32Array, range: Int32Array, out: Int32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) out[i] = values[range[i]]
}

/** Integer-valued doubles >= 0 and below 2^53 as 64-bit halves. */
function writeIntegers(halves: Int32Array, values: Float64Array, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const value = values[i]
    halves[2 * i] = value | 0
    halves[2 * i + 1] = value < 4294967296 ? 0 : Math.floor(value / 4294967296)
  }
}
