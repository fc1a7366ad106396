/** Local date-times to UTC by the IANA database that ships with Node. */

export function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** Milliseconds since 1970 UTC of a local date-time given as if it were UTC. */
export type ToUtc = (localMs: number) => number

const HOUR_MS = 3_600_000

/**
 * Where a clock is put back, a local time names two moments: the earlier is taken. Where it is put forward, one that does not
 * exist is read with the offset of before the change.
 */
export function toUtc(timezone: string): ToUtc {
  if (timezone === 'UTC' || timezone === 'Etc/UTC' || timezone === 'GMT') return ms => ms
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    era: 'short',
  })
  const offsetAt = (utc: number): number => {
    const parts = new Map(format.formatToParts(utc).map(p => [p.type, p.value]))
    const part = (name: Intl.DateTimeFormatPartTypes): number => Number(parts.get(name))
    const year = parts.get('era') === 'BC' ? 1 - part('year') : part('year')
    const local = Date.UTC(year, part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
    return local - Math.floor(utc / 1000) * 1000
  }
  // formatting costs microseconds, and offsets do not change within a quarter of an hour
  const known = new Map<number, number>()
  const offset = (utc: number): number => {
    const slot = Math.floor(utc / (HOUR_MS / 4))
    let found = known.get(slot)
    if (found === undefined) {
      found = offsetAt(utc)
      if (known.size >= 10_000) known.clear()
      known.set(slot, found)
    }
    return found
  }
  return local => {
    // offsets lie within a day, so these two stand before and after any change that matters
    const before = offset(local - 24 * HOUR_MS)
    const first = local - before
    if (offset(first) === before) return first
    const after = offset(local + 24 * HOUR_MS)
    const second = local - after
    return offset(second) === after ? second : first
  }
}
