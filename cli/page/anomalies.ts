import { z } from 'zod'
import { strangest, whatOf } from './anomaly_text'

/** Rows that are kept: the latest by window end. */
export const MOST_ANOMALIES = 1_000
/** Work is saved by letting a few more gather before the oldest go. */
const SLACK = 250

const number = z.number().nullable()
const moment = z.string().transform(text => Date.parse(text))

/** A record of an anomalies topic as `rowJson` writes it; see `transforms/score/anomaly.ts`. */
const record = z.object({
  id: z.string(),
  pipeline: z.string(),
  flow: z.string(),
  view: z.string(),
  detector: z.string(),
  key: z.record(z.string(), z.string().nullable()),
  window_start: moment,
  window_end: moment,
  features: z.record(
    z.string(),
    z.object({ value: number, expected: number, lower: number, upper: number, contribution: number }),
  ),
  score: z.number(),
  severity: z.enum(['none', 'warning', 'critical']),
  status: z.enum(['raised', 'revised', 'retracted', 'suppressed', 'normal']),
  rev: z.number(),
  detected_at: moment,
})

/**
 * Moments are milliseconds since 1970; `what` says in words what was seen, `feature` names the column that it is about, `rule` is
 * the expression of the detector where that is a rule of this worker.
 */
export type AnomalyRow = z.output<typeof record> & {
  readonly rule: string | null
  readonly what: string
  readonly feature: string | null
}

/** The expression of a detector that is a rule, by pipeline, flow and detector; null: it is none, or not known. */
export type RuleOf = (anomaly: { readonly pipeline: string; readonly flow: string; readonly detector: string }) => string | null

/** The record, or null for one that is no anomaly record. */
export function anomalyOf(json: string, ruleOf: RuleOf = () => null): AnomalyRow | null {
  const parsed = record.safeParse(JSON.parse(json))
  if (!parsed.success) return null
  const rule = ruleOf(parsed.data)
  const told = { ...parsed.data, rule }
  return { ...told, what: whatOf(told), feature: strangest(told.features)?.[0] ?? null }
}

/** True for a verdict that says: something is wrong there. */
export const stands = (a: AnomalyRow): boolean => a.status === 'raised' || a.status === 'revised'

/** The latest verdict of each window, for the latest windows. A record read twice changes nothing. */
export class AnomalyList {
  readonly #rows = new Map<string, AnomalyRow>()
  readonly #listeners = new Set<(row: AnomalyRow) => void>()
  /** Windows older than this have been let go and do not come back. */
  #oldest = Number.NEGATIVE_INFINITY
  /** Sorted on demand. */
  #sorted: readonly AnomalyRow[] | null = null

  add(row: AnomalyRow): void {
    const id = `${row.pipeline}|${row.flow}|${row.id}`
    const known = this.#rows.get(id)
    if (row.window_end < this.#oldest || (known && known.rev > row.rev)) return
    // an `emit: all` topic holds verdicts on normal windows too; they only matter where they take an alarm back
    if (row.status === 'normal' && !known) return
    this.#rows.set(id, row)
    this.#sorted = null
    if (this.#rows.size >= MOST_ANOMALIES + SLACK) this.#prune()
    for (const listener of this.#listeners) listener(row)
  }

  /** Latest first, at most MOST_ANOMALIES. */
  latest(): readonly AnomalyRow[] {
    this.#sorted ??= [...this.#rows.values()].sort((a, b) => b.window_end - a.window_end || b.score - a.score)
    return this.#sorted.slice(0, MOST_ANOMALIES)
  }

  /** Calls back with each verdict that is new or changed, until the returned function is called. */
  onChange(listener: (row: AnomalyRow) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #prune(): void {
    const kept = this.latest()
    this.#oldest = kept[kept.length - 1].window_end
    this.#rows.clear()
    for (const row of kept) this.#rows.set(`${row.pipeline}|${row.flow}|${row.id}`, row)
    this.#sorted = null
  }
}
