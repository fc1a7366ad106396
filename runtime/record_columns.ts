import type { RecordBlock } from './batch'
import { type Column, createColumn, DictionaryColumn, I32Column, I64Column, MapColumn, VarColumn } from './column'
import { ConnectError } from './errors'
import type { RawSourceOptions } from './fields'
import { parseHeaders } from './headers'
import type { Memory } from './memory'
import type { Decoder } from './plugin'
import { type DataType, type Field, fieldIndex, type Schema } from './schema'

/** Columns made of what stands around a record's value: its key, timestamp, headers, topic, partition, offset, connection. */

/** Where one extra column comes from: `instance: key`, `site: header.site?`. */
export interface ExtraColumn {
  readonly field: Field
  readonly source: 'key' | 'timestamp' | 'topic' | 'partition' | 'offset' | 'connection' | 'header' | 'headers'
  /** Field of a structured key, or name of a header. */
  readonly detail: string | null
}

const DERIVED: Readonly<Record<Exclude<ExtraColumn['source'], 'key'>, DataType>> = {
  timestamp: { kind: 'timestamp', unit: 'ms', zoned: true },
  topic: { kind: 'dictionary' },
  partition: { kind: 'i32' },
  offset: { kind: 'i64' },
  connection: { kind: 'dictionary' },
  header: { kind: 'utf8' },
  headers: { kind: 'map', value: { name: 'value', type: { kind: 'bytes' }, nullable: true } },
}

/** Null if no column asks for the key. */
export const needsKey = (options: RawSourceOptions): boolean => Object.values(options.columns).some(c => /^key(\.|\?|$)/.test(c))

export function extraColumns(options: RawSourceOptions, keySchema: Schema | null): ExtraColumn[] {
  return Object.entries(options.columns).map(([name, text]) => {
    const nullable = text.endsWith('?')
    const body = nullable ? text.slice(0, -1) : text
    const dot = body.indexOf('.')
    const source = (dot < 0 ? body : body.slice(0, dot)) as ExtraColumn['source']
    const detail = dot < 0 ? null : body.slice(dot + 1)
    if (source !== 'key') return { field: { name, type: DERIVED[source], nullable }, source, detail }
    const from = keyField(keySchema, detail)
    return { field: { name, type: from.type, nullable: nullable || from.nullable }, source, detail }
  })
}

function keyField(schema: Schema | null, detail: string | null): Field {
  const fields = schema?.fields ?? []
  if (detail === null && fields.length === 1) return fields[0]
  const found = fields.find(f => f.name === detail)
  if (found) return found
  throw new ConnectError(
    'C015_UNKNOWN_COLUMN',
    `the key has the fields ${fields.map(f => f.name).join(', ')}; name one: key.<field>`,
  )
}

export function extraColumn(
  extra: ExtraColumn,
  blocks: readonly RecordBlock[],
  rows: number,
  memory: Memory,
  connection: string,
  keys: Decoder | null,
  keySchema: Schema | null,
  bad: Map<number, ConnectError>,
  skipped: ReadonlySet<number>,
): Column {
  const { field, source, detail } = extra
  const missing = (row: number): void => {
    if (!field.nullable && !skipped.has(row) && !bad.has(row)) {
      bad.set(
        row,
        new ConnectError(
          'D008_NULL',
          `the record has no ${source}${detail ? ` "${detail}"` : ''} for the column "${field.name}"`,
          { stage: 'decode' },
        ),
      )
    }
  }
  if (source === 'key' && keys && keySchema) {
    const column = keys.columns[detail === null ? 0 : fieldIndex(keySchema, detail)]
    let row = 0
    let nulls: Uint8Array | null = null
    for (const block of blocks) {
      for (let i = 0; i < block.count; i++, row++) {
        if (block.keyStart[i] >= 0) continue
        if (field.nullable) {
          nulls ??= column.nulls ?? new Uint8Array(rows)
          nulls[row] = 1
        } else missing(row)
      }
    }
    return field.nullable && !column.nullable ? asNullable(column, field, nulls ?? new Uint8Array(rows)) : column
  }
  const column = createColumn(field, rows, memory)
  let row = 0
  for (const block of blocks) {
    for (let i = 0; i < block.count; i++, row++) fill(column, extra, block, i, connection, row, missing)
  }
  column.length = rows
  return column
}

function fill(
  column: Column,
  { source, detail }: ExtraColumn,
  block: RecordBlock,
  i: number,
  connection: string,
  row: number,
  missing: (row: number) => void,
): void {
  if (column instanceof I64Column) {
    const value = source === 'offset' ? block.offset[i] : block.timestamp[i]
    if (source === 'timestamp' && value < 0) {
      if (column.nulls) column.nulls[row] = 1
      missing(row)
    } else column.setNumber(row, value)
  } else if (column instanceof I32Column) column.values[row] = block.partition
  else if (column instanceof DictionaryColumn) column.ids[row] = column.idOf(source === 'topic' ? block.topic : connection)
  else if (column instanceof VarColumn) {
    // the last header of a name counts, as in Kafka's Headers.lastHeader
    const value =
      parseHeaders(block.buffer, block.headersStart[i], block.headersEnd[i])
        .filter(h => h[0] === detail)
        .at(-1)?.[1] ?? null
    column.length = row
    column.reserve(1, value?.length ?? 0)
    if (value) value.copy(column.data, column.offsets[row])
    else {
      if (column.nulls) column.nulls[row] = 1
      missing(row)
    }
    column.offsets[row + 1] = column.offsets[row] + (value?.length ?? 0)
  } else if (column instanceof MapColumn && column.child instanceof VarColumn) {
    const headers = parseHeaders(block.buffer, block.headersStart[i], block.headersEnd[i])
    column.length = row
    column.reserve(1)
    for (const [name, value] of headers) {
      appendBytes(column.keys, Buffer.from(name))
      appendBytes(column.child, value)
    }
    column.offsets[row + 1] = column.keys.length
  }
}

function appendBytes(column: VarColumn, value: Buffer | null): void {
  const row = column.length
  column.reserve(1, value?.length ?? 0)
  if (value) value.copy(column.data, column.offsets[row])
  else if (column.nulls) column.nulls[row] = 1
  column.offsets[row + 1] = column.offsets[row] + (value?.length ?? 0)
  column.length = row + 1
}

/** The same values under a nullable field. */
function asNullable(column: Column, field: Field, nulls: Uint8Array): Column {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(column)), column, { type: field.type, nullable: true, nulls })
  return copy as Column
}
