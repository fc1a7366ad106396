import type { TimeUnit } from '../../../runtime/schema'

const DATE = /^(\d{4})-(\d\d)-(\d\d)$/
const TIME = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?$/
const ZONE = /(Z|z|[+-]\d\d:?\d\d)$/

/** Nanoseconds of a tick. */
const TICK: Readonly<Record<TimeUnit, number>> = { s: 1e9, ms: 1e6, us: 1e3, ns: 1 }

export type TimeProblem = 'no time' | 'finer than its unit'

/** Days since 1970-01-01 of `2024-02-29`; null if it is none. */
export function parseDate(text: string): number | null {
  const match = DATE.exec(text)
  if (!match) return null
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  // a day that does not exist is carried into the next month
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() / 86_400_000 : null
}

/** Ticks since midnight of `23:59:59.123456`. */
export function parseTime(text: string, unit: TimeUnit): number | TimeProblem {
  const match = TIME.exec(text)
  if (!match) return 'no time'
  const [hours, minutes, seconds] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)]
  if (hours > 23 || minutes > 59 || seconds > 59) return 'no time'
  const nanos = Number((match[4] ?? '').padEnd(9, '0'))
  if (nanos % TICK[unit] !== 0) return 'finer than its unit'
  return ((hours * 60 + minutes) * 60 + seconds) * (1e9 / TICK[unit]) + nanos / TICK[unit]
}

/**
 * Ticks since 1970 of an ISO 8601 text: `2024-02-29T23:59:59.123Z`, `2024-02-29 23:59+01:00`. Without a zone it is UTC, or the
 * local date-time itself where the column is not zoned; there a zone is refused, because it would be dropped.
 */
export function parseTimestamp(text: string, unit: TimeUnit, zoned: boolean): bigint | TimeProblem {
  const days = parseDate(text.slice(0, 10))
  if (days === null || (text.length > 10 && text[10] !== 'T' && text[10] !== ' ')) return 'no time'
  const rest = text.slice(11)
  const zone = ZONE.exec(rest)?.[1]
  if (zone && !zoned) return 'no time'
  const ticks = rest === '' ? 0 : parseTime(zone ? rest.slice(0, -zone.length) : rest, unit)
  if (typeof ticks === 'string') return ticks
  const minutes = zone === undefined || zone === 'Z' || zone === 'z' ? 0 : offset(zone)
  if (minutes === null) return 'no time'
  const perSecond = BigInt(1e9 / TICK[unit])
  return BigInt(days * 86_400 - minutes * 60) * perSecond + BigInt(ticks)
}

function offset(zone: string): number | null {
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(-2))
  if (hours > 18 || minutes > 59) return null
  return (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes)
}
