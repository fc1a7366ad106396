import { ANOMALY_STATUSES, type AnomalyCounts } from './anomaly_counts'
import type { MetricName, MetricUpdate } from './metrics'

/**
 * Every log line and metric of the product as a named event: one `emit` writes both. The table says the level, what a person
 * reads and which metrics move; `createEmitter` gives them to whatever logger and metrics library the command line brings.
 */

export type Level = 'debug' | 'info' | 'warn' | 'error'

interface FlowRef {
  readonly pipeline: string
  readonly flow: string
}

interface ViewRef {
  readonly pipeline: string
  readonly view: string
}

/** What each event carries. */
export interface EventData {
  flow_started: FlowRef & { readonly source: string; readonly sink: string; readonly lanes: number }
  /** `complete`: all input was read; else a stop was asked for. */
  flow_finished: FlowRef & { readonly reason: string; readonly complete: boolean }
  flow_failed: FlowRef & { readonly code: string; readonly message: string; readonly hint: string; readonly stage: string }
  flow_restarting: FlowRef & { readonly code: string; readonly message: string; readonly in_ms: number }
  session_started: FlowRef & { readonly session: string; readonly lanes: string; readonly partitions: number }
  session_over: FlowRef & { readonly session: string; readonly reason: string }
  lane_recovered: FlowRef & { readonly lane: number; readonly what: string }
  lane_replaying: FlowRef & { readonly lane: number; readonly ranges: string }
  /** What the transforms of a lane had learnt cannot be used; they begin with nothing. */
  state_dropped: FlowRef & { readonly lane: number; readonly reason: string }
  rows_repaired: FlowRef & { readonly table: string; readonly rows: number }
  /** `repeated`: rows beside these that were read before, see `Chunk.repeated`. */
  records_read: FlowRef & { readonly records: number; readonly repeated: number; readonly bytes: number }
  batch_written: FlowRef & {
    readonly lane: number
    readonly rows: number
    readonly filtered: number
    readonly write_ms: number
    /** Milliseconds from a record's own timestamp to the acknowledgement, of records spread over the batch that were stamped since the run began. */
    readonly latencies_ms: readonly number[]
  }
  /** Anomaly records that are durable now, by status. */
  anomalies_written: FlowRef & AnomalyCounts & { readonly view: string; readonly detector: string }
  records_rejected: FlowRef & {
    readonly stage: string
    readonly plugin: string
    readonly code: string
    readonly records: number
    readonly example: string
  }
  slow_path: FlowRef & { readonly reason: string; readonly rows: number }
  retrying: FlowRef & { readonly stage: string; readonly code: string; readonly message: string; readonly in_ms: number }
  service_unreachable: FlowRef & {
    readonly stage: string
    readonly code: string
    readonly message: string
    readonly hint: string
  }
  service_back: FlowRef & { readonly stage: string; readonly after_ms: number }
  /** `unread`: those of them that have not been read either. */
  lag_measured: FlowRef & { readonly records: number; readonly unread: number }
  watermark_moved: FlowRef & { readonly watermark_ms: number }
  memory_in_flight: FlowRef & { readonly bytes: number }
  windows_finalised: ViewRef & {
    readonly closed: number
    readonly revised: number
    readonly final: number
    readonly took_ms: number
    readonly watermark_ms: number
    /** Wall clock less watermark. */
    readonly lag_ms: number
    /** From the watermark passing the end of the first window closed here to now; null where none was due by the watermark. */
    readonly closing_ms: number | null
  }
  view_owned: ViewRef & {
    /** End of the last window that was closed before; null: none. */
    readonly closed_ms: number | null
  }
  view_lost: ViewRef & { readonly reason: string }
  /** `tell`: what people are told now; null: nothing, because they were told a moment ago. */
  records_late: ViewRef & {
    readonly records: number
    readonly tell: { readonly table: string; readonly records: number; readonly first: boolean } | null
  }
  /** Windows or records of a batch that a detector gave a score; told before they are written. */
  rows_scored: FlowRef & { readonly detector: string; readonly scores: number }
  /** A view holds what comes after it was made; told at each start. */
  view_lacks_rows: ViewRef & FlowRef & { readonly table: string; readonly rows: number }
  view_failed: ViewRef & { readonly code: string; readonly message: string; readonly hint: string }
  table_created: FlowRef & { readonly table: string; readonly statement: string }
  topic_created: FlowRef & { readonly topic: string; readonly partitions: number }
  topic_altered: FlowRef & { readonly topic: string; readonly setting: string; readonly from: string; readonly to: string }
  /** Records are written that are older than the topic keeps any: a broker may delete them at its next look. Told once. */
  records_expire: FlowRef & { readonly topic: string; readonly oldest_ms: number; readonly retention_ms: number }
  schema_registered: FlowRef & { readonly subject: string; readonly id: number }
  schema_evolved: FlowRef & { readonly subject: string; readonly detail: string }
  client_log: { readonly client: string; readonly level: Level; readonly message: string }
  service_started: { readonly service: string; readonly address: string }
  listening: { readonly address: string }
  port_taken: { readonly address: string }
  service_stopped: { readonly service: string; readonly reason: string }
}

export type EventName = keyof EventData

interface EventRule<D> {
  readonly level: Level | ((data: D) => Level)
  readonly text: (data: D) => string
  readonly metrics?: (data: D) => readonly MetricUpdate[]
}

const flowOf = (d: FlowRef): { pipeline: string; flow: string } => ({ pipeline: d.pipeline, flow: d.flow })
const viewOf = (d: ViewRef): { pipeline: string; view: string } => ({ pipeline: d.pipeline, view: d.view })
/** The first part of a member's UUID tells members apart for people; the JSON log has the whole. */
const brief = (session: string): string => session.replace(/([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, '$1')
const move = (metric: MetricName, labels: Readonly<Record<string, string>>, value: number): MetricUpdate => ({
  metric,
  labels,
  value,
})

export const EVENTS: { readonly [N in EventName]: EventRule<EventData[N]> } = {
  flow_started: {
    level: 'info',
    text: d => `${d.flow}: ${d.source} -> ${d.sink}, ${d.lanes} lane(s)`,
    metrics: d => [move('olap_connect_flow_up', flowOf(d), 1)],
  },
  flow_finished: {
    level: 'info',
    text: d => `${d.flow}: finished (${d.reason})`,
    metrics: d => [move('olap_connect_flow_up', flowOf(d), 0)],
  },
  flow_failed: {
    level: 'error',
    text: d => `${d.flow}: stopped at ${d.stage} by ${d.code}: ${d.message}\n  ${d.hint}`,
    metrics: d => [move('olap_connect_flow_up', flowOf(d), 0)],
  },
  flow_restarting: {
    level: 'warn',
    text: d => `${d.flow}: ${d.code}: ${d.message}; starts again in ${d.in_ms} ms`,
    metrics: d => [move('olap_connect_restarts_total', flowOf(d), 1)],
  },
  session_started: {
    level: 'info',
    text: d =>
      `${d.flow}: session ${brief(d.session)} with lanes ${d.lanes} (${d.partitions} partition${d.partitions === 1 ? '' : 's'})`,
    metrics: d => [move('olap_connect_sessions_total', flowOf(d), 1)],
  },
  session_over: { level: 'info', text: d => `${d.flow}: session ${brief(d.session)} is over: ${d.reason}` },
  lane_recovered: { level: 'info', text: d => `${d.flow}: lane ${d.lane}: ${d.what}` },
  lane_replaying: {
    level: 'info',
    text: d => `${d.flow}: lane ${d.lane} sends its pending batch again: ${d.ranges}`,
    metrics: d => [move('olap_connect_replays_total', flowOf(d), 1)],
  },
  state_dropped: {
    level: 'warn',
    text: d => `${d.flow}: lane ${d.lane}: what was learnt cannot be used (${d.reason}); it is learnt anew`,
  },
  rows_repaired: {
    level: 'warn',
    text: d => `${d.flow}: ${d.rows} acknowledged rows were missing in ${d.table} and were inserted`,
    metrics: d => [move('olap_connect_repairs_total', { ...flowOf(d), table: d.table }, d.rows)],
  },
  records_read: {
    level: 'debug',
    text: d => `${d.flow}: read ${d.records}`,
    metrics: d => [
      move('olap_connect_records_read_total', flowOf(d), d.records),
      ...(d.repeated > 0 ? [move('olap_connect_records_repeated_total', flowOf(d), d.repeated)] : []),
      move('olap_connect_bytes_read_total', flowOf(d), d.bytes),
    ],
  },
  batch_written: {
    level: 'debug',
    text: d => `${d.flow}: lane ${d.lane} wrote ${d.rows} rows in ${d.write_ms.toFixed(1)} ms`,
    metrics: d => [
      move('olap_connect_batches_total', flowOf(d), 1),
      move('olap_connect_records_written_total', flowOf(d), d.rows),
      move('olap_connect_records_filtered_total', flowOf(d), d.filtered),
      move('olap_connect_batch_rows', flowOf(d), d.rows),
      move('olap_connect_write_seconds', flowOf(d), d.write_ms / 1000),
      ...d.latencies_ms.map(ms => move('olap_connect_latency_seconds', flowOf(d), ms / 1000)),
    ],
  },
  anomalies_written: {
    level: 'debug',
    text: d => `${d.flow}: ${d.detector} on ${d.view}: ${ANOMALY_STATUSES.map(s => `${d[s]} ${s}`).join(', ')}`,
    metrics: d =>
      ANOMALY_STATUSES.map(status =>
        move('olap_connect_anomalies_total', { ...flowOf(d), view: d.view, detector: d.detector, status }, d[status]),
      ),
  },
  records_rejected: {
    level: 'warn',
    text: d => `${d.flow}: ${d.records} record(s) rejected at ${d.stage} by ${d.plugin}: ${d.code}, e.g. ${d.example}`,
    metrics: d => [move('olap_connect_records_dead_lettered_total', { ...flowOf(d), stage: d.stage, code: d.code }, d.records)],
  },
  slow_path: {
    level: 'debug',
    text: d => `${d.flow}: ${d.rows} rows took the slow path: ${d.reason}`,
    metrics: d => [move('olap_connect_records_slow_path_total', { ...flowOf(d), reason: d.reason }, d.rows)],
  },
  // said once by service_unreachable; each further try is a detail
  retrying: {
    level: 'debug',
    text: d => `${d.flow}: ${d.stage}: ${d.code}: ${d.message}; again in ${d.in_ms} ms`,
    metrics: d => [move('olap_connect_retries_total', { ...flowOf(d), stage: d.stage, code: d.code }, 1)],
  },
  service_unreachable: { level: 'warn', text: d => `${d.flow}: waiting at ${d.stage}: ${d.code}: ${d.message}\n  ${d.hint}` },
  service_back: { level: 'info', text: d => `${d.flow}: ${d.stage} works again after ${(d.after_ms / 1000).toFixed(1)} s` },
  lag_measured: {
    level: 'debug',
    text: d => `${d.flow}: lag ${d.records}`,
    metrics: d => [move('olap_connect_lag_records', flowOf(d), d.records)],
  },
  watermark_moved: {
    level: 'debug',
    text: d => `${d.flow}: watermark ${d.watermark_ms}`,
    metrics: d => [move('olap_connect_watermark_seconds', flowOf(d), d.watermark_ms / 1000)],
  },
  memory_in_flight: {
    level: 'debug',
    text: d => `${d.flow}: ${d.bytes} bytes in flight`,
    metrics: d => [move('olap_connect_bytes_in_flight', flowOf(d), d.bytes)],
  },
  windows_finalised: {
    level: 'debug',
    text: d => `${d.view}: ${d.closed} windows closed, ${d.revised} revised, ${d.final} final in ${d.took_ms.toFixed(1)} ms`,
    metrics: d => [
      move('olap_connect_view_watermark_seconds', viewOf(d), d.watermark_ms / 1000),
      move('olap_connect_view_lag_seconds', viewOf(d), d.lag_ms / 1000),
      move('olap_connect_windows_total', { ...viewOf(d), kind: 'close' }, d.closed),
      move('olap_connect_windows_total', { ...viewOf(d), kind: 'revise' }, d.revised),
      move('olap_connect_windows_total', { ...viewOf(d), kind: 'final' }, d.final),
      move('olap_connect_finalise_seconds', viewOf(d), d.took_ms / 1000),
      ...(d.closing_ms === null ? [] : [move('olap_connect_view_closing_seconds', viewOf(d), d.closing_ms / 1000)]),
    ],
  },
  view_owned: {
    level: 'info',
    text: d =>
      `${d.view}: this worker closes its windows${d.closed_ms === null ? '' : `, those after ${new Date(d.closed_ms).toISOString()}`}`,
  },
  view_lost: { level: 'info', text: d => `${d.view}: this worker no longer closes its windows: ${d.reason}` },
  records_late: {
    level: d => (d.tell ? 'warn' : 'debug'),
    text: d =>
      `${d.view}: ${d.tell?.records ?? d.records} ${d.tell?.first ? '' : 'more '}record(s) came too late to count` +
      (d.tell?.first
        ? `; they are in ${d.tell.table}, not in the view. To have them counted, give the flow that writes ${d.tell.table}, ` +
          `${d.tell.table} and ${d.view} new names: the input is then read again from its beginning (files need merge_by). Where ` +
          'records come late all the time, a larger `lateness` counts those to come; detectors learn that much later'
        : ''),
    metrics: d => [move('olap_connect_records_late_total', viewOf(d), d.records)],
  },
  rows_scored: {
    level: 'debug',
    text: d => `${d.flow}: ${d.detector} gave ${d.scores} scores`,
    metrics: d => [move('olap_connect_scores_total', { ...flowOf(d), detector: d.detector }, d.scores)],
  },
  view_lacks_rows: {
    level: 'warn',
    text: d =>
      `${d.view}: ${d.table} had ${d.rows} row(s) when the view was made, which are not in it: it holds what came afterwards. ` +
      `To have all of them, give flow ${d.flow}, ${d.table} and ${d.view} new names: the input is then read again from its beginning`,
  },
  view_failed: { level: 'error', text: d => `${d.view}: stopped by ${d.code}: ${d.message}\n  ${d.hint}` },
  table_created: { level: 'info', text: d => `${d.flow}: created ${d.table}` },
  topic_created: { level: 'info', text: d => `${d.flow}: created topic ${d.topic} with ${d.partitions} partition(s)` },
  topic_altered: { level: 'info', text: d => `${d.flow}: topic ${d.topic}: ${d.setting} was ${d.from} and is now ${d.to}` },
  records_expire: {
    level: 'warn',
    text: d =>
      `${d.flow}: records of ${new Date(d.oldest_ms).toISOString()} are written to ${d.topic}, which keeps records for ` +
      `${(d.retention_ms / 3_600_000).toFixed(1)} h after their own time: a broker may delete these within minutes. ` +
      `To keep history, write in the sink\n  topic: { name: ${d.topic}, config: { retention.ms: -1 }, on_difference: alter }`,
  },
  schema_registered: { level: 'info', text: d => `${d.flow}: registered ${d.subject} as schema ${d.id}` },
  schema_evolved: { level: 'info', text: d => `${d.flow}: ${d.subject}: ${d.detail}` },
  client_log: { level: d => d.level, text: d => `${d.client}: ${d.message}` },
  service_started: { level: 'info', text: d => `${d.service} at ${d.address}` },
  port_taken: { level: 'warn', text: d => `${d.address} is taken by another program; a free port is used instead` },
  listening: { level: 'info', text: d => `page and metrics at ${d.address}` },
  service_stopped: { level: 'info', text: d => `${d.service} stopped: ${d.reason}` },
}

export interface Emitter {
  emit<N extends EventName>(name: N, data: EventData[N]): void
}

export interface EventTargets {
  log(level: Level, event: EventName, text: string, data: object): void
  metric(update: MetricUpdate): void
  /** Whoever keeps figures of its own. */
  seen?<N extends EventName>(event: N, data: EventData[N]): void
}

/** `scrub` replaces secrets; every text passes it. */
export function createEmitter(targets: EventTargets, scrub: (text: string) => string = text => text): Emitter {
  return {
    emit(name, data) {
      const rule = EVENTS[name] as EventRule<typeof data>
      const level = typeof rule.level === 'function' ? rule.level(data) : rule.level
      targets.log(level, name, scrub(rule.text(data)), data)
      for (const update of rule.metrics?.(data) ?? []) targets.metric(update)
      targets.seen?.(name, data)
    },
  }
}

/** Swallows everything; for tests and one-off commands. */
export const silent: Emitter = { emit: () => {} }
