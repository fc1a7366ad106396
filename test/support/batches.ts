import { type Batch, liveRows, type RawRecord } from '../../runtime/batch'
import { createColumn } from '../../runtime/column'
import type { ApplyContext } from '../../runtime/plugin'
import type { Schema } from '../../runtime/schema'
import { parseType } from '../../runtime/type_text'
import { appendValue, type Value, valueAt } from '../../runtime/value'

/** A schema from type texts: `schemaOf({ts: 'timestamp(ms)', cpu: 'f64?'})`. */
export const schemaOf = (columns: Readonly<Record<string, string>>): Schema => ({
  fields: Object.entries(columns).map(([name, text]) => {
    const parsed = parseType(text)
    if (!parsed) throw new Error(`${text} is no type`)
    return { name, ...parsed }
  }),
})

export type Row = Readonly<Record<string, unknown>>

export interface BatchOptions {
  readonly topic?: string
  readonly partition?: number
  /** Offset of the first row; the others follow. */
  readonly offset?: number
  /** Milliseconds; row i has `timestamp + i`. */
  readonly timestamp?: number
  readonly selection?: readonly number[]
  readonly lane?: number
}

/** A batch of one partition from plain rows; a missing key is null. The raw value of a row is its JSON. */
export function batchOf(schema: Schema, rows: readonly Row[], options: BatchOptions = {}): Batch {
  const { topic = 'in', partition = 0, offset = 100, timestamp = 1_700_000_000_000, selection, lane = 0 } = options
  const columns = schema.fields.map(f => {
    const column = createColumn(f, rows.length)
    for (const row of rows) appendValue(column, row[f.name])
    return column
  })
  return {
    schema,
    columns,
    length: rows.length,
    selection: selection ? Int32Array.from(selection) : null,
    origin: { lane, ranges: rows.length > 0 ? [{ topic, partition, from: offset, to: offset + rows.length - 1 }] : [] },
    rows: {
      range: new Int32Array(rows.length),
      offset: Float64Array.from(rows, (_, i) => offset + i),
      timestamp: Float64Array.from(rows, (_, i) => timestamp + i),
    },
    rejected: [],
    raw: (row): RawRecord => ({
      topic,
      partition,
      offset: offset + row,
      timestamp: timestamp + row,
      key: null,
      value: Buffer.from(JSON.stringify(rows[row], (_, v) => (typeof v === 'bigint' ? v.toString() : v))),
      headers: [],
    }),
  }
}

/** Physical rows that take part, ascending. */
export const liveIndexes = (batch: Batch): readonly number[] =>
  Array.from({ length: liveRows(batch) }, (_, i) => (batch.selection ? batch.selection[i] : i))

/** The live rows as plain objects. */
export const rowsOf = (batch: Batch): Record<string, Value>[] =>
  liveIndexes(batch).map(row => Object.fromEntries(batch.schema.fields.map((f, k) => [f.name, valueAt(batch.columns[k], row)])))

/** One column of the live rows. */
export const columnOf = (batch: Batch, name: string): Value[] => rowsOf(batch).map(row => row[name])

/** What the engine gives a transform. */
export const applyContext = (plugin = 'test'): ApplyContext => ({
  signal: new AbortController().signal,
  reject: (batch, row, error) => ({ stage: 'transform', plugin, error, record: batch.raw(row) }),
})
