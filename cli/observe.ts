import { Counter, Gauge, Histogram, Registry as PromRegistry } from 'prom-client'
import { createEmitter, type Emitter, type EventTargets, type Level } from '../runtime/events'
import { METRICS, type MetricName, type MetricUpdate } from '../runtime/metrics'
import { derivedMetrics } from '../runtime/status'
import type { StatusBoard } from '../runtime/status_board'
import type { Io } from './io'

const SEVERITY: Readonly<Record<Level, number>> = { debug: 20, info: 30, warn: 40, error: 50 }

export interface LogOptions {
  readonly level: Level
  /** `text` for people, `json` for collectors: one object a line with the event's own fields. */
  readonly format: 'text' | 'json'
  /** Several pipelines run: what is said of a flow or view for people begins with its pipeline, since two may have one name. */
  readonly several?: boolean
}

export interface Observability {
  readonly events: Emitter
  /** Prometheus text. Figures that are worked out of others are those of the status at that moment. */
  metrics(): Promise<string>
}

/** Logs to stderr, metrics in a registry of our own, and the figures of the status. `scrub` removes secrets from every text. */
export function observe(io: Io, options: LogOptions, scrub: (text: string) => string, board: StatusBoard): Observability {
  const registry = new PromRegistry()
  const metrics = createMetrics(registry)
  const least = SEVERITY[options.level]
  const log: EventTargets['log'] = (level, event, text, data) => {
    if (SEVERITY[level] < least) return
    const time = new Date().toISOString()
    const line =
      options.format === 'json'
        ? JSON.stringify({ time, level, event, text, ...data })
        : `${time.slice(11, 23)} ${level.padEnd(5)} ${options.several ? placed(text, data) : text}`
    void io.err(`${scrub(line)}\n`)
  }
  const events = createEmitter(
    { log, metric: update => move(metrics, update), seen: (event, data) => board.seen(event, data) },
    scrub,
  )
  return {
    events,
    metrics() {
      for (const update of derivedMetrics(board.status())) move(metrics, update)
      return registry.metrics()
    },
  }
}

/** `anomalies: ...` as `device-fleet/anomalies: ...`, for what happens in a flow or view. */
function placed(text: string, data: object): string {
  const { pipeline, flow, view } = data as Readonly<Record<string, unknown>>
  const named = [flow, view].some(name => typeof name === 'string' && text.startsWith(`${name}:`))
  return named && typeof pipeline === 'string' ? `${pipeline}/${text}` : text
}

type Metric = Counter | Gauge | Histogram

function createMetrics(registry: PromRegistry): ReadonlyMap<MetricName, Metric> {
  const made = new Map<MetricName, Metric>()
  for (const [key, { type, labels, help }] of Object.entries(METRICS)) {
    const name = key as MetricName
    const options = { name, help, labelNames: [...labels], registers: [registry] }
    if (type === 'counter') made.set(name, new Counter(options))
    else if (type === 'gauge') made.set(name, new Gauge(options))
    else made.set(name, new Histogram({ ...options, buckets: bucketsOf(name) }))
  }
  return made
}

/** Rows are counted in powers of ten, seconds from a millisecond to a minute. */
const bucketsOf = (name: MetricName): number[] =>
  name.endsWith('_rows')
    ? [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]
    : [0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60]

function move(metrics: ReadonlyMap<MetricName, Metric>, { metric, labels, value }: MetricUpdate): void {
  const target = metrics.get(metric)
  if (target instanceof Counter) target.inc(labels, value)
  else if (target instanceof Gauge) target.set(labels, value)
  else target?.observe(labels, value)
}
