/** Times as text, RFC 3339 with up to nine digits of a second, exactly (nanoseconds as bigint). */

const SECOND = 1_000_000_000n
const PATTERN = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d:?\d\d)?)?$/i

/**
 * Nanoseconds since 1970 of `2014-02-14T14:30:00.25Z`, `2014-02-14 14:30:00`, `2014-02-14 14:30+01:00` or `2014-02-14`; without
 * a zone it is UTC. Null if it is none of these or names no moment (month 13, 30 February, 24:00).
 */
export function parseTimestamp(text: string): bigint | null {
  const match = PATTERN.exec(text)
  if (!match) return null
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(part => Number(part ?? 0))
  // setUTCFullYear and not Date.UTC, which takes years below 100 as 19xx
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60
  if (!exists) return null
  const offset = zoneMinutes(match[8])
  if (offset === null) return null
  const seconds = BigInt(date.getTime() / 1000 + hour * 3600 + (minute - offset) * 60 + second)
  return seconds * SECOND + BigInt((match[7] ?? '').padEnd(9, '0'))
}

function zoneMinutes(zone: string | undefined): number | null {
  if (zone === undefined || zone.toUpperCase() === 'Z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(-2))
  return hours < 24 && minutes < 60 ? (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes) : null
}

/** With as many digits of a second as it needs: 0, 3, 6 or 9. Null outside the years 1 to 9999, which RFC 3339 cannot write. */
export function timestampText(nanos: bigint): string | null {
  const fraction = ((nanos % SECOND) + SECOND) % SECOND
  const date = new Date(Number((nanos - fraction) / 1_000_000n))
  const year = date.getUTCFullYear()
  if (Number.isNaN(year) || year < 1 || year > 9999) return null
  const digits = fraction
    .toString()
    .padStart(9, '0')
    .replace(/(?:000)+$/, '')
  return `${date.toISOString().slice(0, 19)}${digits ? `.${digits}` : ''}Z`
}
