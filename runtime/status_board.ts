import { ANOMALY_STATUSES } from './anomaly_counts'
import type { Clock } from './clock'
import type { EventData, EventName } from './events'
import type { Registry } from './registry'
import type { FlowSpec, PipelineSpec, ViewSpec } from './spec'
import { endpoints } from './stages'
import type { DetectorStatus, PipelineStatus, Problem, ServiceState, ServiceStatus, Status, ViewStatus } from './status'
import { FlowBoard } from './status_flow'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Handlers = { readonly [N in EventName]?: (data: EventData[N]) => void }

interface Service extends Mutable<Omit<ServiceStatus, 'pipelines'>> {
  readonly pipelines: Set<string>
  readonly connections: Set<string>
}

/**
 * Adds up the same events from which metrics are made, so that its figures cannot differ from theirs. `watch` names the pipelines
 * before they run; events of services may come earlier.
 */
export class StatusBoard {
  readonly #clock: Clock
  readonly #version: string
  readonly #startedAt: number
  readonly #pipelines: PipelineStatus[] = []
  readonly #flows = new Map<string, FlowBoard>()
  readonly #views = new Map<string, Mutable<ViewStatus>>()
  readonly #detectors = new Map<string, Mutable<DetectorStatus>>()
  readonly #services = new Map<string, Service>()
  /** Services that were up at some time. */
  readonly #reached = new Set<Service>()
  /** `<pipeline>/<flow or view>` -> stage -> `<pipeline>/<connection>` it talks to there. */
  readonly #talks = new Map<string, ReadonlyMap<string, string>>()
  /** `<pipeline>/<flow>` of flows whose records cannot be read without a schema registry. */
  readonly #readWithRegistry = new Set<string>()
  readonly #handlers: Handlers

  constructor(clock: Clock, version: string) {
    this.#clock = clock
    this.#version = version
    this.#startedAt = clock.now()
    this.#handlers = this.#makeHandlers()
  }

  /** `bounded`: every flow ends once it has caught up. */
  watch(pipelines: readonly PipelineSpec[], registry: Registry, bounded: boolean): void {
    for (const pipeline of pipelines) {
      this.#pipelines.push({ name: pipeline.name, file: pipeline.file })
      for (const flow of pipeline.flows) this.#watchFlow(pipeline, flow, registry, bounded)
      for (const view of pipeline.views) this.#watchView(pipeline, view)
      this.#watchServices(pipeline, registry)
    }
  }

  /** Hears an event. */
  seen<N extends EventName>(name: N, data: EventData[N]): void {
    this.#handlers[name]?.(data)
  }

  status(): Status {
    const now = this.#clock.now()
    const tick = this.#clock.monotonic()
    return {
      version: this.#version,
      started_at: this.#startedAt,
      now,
      pipelines: [...this.#pipelines],
      flows: [...this.#flows.values()].map(f => f.status(tick)),
      views: [...this.#views.values()].map(v => ({
        ...v,
        behind_ms: v.watermark_ms === null ? null : now - v.watermark_ms,
      })),
      detectors: [...this.#detectors.values()].map(d => ({ ...d })),
      services: [...this.#services.values()].map(({ connections: _, pipelines: names, ...s }) => ({
        ...s,
        pipelines: [...names],
      })),
    }
  }

  /** Services that were tried and have never answered. */
  neverReached(): readonly { readonly service: string; readonly address: string }[] {
    const tried = [...this.#services.values()].filter(s => s.state === 'unreachable' && !this.#reached.has(s))
    return tried.map(({ service, address }) => ({ service, address }))
  }

  #watchFlow(pipeline: PipelineSpec, flow: FlowSpec, registry: Registry, caughtUp: boolean): void {
    const { source, sink } = endpoints(flow, registry)
    const ids = { pipeline: pipeline.name, flow: flow.name }
    const facts = {
      ...ids,
      source: { type: flow.source.type, connection: flow.source.connection, names: source.reads(flow.source.config) },
      transforms: flow.transforms.map(t => t.type),
      sink: { type: flow.sink.type, connection: flow.sink.connection, names: sink.writes(flow.sink.config) },
      bounded: caughtUp || source.bounded(flow.source.config),
    }
    this.#flows.set(nameOf(ids), new FlowBoard(facts, this.#clock.monotonic()))
    const { onError } = flow
    const letters = onError.kind === 'dead_letter' ? onError.connection : null
    const stages = {
      read: flow.source.connection,
      decode: flow.source.connection,
      write: flow.sink.connection,
      dead_letter: letters,
    }
    const talks = Object.entries(stages).flatMap(([stage, c]) => (c === null ? [] : [[stage, `${pipeline.name}/${c}`] as const]))
    this.#talks.set(nameOf(ids), new Map(talks))
    if (needsRegistry(flow, registry)) this.#readWithRegistry.add(nameOf(ids))
    for (const { config } of flow.transforms) {
      const declared = (config as { readonly detectors?: Readonly<Record<string, { readonly type: string }>> } | null)?.detectors
      for (const [detector, { type }] of Object.entries(declared ?? {})) {
        const verdicts = { scores: 0, raised: 0, revised: 0, retracted: 0, suppressed: 0, last_raised_at: null }
        this.#detectors.set(`${nameOf(ids)}/${detector}`, { ...ids, detector, type, ...verdicts })
      }
    }
  }

  #watchView(pipeline: PipelineSpec, view: ViewSpec): void {
    if (view.window === null) return
    const { name, connection, from, window } = view
    this.#talks.set(`${pipeline.name}/${name}`, new Map([['write', `${pipeline.name}/${connection}`]]))
    this.#views.set(`${pipeline.name}/${name}`, {
      pipeline: pipeline.name,
      view: name,
      connection,
      from,
      size_ms: window.size,
      slide_ms: window.slide,
      state: 'running',
      problem: null,
      watermark_ms: null,
      behind_ms: null,
      windows: 0,
      revised: 0,
      final: 0,
      late: 0,
      closing_ms: null,
    })
  }

  #watchServices(pipeline: PipelineSpec, registry: Registry): void {
    for (const { name, type, config } of Object.values(pipeline.connections)) {
      for (const [field, service] of Object.entries(registry.find('connection', type)?.embedded ?? {})) {
        const address = addressText((config as Readonly<Record<string, unknown>>)[field])
        if (address === null) continue
        const known = this.#service(service, address)
        known.pipelines.add(pipeline.name)
        known.connections.add(`${pipeline.name}/${name}`)
      }
    }
  }

  #service(service: string, address: string): Service {
    const key = `${service} ${address}`
    const known = this.#services.get(key)
    if (known) return known
    const made: Service = {
      service,
      address,
      embedded: false,
      state: 'unknown',
      problem: null,
      since: this.#clock.now(),
      pipelines: new Set(),
      connections: new Set(),
    }
    this.#services.set(key, made)
    return made
  }

  #makeHandlers(): Handlers {
    const flow = (d: { readonly pipeline: string; readonly flow: string }): FlowBoard | undefined => this.#flows.get(nameOf(d))
    const view = (d: { readonly pipeline: string; readonly view: string }) => this.#views.get(`${d.pipeline}/${d.view}`)
    const tick = (): number => this.#clock.monotonic()
    return {
      flow_started: d => flow(d)?.started(this.#clock.now()),
      session_started: d => {
        flow(d)?.session(d)
        this.#hear(d, 'read', 'up', null)
      },
      flow_finished: d => flow(d)?.ended(d),
      flow_failed: d => flow(d)?.failed({ code: d.code, message: d.message }),
      flow_restarting: d => flow(d)?.restarting({ code: d.code, message: d.message }),
      service_unreachable: d => {
        const problem = { code: d.code, message: d.message }
        flow(d)?.unreachable(d.stage, problem)
        if (NOT_THERE.includes(d.code)) this.#hear(d, d.stage, 'up', null)
        else this.#hear(d, d.stage, 'unreachable', problem)
      },
      service_back: d => {
        flow(d)?.reachable(d.stage)
        this.#hear(d, d.stage, 'up', null)
      },
      records_read: d => flow(d)?.read(d, tick()),
      batch_written: d => {
        flow(d)?.written(d, tick())
        if (d.rows === 0) return
        this.#hear(d, 'write', 'up', null)
        // rows that were read with a schema show that the registry gave it, not that it is still there
        if (this.#readWithRegistry.has(nameOf(d))) this.#hear(d, 'decode', 'up', null, s => s.state === 'unknown')
      },
      records_rejected: d => flow(d)?.rejected(d.records),
      lag_measured: d => flow(d)?.lag(d),
      memory_in_flight: d => flow(d)?.bytes(d.bytes),
      watermark_moved: d => flow(d)?.watermark(d.watermark_ms),
      windows_finalised: d => {
        const v = view(d)
        if (!v) return
        v.windows += d.closed
        v.revised += d.revised
        v.final += d.final
        v.watermark_ms = d.watermark_ms
        v.closing_ms = d.took_ms
      },
      records_late: d => {
        const v = view(d)
        if (v) v.late += d.records
      },
      view_failed: d => {
        const v = view(d)
        if (v) Object.assign(v, { state: 'failed', problem: { code: d.code, message: d.message } })
      },
      rows_scored: d => {
        const known = this.#detectors.get(`${nameOf(d)}/${d.detector}`)
        if (known) known.scores += d.scores
      },
      anomalies_written: d => {
        const known = this.#detectors.get(`${nameOf(d)}/${d.detector}`)
        if (!known) return
        for (const status of ANOMALY_STATUSES) known[status] += d[status]
        if (d.raised > 0) known.last_raised_at = this.#clock.now()
      },
      service_started: d => {
        const service = this.#service(d.service, addressText(d.address) ?? d.address)
        service.embedded = true
        this.#set(service, 'up', null)
      },
      service_stopped: d => {
        const message = d.reason
        for (const service of this.#services.values())
          if (service.embedded && service.service === d.service)
            this.#set(service, 'unreachable', { code: 'E001_UNREACHABLE', message })
      },
    }
  }

  /** A flow, or a view under its name, has learnt something about the service it talks to at a stage. */
  #hear(
    from: { readonly pipeline: string; readonly flow: string },
    stage: string,
    state: ServiceState,
    problem: Problem | null,
    which: (service: Service) => boolean = () => true,
  ): void {
    const connection = this.#talks.get(nameOf(from))?.get(stage)
    if (connection === undefined) return
    const services = [...this.#services.values()].filter(s => s.connections.has(connection))
    // of a connection with several addresses, formats ask the registry, sources and sinks the other one
    const asked = services.filter(s => (stage === 'decode') === (s.service === 'schema_registry'))
    for (const service of (asked.length > 0 ? asked : services).filter(which)) this.#set(service, state, problem)
  }

  #set(service: Service, state: ServiceState, problem: Problem | null): void {
    if (service.state !== state) service.since = this.#clock.now()
    service.state = state
    service.problem = problem
    if (state === 'up') this.#reached.add(service)
  }
}

function needsRegistry({ source }: FlowSpec, registry: Registry): boolean {
  const { value } = source.config as { readonly value?: unknown }
  const format = typeof value === 'object' && value !== null && 'format' in value ? String(value.format) : null
  return format !== null && registry.get('format', format).capabilities.needs_registry
}

const nameOf = (d: { readonly pipeline: string; readonly flow: string }): string => `${d.pipeline}/${d.flow}`

/** Who says so of a topic or view is there itself. */
const NOT_THERE: readonly string[] = ['K005_UNKNOWN_TOPIC', 'K009_TOPIC_PENDING', 'S011_NO_VIEW']

/** An address as people write it, without user and password; null: none. */
function addressText(value: unknown): string | null {
  if (Array.isArray(value)) return value.map(String).join(',') || null
  if (typeof value === 'object' && value !== null && 'url' in value) return addressText(value.url)
  if (typeof value !== 'string' || value === '') return null
  if (!URL.canParse(value)) return value
  const url = new URL(value)
  return /^https?:$/.test(url.protocol) ? `${url.protocol}//${url.host}` : value
}
