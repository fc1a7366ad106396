import type { ToUtc } from './timezone'

/** Milliseconds since 1970 UTC and the nanoseconds (0..999,999) beyond them. */
export interface Moment {
  readonly ms: number
  readonly nanos: number
  /** Digits of the second's fraction as written. */
  readonly digits: number
}

const TEXT = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/

/**
 * A date-time: ISO 8601 (`2024-01-31T23:59:59.123Z`, with `+01:00`, without zone), with a blank for the T, without seconds, or
 * a date alone (midnight). Null if it is none, or names a day or an hour that does not exist.
 */
export function parseMoment(text: string, local: ToUtc): Moment | null {
  const match = TEXT.exec(text)
  if (!match) return null
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone] = match
  const asUtc = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
  const date = new Date(asUtc)
  // Date.UTC carries over (the 31st of April is the 1st of May) and takes years below 100 for 19xx
  if (date.getUTCFullYear() !== Number(year) || date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day))
    return null
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null
  const nanos = fraction === '' ? 0 : Number(fraction.padEnd(9, '0'))
  const utc = zone === undefined ? local(asUtc) : asUtc - zoneOffset(zone)
  return { ms: utc + Math.floor(nanos / 1e6), nanos: nanos % 1e6, digits: fraction.length }
}

function zoneOffset(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3).replace(':', '') || '0')
  return (zone[0] === '-' ? -1 : 1) * minutes * 60_000
}
