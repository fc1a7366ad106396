import type { FlowSpec, ViewSpec } from '../spec'
import type { Closing, ClosingKind, PaneTotal, Reached } from './contracts'

/** Pure part of finalising: which windows have panes, and in which order they close and become final. Milliseconds throughout. */

export type Windows = NonNullable<ViewSpec['window']>

/** Ends of the windows that cover these panes, ascending. */
export function windowEnds(panes: Iterable<number>, { size, slide }: Windows): readonly number[] {
  const ends = new Set<number>()
  for (const pane of panes) for (let end = pane + slide; end <= pane + size; end += slide) ends.add(end)
  return [...ends].sort((a, b) => a - b)
}

/** Records of a window, as the sum over its panes. */
export function windowRecords(end: number, panes: ReadonlyMap<number, PaneTotal>, { size, slide }: Windows): number {
  let sum = 0
  for (let pane = end - size; pane < end; pane += slide) sum += panes.get(pane)?.records ?? 0
  return sum
}

/** The last window end at or before a moment. */
export const endAtOrBefore = (moment: number, { slide, offset }: Windows): number => moment - mod(moment - offset, slide)

/** Start of the pane of a moment. */
export const paneOf = endAtOrBefore

const mod = (a: number, b: number): number => ((a % b) + b) % b

interface Act {
  readonly kind: ClosingKind
  readonly end: number
  /** Watermark at which it happens. */
  readonly at: number
}

/**
 * Closings in the order in which a watermark that moved slide by slide would have made them, whatever steps it really took: at
 * each moment first what becomes final, then what closes, so that a window is judged by what was final before it; a window with
 * no lateness closes before it is final.
 */
export function closingsInOrder(
  view: string,
  close: readonly number[],
  final: readonly number[],
  lateness: number,
): readonly Closing[] {
  const acts: Act[] = [
    ...close.map(end => ({ kind: 'close' as const, end, at: end })),
    ...final.map(end => ({ kind: 'final' as const, end, at: end + lateness })),
  ]
  const rank = (a: Act): number => (a.kind === 'close' ? 1 : a.at === a.end ? 2 : 0)
  acts.sort((a, b) => a.at - b.at || rank(a) - rank(b) || a.end - b.end)
  return acts.map(a => ({ view, watermark: a.at, windowEnds: [a.end], kind: a.kind }))
}

export const NOTHING_REACHED: Reached = {
  closed: Number.NEGATIVE_INFINITY,
  final: Number.NEGATIVE_INFINITY,
  watermark: Number.NEGATIVE_INFINITY,
  revising: [],
}

/** How far a log has come with one closing more. */
export function reachedWith(before: Reached, { kind, watermark, windowEnds }: Closing): Reached {
  const last = windowEnds[windowEnds.length - 1]
  return {
    closed: kind === 'close' ? Math.max(before.closed, last) : before.closed,
    final: kind === 'final' ? Math.max(before.final, last) : before.final,
    watermark: Math.max(before.watermark, watermark),
    revising: kind === 'revise' ? [] : before.revising,
  }
}

/** Window ends in pieces whose panes hold at most about `most` rows, so that one statement stays within bounds. */
export function pieces(ends: readonly number[], panes: ReadonlyMap<number, PaneTotal>, { size, slide }: Windows, most: number) {
  const out: number[][] = []
  let rows = Number.POSITIVE_INFINITY
  for (const end of ends) {
    let own = 0
    for (let pane = end - size; pane < end; pane += slide) own += panes.get(pane)?.rows ?? 0
    if (rows + own > most || out[out.length - 1].length >= MOST_WINDOWS) {
      out.push([])
      rows = 0
    }
    out[out.length - 1].push(end)
    rows += own
  }
  return out
}

/** Ends in one statement's list. */
const MOST_WINDOWS = 2_000

/** How a flow's source names a view it reads, qualified by the view's connection. */
export const viewName = (view: ViewSpec): string => `${view.connection}:view:${view.name}`

/** Whether a flow writes the table of a view, and so makes the view with it. */
export const writesTableOf = ({ sink }: FlowSpec, view: ViewSpec): boolean =>
  sink.connection === view.connection && (sink.config as { readonly table?: unknown } | null)?.table === view.from
