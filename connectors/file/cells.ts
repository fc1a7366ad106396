import type { Column, F64Column, I64Column, VarColumn } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import { type DataType, TICKS_PER_MS, type TimeUnit, typeName } from '../../runtime/schema'
import { appendValue } from '../../runtime/value'
import { type Moment, parseMoment } from './time_text'
import type { ToUtc } from './timezone'

/** How texts become cells. Each reader appends exactly one row or throws D001, D005 or D006 and leaves the column as it was. */
export type CellReader = (column: Column, text: Buffer, start: number, end: number) => void

export interface TextRules {
  readonly local: ToUtc
  /** Unit of timestamps that are plain numbers. */
  readonly epoch: TimeUnit
}

/** Kinds a text cell can hold; the others have no agreed text form. */
export const hasTextForm = (type: DataType): boolean => !['bytes', 'fixed', 'list', 'map', 'struct'].includes(type.kind)

export function cellReader(type: DataType, rules: TextRules): CellReader {
  switch (type.kind) {
    case 'f64':
      return (column, text, start, end) => {
        const value = floatOf(text.toString('latin1', start, end), type)
        const row = grow(column)
        ;(column as F64Column).values[row] = value
      }
    case 'utf8':
      return (column, text, start, end) => {
        const out = column as VarColumn
        for (let i = start; i < end; i++) {
          if (text[i] < 128) continue
          requireUtf8(text.subarray(start, end))
          break
        }
        const from = out.offsets[out.length]
        out.reserve(1, end - start)
        text.copy(out.data, from, start, end)
        out.offsets[out.length + 1] = from + end - start
        settle(out)
      }
    case 'timestamp':
      return (column, text, start, end) => appendMoment(column as I64Column, text.toString('latin1', start, end), type, rules)
    default:
      return (column, text, start, end) => appendValue(column, parseCell(utf8Text(text, start, end), type))
  }
}

/** A text as the value `appendValue` takes. Throws D006_WRONG_TYPE where it has not the form of the type. */
export function parseCell(text: string, type: DataType): unknown {
  switch (type.kind) {
    case 'bool':
      if (/^(true|1)$/i.test(text)) return true
      if (/^(false|0)$/i.test(text)) return false
      throw wrong(text, type)
    case 'i32':
    case 'i64':
      if (!/^[+-]?\d{1,40}$/.test(text)) throw wrong(text, type)
      return text.length < 16 ? Number(text) : BigInt(text.startsWith('+') ? text.slice(1) : text)
    case 'f32':
    case 'f64':
      return floatOf(text, type)
    case 'date': {
      const moment = text.length === 10 ? parseMoment(text, ms => ms) : null
      if (!moment) throw wrong(text, type)
      return Math.floor(moment.ms / 86_400_000)
    }
    case 'time':
      return ticksOfTime(text, type)
    case 'json':
      try {
        JSON.parse(text)
      } catch {
        throw new ConnectError('D001_MALFORMED', `${quoted(text)} is not JSON`)
      }
      return text
    default:
      return text
  }
}

const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/
const SPECIAL: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Infinity,
  infinity: Infinity,
  '-inf': -Infinity,
  '-infinity': -Infinity,
}

export const looksLikeFloat = (text: string): boolean => FLOAT.test(text)

function floatOf(text: string, type: DataType): number {
  // Number() alone would also take '', ' 1 ' and '0x10'
  const value = FLOAT.test(text) ? Number(text) : SPECIAL[text.toLowerCase()]
  if (value === undefined) throw wrong(text, type)
  return value
}

/** Appends a date-time or a plain number of ticks. Throws D005 where the column's unit cannot hold all digits. */
export function appendMoment(column: I64Column, text: string, type: DataType & { kind: 'timestamp' }, rules: TextRules): void {
  const moment = /^[+-]?\d+$/.test(text) ? momentOfEpoch(BigInt(text), rules.epoch) : parseMoment(text, rules.local)
  if (!moment) throw wrong(text, type)
  const perMs = TICKS_PER_MS[type.unit]
  if (type.unit === 'ns') {
    appendValue(column, BigInt(moment.ms) * 1_000_000n + BigInt(moment.nanos))
    return
  }
  const ticks = moment.ms * perMs + moment.nanos / (1_000_000 / perMs)
  if (!Number.isSafeInteger(ticks)) {
    throw new ConnectError('D005_OUT_OF_RANGE', `${quoted(text)} does not fit ${typeName(type)} with all its digits`, {
      hint: 'declare the column with a finer unit, e.g. timestamp(us)',
    })
  }
  const row = grow(column)
  column.setNumber(row, ticks)
}

const NANOS_PER: Readonly<Record<TimeUnit, bigint>> = { s: 1_000_000_000n, ms: 1_000_000n, us: 1000n, ns: 1n }

export function momentOfEpoch(ticks: bigint, unit: TimeUnit): Moment {
  const nanos = ticks * NANOS_PER[unit]
  const below = ((nanos % 1_000_000n) + 1_000_000n) % 1_000_000n
  return { ms: Number((nanos - below) / 1_000_000n), nanos: Number(below), digits: 0 }
}

function ticksOfTime(text: string, type: DataType & { kind: 'time' }): number {
  const match = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?$/.exec(text)
  if (!match || Number(match[1]) > 23 || Number(match[2]) > 59 || Number(match[3] ?? 0) > 59) throw wrong(text, type)
  const micros =
    ((Number(match[1]) * 60 + Number(match[2])) * 60 + Number(match[3] ?? 0)) * 1_000_000 +
    Number((match[4] ?? '').padEnd(6, '0'))
  // appendValue refuses the fraction that milliseconds cannot hold
  return type.unit === 'ms' ? micros / 1000 : micros
}

function grow(column: Column): number {
  const row = column.length
  column.reserve(1)
  settle(column)
  return row
}

/** Counts the row that was just written, as not null. */
function settle(column: Column): void {
  if (column.nulls) column.nulls[column.length] = 0
  column.length += 1
}

/** Bytes as a string. Throws D001_MALFORMED where they are not UTF-8 (Node would put U+FFFD without a word). */
export function utf8Text(text: Buffer, start: number, end: number): string {
  const decoded = text.toString('utf8', start, end)
  if (decoded.includes('\ufffd')) requireUtf8(text.subarray(start, end))
  return decoded
}

const strict = new TextDecoder('utf-8', { fatal: true })

function requireUtf8(text: Buffer): void {
  try {
    strict.decode(text)
  } catch {
    throw new ConnectError('D001_MALFORMED', 'the text is not UTF-8', { hint: 'convert the file to UTF-8' })
  }
}

export const quoted = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text)

const wrong = (text: string, type: DataType): ConnectError =>
  new ConnectError('D006_WRONG_TYPE', `${quoted(text)} is no ${typeName(type)}`)
