/** Figures as a person reads them in a narrow column. */

const UNITS = ['', 'k', 'M', 'G', 'T'] as const

/** A count in at most `width` characters (4 or more): all digits if they fit, else `12.3k`, `1.234M`. Null: `-`. */
export function count(n: number | null, width = 6): string {
  if (n === null) return '-'
  const whole = String(Math.round(n))
  if (whole.length <= width) return whole
  for (const [i, unit] of UNITS.entries()) {
    const scaled = n / 1000 ** i
    if (scaled >= 999.5 && i < UNITS.length - 1) continue
    const digits = String(Math.floor(scaled)).length
    return `${scaled.toFixed(Math.max(0, Math.min(3, width - digits - 2)))}${unit}`
  }
  return whole
}

/** A rate; with a decimal below ten, so that slow is not mistaken for nothing. */
export const rate = (perSecond: number): string => (perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : count(perSecond))

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const YEAR = 365 * DAY

/** A length of time in at most five characters: `0ms`, `120ms`, `1.2s`, `45s`, `12m`, `3.5h`, `12d`, `11y`. Null: `-`. */
export function span(ms: number | null): string {
  if (ms === null) return '-'
  const size = Math.abs(ms)
  const sign = ms < 0 ? '-' : ''
  const of = (unit: number, name: string): string => {
    const value = size / unit
    return `${sign}${value < 9.95 ? value.toFixed(1).replace(/\.0$/, '') : Math.round(value)}${name}`
  }
  if (size < 999.5) return `${sign}${Math.round(size)}ms`
  if (size < 99.5 * SECOND) return of(SECOND, 's')
  if (size < 99.5 * MINUTE) return of(MINUTE, 'm')
  if (size < 99.5 * HOUR) return of(HOUR, 'h')
  return size < 999.5 * DAY ? of(DAY, 'd') : of(YEAR, 'y')
}

/** A length of time as `0:05`, `12:34`, `3:04:05`. */
export function watch(ms: number): string {
  const seconds = Math.floor(ms / SECOND)
  const two = (n: number): string => String(n).padStart(2, '0')
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

/** A moment (UTC) in at most sixteen characters: `14:27:59` today, `02-13 14:27:59` this year, `2014-02-14 14:27` before. */
export function moment(ms: number | null, now: number): string {
  if (ms === null || !Number.isFinite(ms) || Math.abs(ms) > 8.64e15) return '-'
  const [at, today] = [new Date(ms).toISOString(), new Date(now).toISOString()]
  if (at.slice(0, 10) === today.slice(0, 10)) return at.slice(11, 19)
  return at.slice(0, 4) === today.slice(0, 4) ? at.slice(5, 19).replace('T', ' ') : at.slice(0, 16).replace('T', ' ')
}

/** A name in at most `width` characters: what is too long loses its middle, because both ends tell names apart. */
export function shortened(name: string, width: number): string {
  if (name.length <= width) return name
  if (width < 3) return name.slice(0, Math.max(0, width))
  const head = Math.ceil((width - 1) / 2)
  return `${name.slice(0, head)}…${name.slice(name.length - (width - 1 - head))}`
}

/** One line without anything that moves the cursor. */
export const oneLine = (text: string): string => text.replace(/\p{Cc}+/gu, ' ')
