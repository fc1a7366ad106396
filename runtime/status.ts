import type { MetricUpdate } from './metrics'

/**
 * What runs in a worker right now: the one model behind the live table, `connect status`, `connect top`, the page and the derived
 * metrics. Plain JSON, served as `/api/status`. Counters count since the worker started and equal the metrics of the same name;
 * moments are milliseconds since 1970; null: not known (yet).
 */
export interface Status {
  readonly version: string
  readonly started_at: number
  /** When this was taken. */
  readonly now: number
  readonly pipelines: readonly PipelineStatus[]
  readonly flows: readonly FlowStatus[]
  readonly views: readonly ViewStatus[]
  readonly detectors: readonly DetectorStatus[]
  readonly services: readonly ServiceStatus[]
}

export interface PipelineStatus {
  readonly name: string
  readonly file: string
}

/**
 * `starting`: no session yet. `waiting`: a service does not answer. `restarting`: starts again from its position after an error.
 * `finished`: all input was read. `stopped`: on request. `failed`: for good, the others go on.
 */
export type FlowState = 'starting' | 'running' | 'waiting' | 'restarting' | 'finished' | 'stopped' | 'failed'

/** A flow in one of these does nothing any more. */
export const ENDED: readonly FlowState[] = ['finished', 'stopped', 'failed']

export interface Problem {
  readonly code: string
  readonly message: string
}

/** One end of a flow: plugin, connection and what it reads or writes there. */
export interface EndStatus {
  readonly type: string
  readonly connection: string | null
  readonly names: readonly string[]
}

export interface FlowStatus {
  readonly pipeline: string
  readonly flow: string
  readonly source: EndStatus
  readonly transforms: readonly string[]
  readonly sink: EndStatus
  readonly state: FlowState
  /** Why it waits, starts again or has failed. */
  readonly problem: Problem | null
  readonly started_at: number | null
  /** Partitions held by this worker. */
  readonly partitions: number | null
  /** Rows of windows count once, when their window closes. */
  readonly read: number
  readonly bytes_read: number
  readonly written: number
  readonly filtered: number
  readonly dead_lettered: number
  readonly batches: number
  readonly restarts: number
  /** Records per second over the last ten seconds. */
  readonly read_per_second: number
  readonly written_per_second: number
  /** Records between the position and the end of the source. */
  readonly lag: number | null
  /** Mean rows of the batches of the last seconds; of the last ones while nothing comes. */
  readonly batch_rows: number | null
  /** From a record's own timestamp to its durable write, of the last one to two minutes; within 9 %. Null: only history, older than the run. */
  readonly latency_ms: { readonly p50: number | null; readonly p99: number | null }
  readonly bytes_in_flight: number
  /** Smallest event-time watermark over the partitions. */
  readonly watermark_ms: number | null
  /** How far a bounded input has been read; null where the input goes on for ever. */
  readonly progress: Progress | null
}

export interface Progress {
  /** 0 to 1. */
  readonly share: number
  /** Records not yet read. */
  readonly records_left: number
  /** Milliseconds at the present rate. */
  readonly time_left_ms: number | null
}

export interface ViewStatus {
  readonly pipeline: string
  readonly view: string
  readonly connection: string
  /** Table it is made from. */
  readonly from: string
  readonly size_ms: number
  readonly slide_ms: number
  readonly state: 'running' | 'failed'
  readonly problem: Problem | null
  /** Event time up to which windows were closed. */
  readonly watermark_ms: number | null
  /** `now` less the watermark. */
  readonly behind_ms: number | null
  /** Windows closed, revised after that, and become final. */
  readonly windows: number
  readonly revised: number
  readonly final: number
  /** Records of the table that came too late to count, whether or not the view's `where` would take them. */
  readonly late: number
  /** Milliseconds the last closing took. */
  readonly closing_ms: number | null
}

export interface DetectorStatus {
  readonly pipeline: string
  readonly flow: string
  readonly detector: string
  readonly type: string
  /** Windows or records that got a score. */
  readonly scores: number
  /** Verdicts by status. `raised` are the anomalies. */
  readonly raised: number
  readonly revised: number
  readonly retracted: number
  readonly suppressed: number
  /** When the last one was raised, by this machine's clock. */
  readonly last_raised_at: number | null
}

/** `unknown`: not asked yet. */
export type ServiceState = 'unknown' | 'up' | 'unreachable'

export interface ServiceStatus {
  /** `kafka`, `clickhouse`, `schema_registry`. */
  readonly service: string
  /** Without user or password. */
  readonly address: string
  readonly embedded: boolean
  readonly state: ServiceState
  readonly problem: Problem | null
  /** Since when it is in this state. */
  readonly since: number
  readonly pipelines: readonly string[]
}

/** Metrics that no single event moves; NaN where a figure is not known any more, as Prometheus has it. */
export function derivedMetrics({ flows }: Status): readonly MetricUpdate[] {
  return flows.flatMap(f => {
    const labels = { pipeline: f.pipeline, flow: f.flow }
    const seconds = (ms: number | null): number => (ms === null ? Number.NaN : ms / 1000)
    return [
      { metric: 'olap_connect_read_rate', labels, value: f.read_per_second },
      { metric: 'olap_connect_write_rate', labels, value: f.written_per_second },
      { metric: 'olap_connect_recent_batch_rows', labels, value: f.batch_rows ?? Number.NaN },
      { metric: 'olap_connect_recent_latency_seconds', labels: { ...labels, quantile: '0.5' }, value: seconds(f.latency_ms.p50) },
      {
        metric: 'olap_connect_recent_latency_seconds',
        labels: { ...labels, quantile: '0.99' },
        value: seconds(f.latency_ms.p99),
      },
    ]
  })
}
