import type { DataType, TimeUnit } from '../runtime/schema'
import type { ChType } from './ch_type'
import { SCALE } from './types'

/**
 * What every value of a column must satisfy before it may be sent, because ClickHouse does not refuse it: integers wrap (300 into
 * UInt8 is 44), dates and times saturate, decimals lose digits. Measured with 26.7, ArrowStream.
 */
export type Limit =
  /** Numbers and ticks, both ends inclusive. */
  | { readonly kind: 'range'; readonly min: number; readonly max: number }
  /** A double that a Float32 column would turn into infinity. */
  | { readonly kind: 'float32' }
  /** Unscaled decimals: |value| < below. */
  | { readonly kind: 'digits'; readonly below: bigint }
  /** Bytes of a string; shorter ones would come back padded with zeros. */
  | { readonly kind: 'width'; readonly bytes: number }
  | { readonly kind: 'symbols'; readonly allowed: ReadonlySet<string> }

/** Null: every value of this type fits. A string: the two do not go together, with the reason. */
export type Verdict = Limit | null | string

const integers: Readonly<Record<string, readonly [min: number, max: number]>> = {
  Int8: [-128, 127],
  UInt8: [0, 255],
  Int16: [-32_768, 32_767],
  UInt16: [0, 65_535],
  Int32: [-2_147_483_648, 2_147_483_647],
  UInt32: [0, 4_294_967_295],
  Int64: [-Infinity, Infinity],
  UInt64: [0, Infinity],
  Int128: [-Infinity, Infinity],
  UInt128: [0, Infinity],
  Int256: [-Infinity, Infinity],
  UInt256: [0, Infinity],
}

/** Largest n so that every integer up to n is exact in the float. */
const exactIn = { Float32: 2 ** 24 - 1, Float64: 2 ** 53 - 1 } as const

const textLike = ['utf8', 'json', 'dictionary']

/** How one of our scalar types goes into a ClickHouse type (without Nullable and LowCardinality around it). */
export function verdict(type: DataType, target: ChType): Verdict {
  const { name } = target
  switch (type.kind) {
    case 'bool':
      return name === 'Bool' || name in integers ? null : 'cast it to a number or make the column Bool'
    case 'i32':
    case 'i64':
    case 'time':
      return integerVerdict(type.kind === 'i64' || (type.kind === 'time' && type.unit === 'us') ? 64 : 32, type, name)
    case 'f32':
      return name === 'Float32' || name === 'Float64' ? null : 'only Float32 and Float64 take floating-point numbers'
    case 'f64':
      if (name === 'Float32') return { kind: 'float32' }
      return name === 'Float64' ? null : 'only Float32 and Float64 take floating-point numbers'
    case 'utf8':
    case 'json':
    case 'dictionary':
    case 'bytes':
    case 'fixed':
      return textVerdict(type, target)
    case 'uuid':
      return name === 'UUID' ? null : 'only UUID takes a uuid; cast it to utf8 for a String column'
    case 'date':
      return dateVerdict(name)
    case 'timestamp':
      return timestampVerdict(type.unit, target)
    case 'decimal':
      return decimalVerdict(type, target)
    case 'list':
    case 'map':
    case 'struct':
      return 'a container needs Array, Map or Tuple'
  }
}

function integerVerdict(bits: 32 | 64, type: DataType, name: string): Verdict {
  const range = integers[name]
  if (range) {
    const own = integers[bits === 64 ? 'Int64' : 'Int32']
    const min = Math.max(range[0], own[0])
    const max = Math.min(range[1], own[1])
    return min === own[0] && max === own[1] ? null : { kind: 'range', min, max }
  }
  if ((name === 'Float64' || name === 'Float32') && type.kind !== 'time') {
    const exact = exactIn[name]
    return bits === 32 && name === 'Float64' ? null : { kind: 'range', min: -exact, max: exact }
  }
  if (/^DateTime|^Date|^Time/.test(name)) {
    return 'ClickHouse would take the number as seconds or days; cast it to timestamp(...) or date first'
  }
  return 'cast the number first'
}

function textVerdict(type: DataType, target: ChType): Verdict {
  const { name, args } = target
  if (name === 'String') return null
  if (name === 'FixedString' && args[0]?.kind === 'number') {
    const width = args[0].value
    if (type.kind === 'fixed') return type.size === width ? null : `fixed(${type.size}) has another length`
    return type.kind === 'dictionary' ? 'make the column String or LowCardinality(String)' : { kind: 'width', bytes: width }
  }
  if (name === 'Enum8' || name === 'Enum16' || name === 'Enum') {
    if (!textLike.includes(type.kind) || type.kind === 'json') return 'only strings go into an Enum'
    const allowed = new Set(args.flatMap(a => (a.kind === 'text' ? [a.text] : [])))
    return type.kind === 'dictionary' && type.symbols?.every(s => allowed.has(s)) ? null : { kind: 'symbols', allowed }
  }
  if (name === 'JSON' && type.kind === 'json') return null
  if (type.kind === 'utf8' && ['UUID', 'IPv4', 'IPv6'].includes(name)) return null // checked by the server, row by row
  if (/^(U?Int|Float|Decimal|Date|DateTime|Bool)/.test(name))
    return 'cast it first, so that a value that is none is seen row by row'
  return 'make the column String, or cast it first'
}

/** Days from 1970-01-01 to the first and last day of each type. */
const days: Readonly<Record<string, readonly [number, number]>> = {
  Date: [0, 65_535], // 2149-06-06
  Date32: [-25_567, 120_529], // 1900-01-01, 2299-12-31
}

function dateVerdict(name: string): Verdict {
  const range = days[name]
  return range ? { kind: 'range', min: range[0], max: range[1] } : 'make the column Date or Date32, or cast the date'
}

/** Seconds since 1970 of 1900-01-01T00:00:00 and 2299-12-31T23:59:59 (DateTime64), and of the last second of DateTime. */
const FIRST = -2_208_988_800
const LAST = 10_413_791_999
const LAST_DATETIME = 4_294_967_295
const LAST_NANOSECONDS = 9_223_372_036 // 2262-04-11, the end of 64-bit nanoseconds

function timestampVerdict(unit: TimeUnit, target: ChType): Verdict {
  const digits = SCALE[unit]
  const perSecond = 10 ** digits
  const lossy = (has: number): string =>
    `it keeps ${has} digits of a second, timestamp(${unit}) has ${digits}; cast it to a coarser timestamp first`
  if (target.name === 'DateTime') {
    return digits === 0 ? { kind: 'range', min: 0, max: LAST_DATETIME } : lossy(0)
  }
  const scale = target.args[0]
  if (target.name !== 'DateTime64' || scale?.kind !== 'number') return 'make the column DateTime64, or cast the timestamp'
  if (scale.value < digits) return lossy(scale.value)
  const last = scale.value >= 9 ? LAST_NANOSECONDS - 1 : LAST
  return { kind: 'range', min: FIRST * perSecond, max: last * perSecond + (perSecond - 1) }
}

function decimalVerdict(type: DataType & { readonly kind: 'decimal' }, target: ChType): Verdict {
  const [precision, scale] = target.args.map(a => (a.kind === 'number' ? a.value : Number.NaN))
  if (target.name !== 'Decimal' || !Number.isInteger(precision) || !Number.isInteger(scale)) {
    return 'make the column Decimal, or cast the decimal'
  }
  if (scale < type.scale)
    return `it keeps ${scale} digits after the point, ${type.scale} are sent; cast it to decimal(${precision}, ${scale})`
  // bytes of a decimal may hold more digits than its precision says, so the narrower of the two is checked always
  return { kind: 'digits', below: 10n ** BigInt(Math.min(type.precision, precision - scale + type.scale)) }
}
