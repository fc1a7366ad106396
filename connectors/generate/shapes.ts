import type { SeriesOptions } from './options'
import { normal, streamOf, uniform } from './random'

/** Shapes of a series over time. Every one is a function of key and time alone (and of the seed in its stream). */

const DAY_MS = 86_400_000

/** True while one of the windows is on: each stretch of `every` holds one of length `for`, at a moment drawn for key and stretch. */
export function windows(
  seed: number,
  name: string,
  options: { readonly every: number; readonly for: number; readonly keys: number },
): (key: number, elapsed: number) => boolean {
  const member = streamOf(seed, `${name}/keys`)
  const moment = streamOf(seed, `${name}/moment`)
  const room = options.every - options.for
  return (key, elapsed) => {
    if (options.keys < 1 && uniform(member, key, 0) >= options.keys) return false
    const stretch = Math.floor(elapsed / options.every)
    const begin = stretch * options.every + uniform(moment, key, stretch) * room
    return elapsed >= begin && elapsed < begin + options.for
  }
}

/** Value of a series for a key, its tick, the milliseconds after the start and since 1970. */
export type Series = (key: number, tick: number, elapsed: number, time: number) => number

export function seriesOf(options: SeriesOptions, seed: number, name: string): Series {
  const noise = streamOf(seed, `${name}/noise`)
  const parts: Series[] = []
  if (options.spread > 0) {
    const stream = streamOf(seed, `${name}/spread`)
    parts.push(key => options.spread * normal(stream, key, 0))
  }
  if (options.daily) parts.push(seasonOf(options.daily, streamOf(seed, `${name}/daily`)))
  if (options.weekly) parts.push(seasonOf(options.weekly, streamOf(seed, `${name}/weekly`)))
  if (options.trend !== 0) parts.push((_key, _tick, elapsed) => (options.trend * elapsed) / DAY_MS)
  if (options.noise > 0) parts.push((key, tick) => options.noise * normal(noise, key, tick))
  const { burst, shift, base, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = options
  if (burst) {
    const on = windows(seed, `${name}/burst`, burst)
    parts.push((key, _tick, elapsed) => (on(key, elapsed) ? burst.add : 0))
  }
  if (shift) parts.push(shiftOf(shift, seed, name))
  return (key, tick, elapsed, time) => {
    let value = base
    for (const part of parts) value += part(key, tick, elapsed, time)
    return Math.max(min, Math.min(max, value))
  }
}

function seasonOf(options: NonNullable<SeriesOptions['daily']>, stream: number): Series {
  const turn = (2 * Math.PI) / options.period
  return (key, _tick, _elapsed, time) => {
    const later = options.spread > 0 ? options.spread * uniform(stream, key, 0) : 0
    return options.amplitude * Math.cos(turn * (time - options.peak - later))
  }
}

function shiftOf(options: NonNullable<SeriesOptions['shift']>, seed: number, name: string): Series {
  const member = streamOf(seed, `${name}/shift/keys`)
  const level = streamOf(seed, `${name}/shift/level`)
  const { at, every, add, keys } = options
  const takesPart = (key: number): boolean => keys >= 1 || uniform(member, key, 0) < keys
  if (every === undefined) return (key, _tick, elapsed) => (elapsed >= (at ?? 0) && takesPart(key) ? add : 0)
  return (key, _tick, elapsed) => (takesPart(key) ? add * (2 * uniform(level, key, Math.floor(elapsed / every)) - 1) : 0)
}
