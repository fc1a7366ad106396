import { decimalText, parseDecimal } from '../../runtime/decimal'
import { ConnectError } from '../../runtime/errors'
import { type DataType, TICKS_PER_MS, typeName } from '../../runtime/schema'
import type { Value } from '../../runtime/value'
import { parseTimestamp, timestampText } from '../time_text'

/** What happens to what the target cannot hold between two of its values: 1.5 as an integer, microseconds in milliseconds. */
export type OnFraction = 'reject' | 'truncate' | 'round'

/** Makes of one value that is not null what `appendValue` takes for the target; throws D005 or D006 where it cannot. */
export type Convert = (value: Value) => unknown

/** The conversion between two types; null if there is none. Ranges are checked where the value is appended. */
export function converter(from: DataType, to: DataType, fraction: OnFraction): Convert | null {
  if (typeName(from) === typeName(to)) return value => value
  switch (to.kind) {
    case 'i32':
    case 'i64':
      return toInteger(from, to, fraction)
    case 'f32':
    case 'f64':
      return toFloat(from, to)
    case 'bool':
      return toBool(from, to)
    case 'decimal':
      return toDecimal(from, to, fraction)
    case 'utf8':
    case 'dictionary':
      return toText(from)
    case 'json':
      return from.kind === 'utf8' || from.kind === 'dictionary' ? value => checkedJson(String(value)) : toJson(from)
    case 'timestamp':
    case 'date':
    case 'time':
      return toTime(from, to, fraction)
    case 'uuid':
      return isText(from) || from.kind === 'bytes' || from.kind === 'fixed' ? value => value : null
    case 'bytes':
    case 'fixed':
      return toBytes(from)
    case 'list':
    case 'map':
    case 'struct':
      return toContainer(from, to, fraction)
  }
}

const isText = (type: DataType): boolean => type.kind === 'utf8' || type.kind === 'dictionary'
const isInt = (type: DataType): boolean => type.kind === 'i32' || type.kind === 'i64'
const isFloat = (type: DataType): boolean => type.kind === 'f32' || type.kind === 'f64'
const isTime = (type: DataType): boolean => type.kind === 'timestamp' || type.kind === 'date' || type.kind === 'time'

const outOfRange = (value: Value, to: DataType): ConnectError =>
  new ConnectError('D005_OUT_OF_RANGE', `${String(value)} does not fit ${typeName(to)}`)

const hasFraction = (value: Value, to: DataType): ConnectError =>
  new ConnectError('D005_OUT_OF_RANGE', `${String(value)} has more digits than ${typeName(to)} holds`, {
    hint: 'set on_fraction: truncate or round',
  })

const unreadable = (value: Value, to: DataType): ConnectError =>
  new ConnectError('D006_WRONG_TYPE', `${JSON.stringify(String(value).slice(0, 60))} is no ${typeName(to)}`)

/** An integer of a finite double by the rule; halves go away from zero. */
export function wholeNumber(value: number, to: DataType, fraction: OnFraction): number {
  if (Number.isInteger(value)) return value
  if (!Number.isFinite(value)) throw outOfRange(value, to)
  if (fraction === 'reject') throw hasFraction(value, to)
  return fraction === 'truncate' ? Math.trunc(value) : Math.sign(value) * Math.round(Math.abs(value))
}

function toInteger(from: DataType, to: DataType, fraction: OnFraction): Convert | null {
  if (isInt(from) || isTime(from)) return value => value
  if (from.kind === 'bool') return value => (value === true ? 1 : 0)
  // by way of bigint, because appendValue takes no doubles beyond 2^53; the double itself is exactly this integer
  if (isFloat(from)) return value => BigInt(wholeNumber(Number(value), to, fraction))
  if (isText(from) || from.kind === 'decimal') return value => unscaledBy(String(value), 0, to, fraction)
  return null
}

/** Unscaled integer of a decimal text at a scale, by the rule where digits would be lost. */
function unscaledBy(text: string, scale: number, to: DataType, fraction: OnFraction): bigint {
  const exact = parseDecimal(text.trim(), scale)
  if (exact === null) throw unreadable(text, to)
  if (exact !== 'inexact') return exact
  if (fraction === 'reject') throw hasFraction(text, to)
  // 40 more digits than any column has; a text that is longer still is out of any range
  const fine = parseDecimal(text.trim(), scale + EXTRA_DIGITS)
  if (fine === null || fine === 'inexact') throw outOfRange(text, to)
  return divided(fine, 10n ** BigInt(EXTRA_DIGITS), fraction, 'zero')
}

const EXTRA_DIGITS = 40

/** Quotient by the rule. `truncate` goes towards zero, or down for times (the second a moment lies in). */
function divided(value: bigint, by: bigint, fraction: OnFraction, towards: 'zero' | 'down'): bigint {
  if (fraction === 'round') {
    const magnitude = ((value < 0n ? -value : value) * 2n + by) / (by * 2n)
    return value < 0n ? -magnitude : magnitude
  }
  const quotient = value / by
  return towards === 'down' && value % by < 0n ? quotient - 1n : quotient
}

const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/
const NOT_FINITE: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  infinity: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  '-infinity': Number.NEGATIVE_INFINITY,
}

function toFloat(from: DataType, to: DataType): Convert | null {
  if (isInt(from) || isFloat(from)) return value => (to.kind === 'f32' ? Number(value) : value)
  if (from.kind === 'bool') return value => (value === true ? 1 : 0)
  if (from.kind === 'decimal') return value => Number(value)
  if (!isText(from)) return null
  return value => {
    const text = String(value).trim()
    if (FLOAT.test(text)) return Number(text)
    const special = NOT_FINITE[text.toLowerCase()]
    if (special === undefined) throw unreadable(value, to)
    return special
  }
}

const TRUE: readonly string[] = ['true', '1']
const FALSE: readonly string[] = ['false', '0']

function toBool(from: DataType, to: DataType): Convert | null {
  if (!isInt(from) && !isText(from)) return null
  return value => {
    const text = String(value).trim().toLowerCase()
    if (TRUE.includes(text)) return true
    if (FALSE.includes(text)) return false
    throw isText(from) ? unreadable(value, to) : outOfRange(value, to)
  }
}

function toDecimal(from: DataType, to: DataType & { kind: 'decimal' }, fraction: OnFraction): Convert | null {
  if (!isInt(from) && !isFloat(from) && !isText(from) && from.kind !== 'decimal') return null
  return value => {
    if (typeof value === 'number' && !Number.isFinite(value)) throw outOfRange(value, to)
    // a double is taken as the shortest text that reads back as it, which is what a person wrote
    return decimalText(unscaledBy(String(value), to.scale, to, fraction), to.scale)
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function toText(from: DataType): Convert | null {
  if (isTime(from)) return value => timeText(value, from)
  if (from.kind === 'bytes' || from.kind === 'fixed') {
    return value => {
      try {
        return strictUtf8.decode(value as Uint8Array)
      } catch {
        throw new ConnectError('D006_WRONG_TYPE', 'the bytes are not UTF-8')
      }
    }
  }
  return from.kind === 'list' || from.kind === 'map' || from.kind === 'struct' ? toJson(from) : value => String(value)
}

/** Nanoseconds in a tick. */
function tick(type: DataType): bigint {
  if (type.kind === 'timestamp' || type.kind === 'time') return BigInt(Math.round(1_000_000 / TICKS_PER_MS[type.unit]))
  return DAY
}

const DAY = 86_400_000_000_000n

const nanosOf = (value: Value, type: DataType): bigint => BigInt(value as number | bigint) * tick(type)

function timeText(value: Value, type: DataType): string {
  const text = timestampText(nanosOf(value, type))
  if (text === null) throw outOfRange(value, { kind: 'utf8' })
  if (type.kind === 'date') return text.slice(0, 10)
  return type.kind === 'time' ? text.slice(11, -1) : text
}

function toTime(from: DataType, to: DataType, fraction: OnFraction): Convert | null {
  const per = tick(to)
  // the time of a date is lost on purpose, so that no rule is asked
  const rule = to.kind === 'date' ? 'truncate' : fraction
  const ticks = (nanos: bigint, value: Value): bigint => {
    if (nanos % per === 0n) return nanos / per
    if (rule === 'reject') throw hasFraction(value, to)
    return divided(nanos, per, rule, 'down')
  }
  if (isInt(from)) return value => value
  if (isFloat(from)) return value => BigInt(wholeNumber(Number(value), to, fraction))
  if (from.kind === 'time' || to.kind === 'time') {
    if (from.kind === 'time' && to.kind === 'time') return value => ticks(nanosOf(value, from), value)
    if (from.kind !== 'timestamp') return null
    return value => ticks(((nanosOf(value, from) % DAY) + DAY) % DAY, value)
  }
  if (isTime(from)) return value => ticks(nanosOf(value, from), value)
  if (!isText(from)) return null
  return value => {
    const nanos = parseTimestamp(String(value).trim())
    if (nanos === null) throw unreadable(value, to)
    return ticks(nanos, value)
  }
}

function toBytes(from: DataType): Convert | null {
  if (from.kind === 'bytes' || from.kind === 'fixed') return value => value
  if (from.kind === 'uuid') return value => Buffer.from(String(value).replaceAll('-', ''), 'hex')
  return isText(from) || from.kind === 'json' ? value => Buffer.from(String(value)) : null
}

function toContainer(from: DataType, to: DataType, fraction: OnFraction): Convert | null {
  if (isText(from) || from.kind === 'json') {
    return value => {
      try {
        return JSON.parse(String(value))
      } catch {
        throw unreadable(value, to)
      }
    }
  }
  if (from.kind === 'list' && to.kind === 'list') {
    const item = converter(from.item.type, to.item.type, fraction)
    return item && (value => (value as readonly Value[]).map(v => (v === null ? null : item(v))))
  }
  if (from.kind === 'map' && to.kind === 'map') {
    const item = converter(from.value.type, to.value.type, fraction)
    return (
      item && (value => new Map([...(value as ReadonlyMap<string, Value>)].map(([k, v]) => [k, v === null ? null : item(v)])))
    )
  }
  return null
}

function checkedJson(text: string): string {
  try {
    JSON.parse(text)
    return text
  } catch {
    throw unreadable(text, { kind: 'json' })
  }
}

/** JSON text: times as text, bytes in base64, 64-bit integers as numbers with all their digits. */
const toJson =
  (from: DataType): Convert =>
  value =>
    jsonText(value, from)

function jsonText(value: Value, type: DataType): string {
  if (value === null) return 'null'
  switch (type.kind) {
    case 'list':
      return `[${(value as readonly Value[]).map(v => jsonText(v, type.item.type)).join(',')}]`
    case 'map':
      return `{${[...(value as ReadonlyMap<string, Value>)].map(([k, v]) => `${JSON.stringify(k)}:${jsonText(v, type.value.type)}`).join(',')}}`
    case 'struct': {
      const fields = value as { readonly [name: string]: Value }
      return `{${type.fields.map(f => `${JSON.stringify(f.name)}:${jsonText(fields[f.name], f.type)}`).join(',')}}`
    }
    case 'json':
      return String(value)
    case 'timestamp':
    case 'date':
    case 'time':
      return JSON.stringify(timeText(value, type))
    case 'bytes':
    case 'fixed':
      return JSON.stringify(Buffer.from(value as Uint8Array).toString('base64'))
    case 'i64':
      return String(value)
    case 'decimal':
      return String(value)
    default:
      return JSON.stringify(value)
  }
}
