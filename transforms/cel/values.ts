import type { Column } from '../../runtime/column'
import { type DataType, TICKS_PER_MS } from '../../runtime/schema'
import { int64At, type Value, valueAt } from '../../runtime/value'
import { DURATION, Duration, TIMESTAMP } from './library'
import { type CelValue, RowFailure } from './node'

const NS_PER_MS = 1_000_000n
const NS_PER_DAY = 86_400_000n * NS_PER_MS

/** Nanoseconds in one tick of a timestamp, time or date column. */
export function tickNanos(type: DataType): bigint {
  if (type.kind === 'timestamp' || type.kind === 'time') return BigInt(Math.round(1_000_000 / TICKS_PER_MS[type.unit]))
  return NS_PER_DAY
}

/** Decimals up to this precision have one double each, so comparing as doubles is exact (IEEE 754: 15 decimal digits survive). */
export const DOUBLE_DIGITS = 15

/** What a column is in CEL. Larger decimals are their text, because a double would lose digits without a word. */
export function celType(type: DataType): string {
  switch (type.kind) {
    case 'bool':
      return 'bool'
    case 'i32':
    case 'i64':
      return 'int'
    case 'f32':
    case 'f64':
      return 'double'
    case 'decimal':
      return type.precision <= DOUBLE_DIGITS ? 'double' : 'string'
    case 'utf8':
    case 'json':
    case 'uuid':
    case 'dictionary':
      return 'string'
    case 'bytes':
    case 'fixed':
      return 'bytes'
    case 'date':
    case 'timestamp':
      return TIMESTAMP
    case 'time':
      return DURATION
    case 'list':
      return `list<${celType(type.item.type)}>`
    case 'map':
      return `map<string, ${celType(type.value.type)}>`
    case 'struct':
      return 'map<string, dyn>'
  }
}

/** Reads a cell of a column of this type as the evaluator wants it. */
export function cellReader(type: DataType): (column: Column, row: number) => CelValue {
  switch (celType(type)) {
    case 'int':
      return (column, row) => (column.nulls?.[row] ? null : BigInt(integerAt(column, row)))
    case TIMESTAMP:
    case DURATION: {
      const nanos = tickNanos(type)
      return (column, row) => (column.nulls?.[row] ? null : BigInt(integerAt(column, row)) * nanos)
    }
    default:
      if (type.kind === 'decimal' && type.precision <= DOUBLE_DIGITS) {
        return (column, row) => (column.nulls?.[row] ? null : Number(valueAt(column, row)))
      }
      if (type.kind === 'list' || type.kind === 'map' || type.kind === 'struct') {
        return (column, row) => toLibrary(valueAt(column, row), type)
      }
      return (column, row) => valueAt(column, row)
  }
}

const integerAt = (column: Column, row: number): number | bigint => {
  if (column.layout === 'i64') return int64At(column, row)
  return column.layout === 'i32' ? column.values[row] : 0
}

/** A cell inside a list, map or struct as the library wants it: ints are bigints, timestamps Dates, maps keep their order. */
function toLibrary(value: Value, type: DataType): CelValue {
  if (value === null) return null
  switch (type.kind) {
    case 'list':
      return (value as readonly Value[]).map(item => toLibrary(item, type.item.type))
    case 'map':
      return new Map([...(value as ReadonlyMap<string, Value>)].map(([k, v]) => [k, toLibrary(v, type.value.type)]))
    case 'struct': {
      const fields = value as { readonly [name: string]: Value }
      return new Map(type.fields.map(f => [f.name, toLibrary(fields[f.name], f.type)]))
    }
    case 'decimal':
      return type.precision <= DOUBLE_DIGITS ? Number(value) : (value as string)
    case 'i32':
    case 'i64':
      return BigInt(value as number | bigint)
    case 'timestamp':
    case 'date':
      return toArgument(BigInt(value as number | bigint) * tickNanos(type), TIMESTAMP)
    case 'time':
      return toArgument(BigInt(value as number | bigint) * tickNanos(type), DURATION)
    default:
      return value as CelValue
  }
}

const floorDiv = (a: bigint, b: bigint): bigint => a / b - (a % b < 0n ? 1n : 0n)

/** Our value as an argument of a library function. The library's timestamps are Dates: whole milliseconds, rounded down. */
export function toArgument(value: CelValue, type: string): CelValue {
  if (typeof value === 'bigint' && type === TIMESTAMP) return new Date(Number(floorDiv(value, NS_PER_MS)))
  if (typeof value === 'bigint' && type === DURATION) {
    return new Duration(value / 1_000_000_000n, Number(value % 1_000_000_000n))
  }
  return value
}

const INT64_MAX = 2n ** 63n - 1n

export function checkedInt(value: bigint): bigint {
  if (value > INT64_MAX || value < -INT64_MAX - 1n) throw new RowFailure('the result does not fit 64 bits')
  return value
}

/** A library function's result as our value. */
export function fromResult(value: unknown, type: string): CelValue {
  if (value === undefined || value === null) return null
  if (type === TIMESTAMP && value instanceof Date) return BigInt(value.getTime()) * NS_PER_MS
  if (type === DURATION && value instanceof Duration) return value.seconds * 1_000_000_000n + BigInt(value.nanos)
  if (typeof value === 'bigint') return checkedInt(value)
  return value as CelValue
}

/** Ticks of a computed timestamp in a column's unit; an error where the unit is too coarse to hold it. */
export function ticksOf(nanos: bigint, type: DataType): bigint {
  const per = tickNanos(type)
  if (nanos % per !== 0n) throw new RowFailure('the time is finer than the unit of the column')
  return checkedInt(nanos / per)
}
