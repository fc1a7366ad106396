import type { Batch } from './batch'
import { fieldIndex } from './schema'
import { valueAt } from './value'

/** Verdicts that are counted; what else an anomaly record may say (`normal`) is no anomaly. */
export const ANOMALY_STATUSES = ['raised', 'revised', 'retracted', 'suppressed'] as const
export type AnomalyStatus = (typeof ANOMALY_STATUSES)[number]

/** Anomaly records by status. A record that says of one window what was said before is counted again, under its new status. */
export type AnomalyCounts = Readonly<Record<AnomalyStatus, number>>

export const NO_ANOMALIES: AnomalyCounts = { raised: 0, revised: 0, retracted: 0, suppressed: 0 }

export const addAnomalies = (a: AnomalyCounts, b: AnomalyCounts): AnomalyCounts => ({
  raised: a.raised + b.raised,
  revised: a.revised + b.revised,
  retracted: a.retracted + b.retracted,
  suppressed: a.suppressed + b.suppressed,
})

/** What one detector said of one view (of a flow, where records are scored). */
export interface DetectorAnomalies {
  readonly view: string
  readonly detector: string
  readonly counts: AnomalyCounts
}

/** Counts a dense batch of anomaly records by view and detector. None where a later transform took their columns away. */
export function countAnomalies(batch: Batch): readonly DetectorAnomalies[] {
  const columns = ['view', 'detector', 'status'].map(name => batch.columns[fieldIndex(batch.schema, name)])
  const [view, detector, status] = columns
  if (columns.some(c => c === undefined)) return []
  const found = new Map<string, { view: string; detector: string; counts: Record<AnomalyStatus, number> }>()
  for (let row = 0; row < batch.length; row++) {
    const said = ANOMALY_STATUSES.find(s => s === valueAt(status, row))
    if (said === undefined) continue
    const names = { view: String(valueAt(view, row)), detector: String(valueAt(detector, row)) }
    const key = JSON.stringify(names)
    const one = found.get(key) ?? { ...names, counts: { ...NO_ANOMALIES } }
    one.counts[said]++
    found.set(key, one)
  }
  return [...found.values()]
}
