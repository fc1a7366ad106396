import type { RawRecord } from '../../runtime/batch'
import { type Column, createColumn } from '../../runtime/column'
import { asConnectError, ConnectError } from '../../runtime/errors'
import type { TopicPartition } from '../../runtime/origin'
import type { Chunk } from '../../runtime/plugin'
import { fieldIndex, type Schema, TICKS_PER_MS } from '../../runtime/schema'
import { appendEmpty, appendValue } from '../../runtime/value'
import { appendMoment, type CellReader, cellReader, parseCell, quoted, type TextRules, utf8Text } from './cells'
import type { CsvFields } from './csv'
import type { Cursor } from './cursor'
import type { FileOptions } from './options'
import type { Page } from './pages'
import { type FileShape, fieldsOf, fileNames } from './shape'

export interface RowsOptions {
  readonly schema: Schema
  /** How many of the schema's fields stand in the files; the others are added. */
  readonly own: number
  readonly rules: TextRules
  readonly options: FileOptions
  readonly partition: TopicPartition
}

/** Makes chunks of rows out of records. Every record becomes a row; one that cannot be read is also rejected, with the reason. */
export class RowBuilder {
  readonly #o: RowsOptions
  readonly #readers: readonly CellReader[]
  readonly #plans = new Map<FileShape, Plan>()
  readonly #time: number
  #columns: readonly Column[] = []
  #places: { readonly page: Page; readonly at: number; readonly shape: FileShape }[] = []
  #rejected: { row: number; error: ConnectError }[] = []
  bytes = 0

  constructor(options: RowsOptions) {
    this.#o = options
    this.#readers = options.schema.fields.map(f => cellReader(f.type, options.rules))
    this.#time = options.options.time === undefined ? -1 : fieldIndex(options.schema, options.options.time)
    this.#reset()
  }

  get rows(): number {
    return this.#places.length
  }

  /** Adds the record a cursor stands at. */
  add(cursor: Cursor): void {
    const { page, at, shape } = cursor
    if (!page) return
    const row = this.#places.length
    const size = page.end[at] - page.start[at]
    this.#places.push({ page, at, shape })
    this.bytes += size
    const error = page.tooLong[at] ? tooLong(this.#o.options.max_record) : this.#read(page, at, shape)
    for (const column of this.#columns) if (column.length === row) appendEmpty(column)
    if (error) this.#rejected.push({ row, error })
  }

  /** What was added, as the records from offset `from` on. */
  take(from: number): Chunk {
    const { schema, partition } = this.#o
    const count = this.#places.length
    const places = this.#places
    const columns = this.#columns
    const offset = Float64Array.from({ length: count }, (_, i) => from + i)
    const timestamp = this.#timestamps(count)
    const raw = (row: number): RawRecord => rawOf(places[row], { ...partition, offset: offset[row], timestamp: timestamp[row] })
    const rejected = this.#rejected
    const bytes = this.bytes * 2 + count * 64
    this.#reset()
    return {
      ...partition,
      from,
      next: from + count,
      bytes,
      block: { kind: 'columns', ...partition, count, schema, columns, offset, timestamp, rejected, raw },
    }
  }

  #reset(): void {
    this.#columns = this.#o.schema.fields.map(f => createColumn(f))
    this.#places = []
    this.#rejected = []
    this.bytes = 0
  }

  #read(page: Page, at: number, shape: FileShape): ConnectError | null {
    const plan = this.#planOf(shape)
    let error: ConnectError | null = null
    try {
      if (shape.format === 'csv') this.#readCsv(page, at, plan)
      else this.#readJson(utf8Text(page.buffer, page.start[at], page.end[at]))
    } catch (thrown) {
      error = asConnectError(thrown, { stage: 'read', plugin: 'file' })
    }
    for (const { field, text } of plan.added) {
      appendValue(this.#columns[field], text ?? page.line[at])
    }
    return error
  }

  #readCsv(page: Page, at: number, plan: Plan): void {
    const { fields, targets } = plan
    if (!fields.split(page.buffer, page.start[at], page.end[at]))
      throw new ConnectError('D001_MALFORMED', 'a quote is not closed, or followed by text')
    if (fields.count !== targets.length) {
      throw new ConnectError('D001_MALFORMED', `the record has ${fields.count} fields, the header ${targets.length}`)
    }
    for (let i = 0; i < targets.length; i++) {
      const target = targets[i]
      if (target < 0) continue
      const column = this.#columns[target]
      if (!fields.quoted[i] && this.#isNull(fields, i)) this.#appendNull(column, target, fields.end[i] === fields.start[i])
      else this.#cell(target, () => this.#readers[target](column, fields.buffer[i], fields.start[i], fields.end[i]))
    }
    for (const target of plan.absent) appendEmpty(this.#columns[target])
  }

  #isNull(fields: CsvFields, i: number): boolean {
    const nulls = this.#o.options.csv.null_values
    if (fields.end[i] === fields.start[i]) return nulls.includes('')
    return (nulls.length > 1 || nulls[0] !== '') && nulls.includes(fields.text(i))
  }

  #appendNull(column: Column, target: number, isEmpty: boolean): void {
    if (column.nullable || (isEmpty && column.type.kind === 'utf8')) appendEmpty(column)
    else throw missing(this.#o.schema.fields[target].name)
  }

  #readJson(text: string): void {
    const { schema, own, options, rules } = this.#o
    let object: unknown
    try {
      object = JSON.parse(text)
    } catch (cause) {
      throw new ConnectError('D001_MALFORMED', `not JSON: ${(cause as Error).message}`, { cause })
    }
    if (typeof object !== 'object' || object === null || Array.isArray(object))
      throw new ConnectError('D001_MALFORMED', 'not a JSON object')
    const given = new Map<string, unknown>(Object.entries(object))
    if (options.unknown_fields === 'reject') {
      const known = schema.fields.slice(0, own)
      for (const name of given.keys()) {
        if (!known.some(f => f.name === name))
          throw new ConnectError('D013_UNKNOWN_FIELD', `the schema has no field ${quoted(name)}`)
      }
    }
    for (let i = 0; i < own; i++) {
      const { name, type } = schema.fields[i]
      const value = given.get(name) ?? null
      const column = this.#columns[i]
      if (value === null) {
        if (!column.nullable) throw missing(name)
        appendEmpty(column)
      } else
        this.#cell(i, () => {
          if (type.kind === 'json') appendValue(column, JSON.stringify(value))
          else if (type.kind === 'timestamp' && column.layout === 'i64') appendMoment(column, momentText(value), type, rules)
          else if (typeof value === 'string' && NEEDS_PARSING.has(type.kind)) appendValue(column, parseCell(value, type))
          else appendValue(column, value)
        })
    }
  }

  #cell(target: number, append: () => void): void {
    try {
      append()
    } catch (thrown) {
      const { code, message, hint } = asConnectError(thrown)
      throw new ConnectError(code, `${this.#o.schema.fields[target].name}: ${message}`, { hint, stage: 'read', plugin: 'file' })
    }
  }

  /** Milliseconds of the event time column; -1 where there is none. */
  #timestamps(count: number): Float64Array {
    const out = new Float64Array(count).fill(-1)
    const column = this.#columns[this.#time]
    if (column?.layout !== 'i64' || column.type.kind !== 'timestamp') return out
    const perMs = TICKS_PER_MS[column.type.unit]
    for (let i = 0; i < count; i++) if (!column.nulls?.[i]) out[i] = Math.floor(column.number(i) / perMs)
    for (const { row } of this.#rejected) out[row] = -1
    return out
  }

  #planOf(shape: FileShape): Plan {
    const known = this.#plans.get(shape)
    if (known) return known
    const { schema, own, options } = this.#o
    const names = fileNames(shape.file)
    const targets = shape.header.map(name => schema.fields.findIndex((f, i) => i < own && f.name === name))
    const plan: Plan = {
      fields: fieldsOf(shape),
      targets,
      absent: schema.fields.flatMap((_, i) => (i < own && !targets.includes(i) ? [i] : [])),
      added: Object.values(options.columns).map((what, i) => ({
        field: own + i,
        text: what === 'line_number' ? null : names[what],
      })),
    }
    this.#plans.set(shape, plan)
    return plan
  }
}

/** How the records of one file become rows. */
interface Plan {
  readonly fields: CsvFields
  /** Field of the schema for each CSV column; -1: left out. */
  readonly targets: readonly number[]
  /** Fields of the schema that this file has not. */
  readonly absent: readonly number[]
  readonly added: readonly { readonly field: number; readonly text: string | null }[]
}

/** JSON has no form of its own for these, so they stand in strings; for 64-bit integers a string keeps all digits. */
const NEEDS_PARSING: ReadonlySet<string> = new Set(['date', 'time', 'i64'])

const momentText = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : quoted(JSON.stringify(value))

const missing = (name: string): ConnectError =>
  new ConnectError('D004_MISSING_FIELD', `${name} has no value`, {
    stage: 'read',
    plugin: 'file',
    hint: 'give it one, or allow null with a trailing ? in schema:',
  })

const tooLong = (limit: number): ConnectError =>
  new ConnectError('D011_TOO_LARGE', `the record is longer than ${limit} bytes`, {
    stage: 'read',
    plugin: 'file',
    hint: 'raise max_record, or look for a quote that is not closed',
  })

/** The record as it stood in its file; where it stood goes into the headers. */
function rawOf(
  place: { readonly page: Page; readonly at: number; readonly shape: FileShape },
  at: Omit<RawRecord, 'key' | 'value' | 'headers'>,
): RawRecord {
  const { page, at: i, shape } = place
  return {
    ...at,
    key: null,
    value: page.buffer.subarray(page.start[i], page.end[i]),
    headers: [
      ['file', Buffer.from(shape.file.path)],
      ['line', Buffer.from(String(page.line[i]))],
    ],
  }
}
