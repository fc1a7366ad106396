import type { Column } from './column'
import { decimalText, readDecimal } from './decimal'
import { type DataType, type Schema, TICKS_PER_MS, type TimeUnit } from './schema'

/** Names of fields and map entries whose values are replaced by `***`. */
export type Hide = (name: string) => boolean

const HIDDEN = '"***"'

/**
 * One row as JSON text, for people and dead letters. Timestamps and dates are ISO 8601, bytes base64, decimals strings (a
 * number would lose digits), 64-bit integers numbers with all their digits, NaN and the infinities null.
 */
export function rowJson(schema: Schema, columns: readonly Column[], row: number, hide?: Hide): string {
  const cells = schema.fields.map(
    (f, i) => `${JSON.stringify(f.name)}:${hide?.(f.name) ? HIDDEN : cellJson(columns[i], row, hide)}`,
  )
  return `{${cells.join(',')}}`
}

/** One value as JSON text. */
export function cellJson(column: Column, row: number, hide?: Hide): string {
  if (column.nulls?.[row]) return 'null'
  const { type } = column
  switch (column.layout) {
    case 'bool':
      return column.values[row] ? 'true' : 'false'
    case 'i32':
      if (type.kind === 'date') return `"${new Date(column.values[row] * 86_400_000).toISOString().slice(0, 10)}"`
      return type.kind === 'time' ? `"${timeOfDay(column.values[row], 3)}"` : String(column.values[row])
    case 'i64':
      if (type.kind === 'timestamp') return `"${timestampText(column.bigint(row), type)}"`
      return type.kind === 'time' ? `"${timeOfDay(column.number(row), 6)}"` : String(column.bigint(row))
    case 'f32':
    case 'f64':
      return JSON.stringify(column.values[row])
    case 'var':
      if (type.kind === 'json') return hide ? hiddenIn(column.string(row), hide) : column.string(row)
      return JSON.stringify(type.kind === 'bytes' ? column.bytes(row).toString('base64') : column.string(row))
    case 'fixed':
      return JSON.stringify(fixedText(type, column.bytes(row)))
    case 'dictionary':
      return JSON.stringify(column.dictionary[column.ids[row]])
    case 'list':
      return `[${span(column.offsets, row, i => cellJson(column.child, i, hide))}]`
    case 'map':
      return `{${span(column.offsets, row, i => {
        const name = column.keys.string(i)
        return `${JSON.stringify(name)}:${hide?.(name) ? HIDDEN : cellJson(column.child, i, hide)}`
      })}}`
    case 'struct':
      return rowJson({ fields: type.kind === 'struct' ? type.fields : [] }, column.children, row, hide)
  }
}

/** Text that is no JSON after all is shown as little as what it may hold. */
function hiddenIn(text: string, hide: Hide): string {
  try {
    return JSON.stringify(JSON.parse(text, (name, value: unknown) => (hide(name) ? '***' : value)))
  } catch {
    return HIDDEN
  }
}

function span(offsets: Int32Array, row: number, each: (i: number) => string): string {
  const parts: string[] = []
  for (let i = offsets[row]; i < offsets[row + 1]; i++) parts.push(each(i))
  return parts.join(',')
}

const DIGITS: Readonly<Record<TimeUnit, number>> = { s: 0, ms: 3, us: 6, ns: 9 }

function timestampText(ticks: bigint, type: DataType & { kind: 'timestamp' }): string {
  const digits = DIGITS[type.unit]
  const perSecond = BigInt(Math.round(TICKS_PER_MS[type.unit] * 1000))
  let seconds = ticks / perSecond
  let rest = ticks % perSecond
  if (rest < 0n) {
    seconds -= 1n
    rest += perSecond
  }
  const date = new Date(Number(seconds) * 1000)
  const zone = type.zoned ? 'Z' : ''
  // beyond what a Date holds, the number of ticks says more than a wrong date
  if (Number.isNaN(date.getTime())) return String(ticks)
  const fraction = digits === 0 ? '' : `.${String(rest).padStart(digits, '0')}`
  return `${date.toISOString().slice(0, -5)}${fraction}${zone}`
}

function timeOfDay(ticks: number, digits: number): string {
  const scale = 10 ** digits
  const seconds = Math.floor(ticks / scale)
  const two = (n: number): string => String(n).padStart(2, '0')
  const fraction = String(ticks - seconds * scale).padStart(digits, '0')
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${fraction}`
}

function fixedText(type: DataType, bytes: Buffer): string {
  if (type.kind === 'uuid') return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  if (type.kind === 'decimal') return decimalText(readDecimal(bytes, 0), type.scale)
  return bytes.toString('base64')
}
