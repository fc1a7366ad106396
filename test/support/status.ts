import type { FlowStatus, Status, ViewStatus } from '../../runtime/status'

/** Parts of a status with nothing in them but what a test says. */

const NOW = 1_772_627_415_000

export const flowStatus = (more: Partial<FlowStatus> = {}): FlowStatus => ({
  pipeline: 'p',
  flow: 'ingest',
  source: { type: 'kafka', connection: 'kafka', names: ['a'] },
  transforms: [],
  sink: { type: 'clickhouse', connection: 'clickhouse', names: ['b'] },
  state: 'running',
  problem: null,
  started_at: NOW,
  partitions: 4,
  read: 0,
  bytes_read: 0,
  written: 0,
  filtered: 0,
  dead_lettered: 0,
  batches: 0,
  restarts: 0,
  read_per_second: 0,
  written_per_second: 0,
  lag: null,
  batch_rows: null,
  latency_ms: { p50: null, p99: null },
  bytes_in_flight: 0,
  watermark_ms: null,
  progress: null,
  ...more,
})

export const viewStatus = (more: Partial<ViewStatus> = {}): ViewStatus => ({
  pipeline: 'p',
  view: 'v',
  connection: 'clickhouse',
  from: 'cpu',
  size_ms: 300_000,
  slide_ms: 60_000,
  state: 'running',
  problem: null,
  watermark_ms: null,
  behind_ms: null,
  windows: 0,
  revised: 0,
  final: 0,
  late: 0,
  closing_ms: null,
  ...more,
})

/** Of the pipelines of its flows. */
export const statusOf = (more: Partial<Status> = {}): Status => ({
  version: '0',
  started_at: NOW,
  now: NOW,
  pipelines: [...new Set((more.flows ?? []).map(f => f.pipeline))].map(name => ({ name, file: `${name}.yaml` })),
  flows: [],
  views: [],
  detectors: [],
  services: [],
  ...more,
})
