/** Metric names as Prometheus shows them; `events.ts` says which event moves which. */

interface MetricRule {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly help: string
}

export interface MetricUpdate {
  readonly metric: MetricName
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const FLOW = ['pipeline', 'flow'] as const
const VIEW = ['pipeline', 'view'] as const

const counter = (labels: readonly string[], help: string): MetricRule => ({ type: 'counter', labels, help })
const gauge = (labels: readonly string[], help: string): MetricRule => ({ type: 'gauge', labels, help })
const histogram = (labels: readonly string[], help: string): MetricRule => ({ type: 'histogram', labels, help })

export const METRICS = {
  olap_connect_records_read_total: counter(FLOW, 'Records read from the source.'),
  olap_connect_records_repeated_total: counter(
    FLOW,
    'Rows of windows read once more because their window was revised or became final; not counted as read again.',
  ),
  olap_connect_bytes_read_total: counter(FLOW, 'Bytes of records read from the source.'),
  olap_connect_records_written_total: counter(FLOW, 'Records written to the sink.'),
  olap_connect_records_filtered_total: counter(FLOW, 'Records left out by filters.'),
  olap_connect_records_dead_lettered_total: counter([...FLOW, 'stage', 'code'], 'Records set aside.'),
  olap_connect_records_slow_path_total: counter([...FLOW, 'reason'], 'Rows that took a slow path.'),
  olap_connect_batches_total: counter(FLOW, 'Batches written.'),
  olap_connect_replays_total: counter(FLOW, 'Pending batches sent again after a restart or rebalance.'),
  olap_connect_repairs_total: counter([...FLOW, 'table'], 'Rows found missing after a re-send and inserted.'),
  olap_connect_restarts_total: counter(FLOW, 'Restarts of a flow after a retriable error.'),
  olap_connect_sessions_total: counter(FLOW, 'Group sessions (joins and rebalances).'),
  olap_connect_retries_total: counter([...FLOW, 'stage', 'code'], 'Operations tried again.'),
  olap_connect_lag_records: gauge(FLOW, 'Records between the position and the end of the source.'),
  olap_connect_watermark_seconds: gauge(FLOW, 'Smallest event-time watermark over the partitions, seconds since 1970.'),
  olap_connect_bytes_in_flight: gauge(FLOW, 'Bytes of records held in memory.'),
  olap_connect_latency_seconds: histogram(
    FLOW,
    'From the record timestamp to its durable write, of records stamped since the run began.',
  ),
  olap_connect_batch_rows: histogram(FLOW, 'Rows per batch.'),
  olap_connect_write_seconds: histogram(FLOW, 'Time of one write.'),
  olap_connect_view_watermark_seconds: gauge(
    VIEW,
    'Event time up to which the windows of a view are closed, seconds since 1970.',
  ),
  olap_connect_view_lag_seconds: gauge(VIEW, 'Wall clock less the watermark of a view when it last closed windows.'),
  olap_connect_windows_total: counter([...VIEW, 'kind'], 'Windows closed, revised, ended.'),
  olap_connect_finalise_seconds: histogram(VIEW, 'Time of one pass that closes, revises or ends windows.'),
  olap_connect_records_late_total: counter(
    VIEW,
    "Records of the table that came too late to count, whether or not the view's where would take them.",
  ),
  olap_connect_read_rate: gauge(FLOW, 'Records read per second over the last ten seconds.'),
  olap_connect_write_rate: gauge(FLOW, 'Records written per second over the last ten seconds.'),
  olap_connect_recent_batch_rows: gauge(FLOW, 'Mean rows of the batches of the last seconds.'),
  olap_connect_recent_latency_seconds: gauge(
    [...FLOW, 'quantile'],
    'From the record timestamp to its durable write, quantiles of the last one to two minutes.',
  ),
  olap_connect_scores_total: counter([...FLOW, 'detector'], 'Windows or records that a detector gave a score.'),
  olap_connect_view_closing_seconds: histogram(
    VIEW,
    'From the watermark passing the end of a window to its closing, for the first window of each pass.',
  ),
  olap_connect_anomalies_total: counter(
    [...FLOW, 'view', 'detector', 'status'],
    'Anomaly records written: raised, revised, retracted, suppressed.',
  ),
  olap_connect_flow_up: gauge(FLOW, '1 while the flow runs, 0 once it has stopped.'),
}

export type MetricName = keyof typeof METRICS
