import type { Column, DictionaryColumn, FixedColumn, I64Column, ListColumn, MapColumn, StructColumn, VarColumn } from './column'
import { decimalText, fitsPrecision, parseDecimal, readDecimal, writeDecimal } from './decimal'
import { ConnectError } from './errors'
import { TICKS_PER_MS, typeName } from './schema'

/**
 * One cell as a JavaScript value, of any column: the general, slow access (tests, files, dead letters, fallbacks). Kernels read
 * the columns themselves.
 *
 * | type | value | `appendValue` also takes |
 * |---|---|---|
 * | bool | boolean | |
 * | i32, f32, f64 | number | bigint |
 * | i64 | number up to 2^53 - 1, bigint beyond | |
 * | timestamp, time, date | number or bigint in the column's unit (days for date) | Date for timestamps |
 * | utf8, dictionary, json (its text) | string | |
 * | bytes, fixed | Buffer, a view that must not be written to | Uint8Array |
 * | uuid | string, lower case with dashes | any case, 16 bytes |
 * | decimal | string with exactly `scale` digits | number, bigint |
 * | list | array | |
 * | map | Map, keys in their order (plain objects move keys such as `1` to the front) | plain object |
 * | struct | plain object | Map; missing keys are null, unknown ones an error |
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Value[]
  | ReadonlyMap<string, Value>
  | { readonly [name: string]: Value }

export function valueAt(column: Column, row: number): Value {
  if (column.nulls?.[row]) return null
  switch (column.layout) {
    case 'bool':
      return column.values[row] === 1
    case 'i32':
    case 'f32':
    case 'f64':
      return column.values[row]
    case 'i64':
      return int64At(column, row)
    case 'var':
      return column.type.kind === 'bytes' ? column.bytes(row) : column.string(row)
    case 'fixed':
      return fixedAt(column, row)
    case 'dictionary':
      return column.dictionary[column.ids[row]]
    case 'list':
      return rangeOf(column.offsets, row, p => valueAt(column.child, p))
    case 'map':
      return new Map(rangeOf(column.offsets, row, p => [column.keys.string(p), valueAt(column.child, p)]))
    case 'struct': {
      const { type, children } = column
      const fields = type.kind === 'struct' ? type.fields : []
      // fromEntries defines own properties, so a field called __proto__ is a field
      return Object.fromEntries(fields.map((f, k) => [f.name, valueAt(children[k], row)]))
    }
  }
}

/** A number where it is exact (|v| <= 2^53 - 1), else a bigint. */
export function int64At(column: I64Column, row: number): number | bigint {
  const value = column.number(row)
  return Number.isSafeInteger(value) ? value : column.bigint(row)
}

const rangeOf = <T>(offsets: Int32Array, row: number, get: (position: number) => T): T[] =>
  Array.from({ length: offsets[row + 1] - offsets[row] }, (_, i) => get(offsets[row] + i))

function fixedAt(column: FixedColumn, row: number): Value {
  if (column.type.kind === 'decimal') return decimalText(readDecimal(column.data, row * 16), column.type.scale)
  return column.type.kind === 'uuid' ? uuidText(column.bytes(row)) : column.bytes(row)
}

const uuidText = (bytes: Buffer): string => bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** 16 bytes of a UUID as it is written (with dashes, any case), or null. */
export const parseUuid = (text: string): Buffer | null => (UUID.test(text) ? Buffer.from(text.replaceAll('-', ''), 'hex') : null)

/**
 * Appends one row. Throws D005_OUT_OF_RANGE, D006_WRONG_TYPE or D008_NULL and then leaves the column as it was (its spare
 * capacity aside). Null and undefined are null.
 */
export function appendValue(column: Column, value: unknown): void {
  if (value === null || value === undefined) {
    if (!column.nullable) throw new ConnectError('D008_NULL', `null in a column of type ${typeName(column.type)}`)
    appendEmpty(column)
    return
  }
  const before = column.length
  try {
    append(column, value)
  } catch (error) {
    truncateColumn(column, before)
    throw error
  }
  if (column.nulls) column.nulls[before] = 0
  column.length = before + 1
}

/** Appends a null row, or the kind's zero (0, false, empty, the first symbol) where the column is not nullable. */
export function appendEmpty(column: Column): void {
  const row = column.length
  column.reserve(1)
  if (column.nulls) column.nulls[row] = 1
  switch (column.layout) {
    case 'bool':
    case 'i32':
    case 'f32':
    case 'f64':
      column.values[row] = 0
      break
    case 'i64':
      column.setNumber(row, 0)
      break
    case 'var':
    case 'list':
    case 'map':
      column.offsets[row + 1] = column.offsets[row]
      break
    case 'fixed':
      column.data.fill(0, row * column.width, (row + 1) * column.width)
      break
    case 'dictionary':
      // an id must point into the dictionary even where the row is null, because Arrow readers check that
      column.ids[row] = column.dictionary.length > 0 ? 0 : column.idOf('')
      break
    case 'struct':
      for (const child of column.children) appendEmpty(child)
      break
  }
  column.length = row + 1
}

/** Forgets the rows from `length` on, in children too. */
export function truncateColumn(column: Column, length: number): void {
  column.length = length
  if (column.layout === 'struct') for (const child of column.children) truncateColumn(child, length)
  if (column.layout === 'list' || column.layout === 'map') truncateColumn(column.child, column.offsets[length])
  if (column.layout === 'map') truncateColumn(column.keys, column.offsets[length])
}

/** Writes a value that is not null at row `length`; the caller counts it. */
function append(column: Column, value: unknown): void {
  const row = column.length
  column.reserve(1)
  switch (column.layout) {
    case 'bool':
      if (typeof value !== 'boolean') throw wrongType(column, value)
      column.values[row] = value ? 1 : 0
      return
    case 'i32':
      column.values[row] = integer(column, value, -2147483648, 2147483647)
      return
    case 'i64':
      appendInt64(column, row, value)
      return
    case 'f32':
    case 'f64': {
      const number = double(column, value)
      if (column.layout === 'f32' && Number.isFinite(number) && !Number.isFinite(Math.fround(number))) {
        throw outOfRange(column, value)
      }
      column.values[row] = number
      return
    }
    case 'var':
      appendVar(column, row, value)
      return
    case 'fixed':
      appendFixed(column, row, value)
      return
    case 'dictionary':
      appendSymbol(column, row, value)
      return
    case 'list':
      appendList(column, row, value)
      return
    case 'map':
      appendMap(column, row, value)
      return
    case 'struct':
      appendStruct(column, value)
      return
  }
}

function double(column: Column, value: unknown): number {
  if (typeof value === 'number') return value
  if (typeof value !== 'bigint') throw wrongType(column, value)
  const number = Number(value)
  if (BigInt(number) !== value) throw outOfRange(column, value)
  return number
}

function integer(column: Column, value: unknown, min: number, max: number): number {
  const number = typeof value === 'bigint' ? Number(value) : value
  if (typeof number !== 'number') throw wrongType(column, value)
  if (!Number.isInteger(number) || number < min || number > max) throw outOfRange(column, value)
  if (column.type.kind === 'time' && (number < 0 || number >= DAY_MS)) throw outOfRange(column, value)
  return number
}

const DAY_MS = 86_400_000
const INT64_MAX = 2n ** 63n - 1n

function appendInt64(column: I64Column, row: number, value: unknown): void {
  const { type } = column
  const ticks = value instanceof Date ? dateTicks(column, value) : value
  if (type.kind === 'time' && (Number(ticks) < 0 || Number(ticks) >= DAY_MS * 1000)) throw outOfRange(column, value)
  if (typeof ticks === 'number') {
    // an integer-valued double beyond 2^53 has usually lost digits on its way here: only a bigint says that it has not
    if (!Number.isSafeInteger(ticks)) throw outOfRange(column, value)
    column.setNumber(row, ticks)
  } else if (typeof ticks === 'bigint') {
    if (ticks > INT64_MAX || ticks < -INT64_MAX - 1n) throw outOfRange(column, value)
    column.setBigint(row, ticks)
  } else throw wrongType(column, value)
}

function dateTicks(column: I64Column, value: Date): bigint {
  const { type } = column
  if (type.kind !== 'timestamp' || Number.isNaN(value.getTime())) throw wrongType(column, value)
  if (type.unit === 's') return BigInt(Math.floor(value.getTime() / 1000))
  return BigInt(value.getTime()) * BigInt(TICKS_PER_MS[type.unit])
}

function appendVar(column: VarColumn, row: number, value: unknown): void {
  if (column.type.kind === 'bytes' ? !(value instanceof Uint8Array) : typeof value !== 'string') throw wrongType(column, value)
  if (typeof value === 'string') {
    const size = Buffer.byteLength(value)
    // as many bytes as characters: ASCII, the rule, and nothing to look for
    if (size !== value.length && LONE_SURROGATE.test(value)) {
      throw new ConnectError('D006_WRONG_TYPE', `${show(value)} is not a Unicode text`)
    }
    column.reserve(1, size)
    column.data.write(value, column.offsets[row], size, 'utf8')
    column.offsets[row + 1] = column.offsets[row] + size
  } else if (value instanceof Uint8Array) {
    column.reserve(1, value.length)
    column.data.set(value, column.offsets[row])
    column.offsets[row + 1] = column.offsets[row] + value.length
  }
}

// UTF-8 has no form for half a surrogate pair; Buffer would write U+FFFD instead without a word
const LONE_SURROGATE = /\p{Surrogate}/u

function appendFixed(column: FixedColumn, row: number, value: unknown): void {
  const { type, width } = column
  if (type.kind === 'decimal') {
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') throw wrongType(column, value)
    const unscaled = parseDecimal(String(value), type.scale)
    if (unscaled === null) throw wrongType(column, value)
    if (unscaled === 'inexact' || !fitsPrecision(unscaled, type.precision)) throw outOfRange(column, value)
    writeDecimal(column.data, row * width, unscaled)
    return
  }
  const bytes = type.kind === 'uuid' && typeof value === 'string' ? parseUuid(value) : value
  if (!(bytes instanceof Uint8Array)) throw wrongType(column, value)
  if (bytes.length !== width) throw outOfRange(column, value)
  column.data.set(bytes, row * width)
}

function appendSymbol(column: DictionaryColumn, row: number, value: unknown): void {
  if (typeof value !== 'string') throw wrongType(column, value)
  if (LONE_SURROGATE.test(value)) throw new ConnectError('D006_WRONG_TYPE', `${show(value)} is not a Unicode text`)
  const id = column.idOf(value)
  if (id < 0) throw outOfRange(column, value)
  column.ids[row] = id
}

function appendList(column: ListColumn, row: number, value: unknown): void {
  if (!Array.isArray(value)) throw wrongType(column, value)
  for (const item of value) appendValue(column.child, item)
  column.offsets[row + 1] = column.child.length
}

function appendMap(column: MapColumn, row: number, value: unknown): void {
  const entries = entriesOf(value)
  if (entries === null) throw wrongType(column, value)
  for (const [key, item] of entries) {
    appendValue(column.keys, key)
    appendValue(column.child, item)
  }
  column.offsets[row + 1] = column.child.length
}

function appendStruct(column: StructColumn, value: unknown): void {
  const { type, children } = column
  const entries = entriesOf(value)
  if (entries === null || type.kind !== 'struct') throw wrongType(column, value)
  const given = new Map(entries)
  for (const name of given.keys()) {
    if (!type.fields.some(f => f.name === name))
      throw new ConnectError('D006_WRONG_TYPE', `${typeName(type)} has no field ${show(name)}`)
  }
  type.fields.forEach((f, k) => {
    appendValue(children[k], given.get(f.name))
  })
}

function entriesOf(value: unknown): readonly (readonly [unknown, unknown])[] | null {
  if (value instanceof Map) return [...value]
  const plain = typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  return plain && !(value instanceof Date) ? Object.entries(value) : null
}

const wrongType = (column: Column, value: unknown): ConnectError =>
  new ConnectError('D006_WRONG_TYPE', `${show(value)} (${jsType(value)}) is no ${typeName(column.type)}`)

const outOfRange = (column: Column, value: unknown): ConnectError =>
  new ConnectError('D005_OUT_OF_RANGE', `${show(value)} does not fit ${typeName(column.type)}`)

const jsType = (value: unknown): string => {
  if (Array.isArray(value)) return 'array'
  if (value instanceof Uint8Array) return 'bytes'
  return value instanceof Map ? 'map' : typeof value
}

/** A value as it may stand in a message: short, and never the inside of a container. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid date' : value.toISOString()
  return typeof value === 'object' ? 'a value' : String(value)
}
