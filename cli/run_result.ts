import { z } from 'zod'
import { ANOMALY_STATUSES, type AnomalyCounts, addAnomalies, NO_ANOMALIES } from '../runtime/anomaly_counts'
import type { WorkerResult } from '../runtime/worker'

/**
 * `result` of `connect run --json`. The committed schema is generated from this. All counts are those of this run
 * alone. Flows and views are named `pipeline/name` where a run has several pipelines.
 */

const count = (text: string) => z.int().min(0).describe(text)
const error = z.string().optional().describe('Code of the error that ended it; absent if it ended well.')

const anomalyCounts = {
  raised: count('Alerts.'),
  revised: count('Alerts that stand after their window was revised.'),
  retracted: count('Alerts that a revision of their window took back.'),
  suppressed: count('Alerts within the refractory period of an earlier one.'),
} satisfies Record<keyof AnomalyCounts, z.ZodType>

export const runResultSchema = z.strictObject({
  flows: z.record(
    z.string(),
    z.strictObject({
      read: count(
        'Records read from the source; of a view, the rows of windows that closed, each once. Those that a stop or a rebalance leaves ' +
          'unsettled are read again and counted then.',
      ),
      written: count('Records written to the sink.'),
      filtered: count('Records left out by filters.'),
      dead_lettered: count('Records set aside.'),
      restarts: count('Restarts after an error that passes.'),
      error,
    }),
  ),
  views: z.record(
    z.string(),
    z.strictObject({
      windows: count('Windows closed, each once for all keys.'),
      revisions: count('Windows revised after they were closed, once for each time.'),
      late: count("Records of the table that came too late to count, whether or not the view's `where` would take them."),
      reopened: count('Revisions of windows that were final.'),
      error,
    }),
  ),
  anomalies: z
    .strictObject({
      ...anomalyCounts,
      views: z
        .record(z.string(), z.record(z.string(), z.strictObject(anomalyCounts)))
        .describe('The same by view (by flow, where records are scored) and detector, for those that found something.'),
    })
    .describe('Anomaly records written by flows that score.'),
  latency_ms: z
    .strictObject({ p50: z.number().nullable(), p99: z.number().nullable() })
    .describe(
      "From a record's own timestamp to its durable write, of records stamped since the run began; null: there were none.",
    ),
  services: z
    .record(z.string(), z.strictObject({ address: z.string() }))
    .describe('Embedded services that were used, by their addresses.'),
})

export type RunResult = z.output<typeof runResultSchema>

export const runResult = (
  { flows, views, latency_ms }: WorkerResult,
  addresses: Readonly<Record<string, string | undefined>>,
): RunResult => ({
  flows: Object.fromEntries(
    flows.map(f => [nameIn(flows, f, f.flow), { ...f.counts, ...(f.error ? { error: f.error.code } : {}) }]),
  ),
  views: Object.fromEntries(
    views.map(v => [nameIn(flows, v, v.view), { ...v.counts, ...(v.error ? { error: v.error.code } : {}) }]),
  ),
  anomalies: anomaliesOf(flows),
  latency_ms,
  services: Object.fromEntries(Object.entries(addresses).flatMap(([name, address]) => (address ? [[name, { address }]] : []))),
})

/** Flows, views and detectors' views of several pipelines may have the same names. */
export const nameIn = (flows: WorkerResult['flows'], { pipeline }: { readonly pipeline: string }, short: string): string =>
  flows.some(f => f.pipeline !== pipeline) ? `${pipeline}/${short}` : short

/** One line for a person; null: no flow looks for anomalies, or none were found. */
export function anomalyLine(result: WorkerResult): string | null {
  const { views: _, ...counts } = anomaliesOf(result.flows)
  if (ANOMALY_STATUSES.every(s => counts[s] === 0)) return null
  return `anomalies: ${ANOMALY_STATUSES.map(s => `${s} ${counts[s]}`).join(', ')}`
}

function anomaliesOf(flows: WorkerResult['flows']): RunResult['anomalies'] {
  let all = NO_ANOMALIES
  const views: Record<string, Record<string, AnomalyCounts>> = {}
  for (const { view, detector, counts } of flows.flatMap(f => f.anomalies.map(a => ({ ...a, view: nameIn(flows, f, a.view) })))) {
    all = addAnomalies(all, counts)
    views[view] = { ...views[view], [detector]: addAnomalies(views[view]?.[detector] ?? NO_ANOMALIES, counts) }
  }
  return { ...all, views }
}
