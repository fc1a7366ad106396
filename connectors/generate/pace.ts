import { type Layout, recordsWithin, timeAfterStart } from './layout'
import type { GenerateOptions } from './options'

/**
 * How many records may have been delivered by now.
 *
 * | rate | interval | history | pace after the history |
 * |---|---|---|---|
 * | no | any | no | as fast as they are taken |
 * | no | any | yes | each record when its event time comes |
 * | yes | no | any | the rate, which is also the step of event time |
 * | yes | yes | any | the rate; event time runs at its own speed |
 */
export interface Pace {
  /** Records (by number) that are due; Infinity where nothing holds them back. */
  due(now: number): number
  /** Milliseconds until more records than `due` are due. */
  wait(due: number, now: number): number
}

/** Shortest and longest nap: below the first a chunk would hold few rows, after the second a changed clock is noticed. */
const SHORTEST_MS = 10
const LONGEST_MS = 1000

export function createPace(
  options: GenerateOptions,
  layout: Layout,
  at: { readonly start: number; readonly from: number; readonly now: number },
): Pace {
  const history = options.history ?? 0
  if (options.rate === undefined && history === 0) return { due: () => Number.POSITIVE_INFINITY, wait: () => SHORTEST_MS }
  const first = recordsWithin(layout, history)
  if (options.rate === undefined && layout.aligned) return byInterval(options, layout, at, first)
  const perRecord = options.rate === undefined ? layout.step : 1 / options.rate
  // with a start of its own, event time says nothing about the clock: the pace counts from the first record of this session
  const free = options.start !== undefined || options.interval !== undefined
  const origin = free ? at.now : at.start + history
  const base = free ? Math.max(first, at.from) : first
  return {
    due: now => Math.max(base, base + Math.floor((now - origin) / perRecord) + 1),
    wait: (due, now) => nap(origin + (due - base) * perRecord - now),
  }
}

/** Records of a tick come due together, when the clock reaches their event time. */
function byInterval(
  options: GenerateOptions,
  layout: Layout,
  at: { readonly start: number; readonly from: number; readonly now: number },
  first: number,
): Pace {
  const interval = layout.step * layout.keys
  const fromTick = Math.max(first, at.from) / layout.keys
  const origin = options.start === undefined ? at.start : at.now - timeAfterStart(layout, Math.floor(fromTick), 0)
  return {
    due: now => Math.max(first, (Math.floor((now - origin) / interval) + 1) * layout.keys),
    wait: (due, now) => nap(origin + (due / layout.keys) * interval - now),
  }
}

const nap = (ms: number): number => Math.min(LONGEST_MS, Math.max(SHORTEST_MS, ms))
