import type { DetectorAnomalies } from './anomaly_counts'
import { asConnectError, ConnectError } from './errors'
import { type FlowEnd, type FlowParts, FlowRun } from './flow'
import type { EngineHooks } from './hooks'
import { type MakerState, makersOf } from './makers'
import { anySignal, expectListeners, isRestartable, orAbort } from './retry'
import type { FlowSpec, PipelineSpec } from './spec'
import { createFlow, endpoints, type StageEnvironment, upstreamOf } from './stages'
import { fileStates, type StateStore } from './state'
import { type FlowCounts, FlowStats, LatencyHistogram } from './stats'
import type { Taps } from './tap'
import type { ViewClosings } from './views/contracts'
import { PipelineViews, type ViewResult } from './views/pipeline_views'

export interface WorkerOptions extends StageEnvironment {
  readonly pipelines: readonly PipelineSpec[]
  /** Ends each flow once everything that was there has been read, in the order in which flows feed each other. */
  readonly untilCaughtUp: boolean
  readonly hooks?: EngineHooks
  /** Where stateful transforms keep their state; files in the data folder if absent. */
  readonly states?: (pipeline: PipelineSpec) => StateStore
  /** For those who look at rows as they pass. */
  readonly taps?: Taps
  /** Graceful stop. */
  readonly drain: AbortSignal
  /** Hard stop. */
  readonly abort: AbortSignal
}

export interface FlowResult {
  readonly pipeline: string
  readonly flow: string
  readonly counts: FlowCounts
  readonly anomalies: readonly DetectorAnomalies[]
  /** Null: it ended well. */
  readonly error: ConnectError | null
}

export interface WorkerResult {
  readonly flows: readonly FlowResult[]
  readonly views: readonly ViewResult[]
  /** Milliseconds from a record's own timestamp to its durable write; null if no record was stamped since the run began. */
  readonly latency_ms: { readonly p50: number | null; readonly p99: number | null }
}

const FIRST_RESTART_MS = 500
const LONGEST_RESTART_MS = 30_000

/** All flows of all files in one process. A flow that fails ends alone; the others go on. */
export class Worker {
  readonly #options: WorkerOptions
  readonly #flows: readonly { readonly pipeline: PipelineSpec; readonly spec: FlowSpec; readonly stats: FlowStats }[]
  readonly #views: ReadonlyMap<PipelineSpec, PipelineViews>
  /** Flows that were made for their locks and have not been run yet. */
  readonly #created = new Map<FlowSpec, FlowParts>()
  readonly #finished = new Map<FlowSpec, Promise<FlowResult>>()
  readonly #ended = new Map<FlowSpec, FlowResult>()

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#flows = options.pipelines.flatMap(pipeline =>
      pipeline.flows.map(spec => ({ pipeline, spec, stats: new FlowStats(options.clock.now()) })),
    )
    const lanes = this.#flows.reduce((n, f) => n + f.spec.lanes, 0)
    expectListeners(lanes, options.drain, options.abort)
    this.#views = new Map(options.pipelines.map(p => [p, new PipelineViews(p, options)]))
    if (options.untilCaughtUp) this.#refuseEndless()
  }

  /** Well as long as no flow has failed. */
  health(): { readonly ok: boolean; readonly failed: readonly string[] } {
    const failed = [...this.#ended.values()].filter(f => f.error).map(f => `${f.pipeline}/${f.flow}`)
    return { ok: failed.length === 0, failed }
  }

  /** True once a flow does nothing more in this run. */
  hasEnded(pipeline: string, flow: string): boolean {
    return [...this.#ended.values()].some(f => f.pipeline === pipeline && f.flow === flow)
  }

  /** Throws E008_DATA_LOCKED, before anything is opened, where another process runs one of the flows in this data folder. */
  async run(): Promise<WorkerResult> {
    await this.#claim()
    for (const { pipeline, spec, stats } of this.#flows) {
      const end = this.#flow(pipeline, spec, stats).then(result => {
        this.#ended.set(spec, result)
        return result
      })
      this.#finished.set(spec, end)
    }
    for (const views of this.#views.values()) views.start()
    const flows = await Promise.all(this.#finished.values())
    const views = (await Promise.all([...this.#views.values()].map(v => v.finished()))).flat()
    await Promise.all([...this.#views.values()].map(v => v.close()))
    const latency = new LatencyHistogram()
    for (const f of this.#flows) latency.merge(f.stats.latency)
    return { flows, views, latency_ms: { p50: latency.quantile(0.5), p99: latency.quantile(0.99) } }
  }

  /** Takes what one process alone may have. A second one must find out before its other flows join groups. */
  async #claim(): Promise<void> {
    const { registry } = this.#options
    try {
      for (const { pipeline, spec } of this.#flows) {
        if (registry.get('source', spec.source.type).capabilities.groups) continue
        await onlyIfLocked(async () => {
          const parts = this.#create(pipeline, spec)
          this.#created.set(spec, parts)
          await parts.source.claim?.()
        })
      }
      for (const views of this.#views.values()) await onlyIfLocked(() => views.claim())
    } catch (error) {
      await Promise.allSettled([...this.#created.values()].map(parts => parts.source.close()))
      await Promise.all([...this.#views.values()].map(views => views.close()))
      throw error
    }
  }

  #create(pipeline: PipelineSpec, spec: FlowSpec): FlowParts {
    const { pipelines, registry } = this.#options
    return createFlow(pipeline, spec, {
      ...this.#options,
      closings: name => this.#closings(pipeline, name),
      makers: (connection, name) =>
        makersOf({ pipeline, spec, connection, name }, pipelines, registry, flow => this.#stateOf(flow)),
    })
  }

  #stateOf(flow: FlowSpec): MakerState {
    const end = this.#ended.get(flow)
    if (!end) return 'working'
    return end.error ? 'failed' : 'ended'
  }

  async #flow(pipeline: PipelineSpec, spec: FlowSpec, stats: FlowStats): Promise<FlowResult> {
    const { events, drain, abort } = this.#options
    const progress = this.#views.get(pipeline)?.progressOf(spec)
    const result = (error: ConnectError | null): FlowResult => {
      progress?.ended(false)
      this.#options.taps?.of(pipeline.name, spec.name).end()
      return { pipeline: pipeline.name, flow: spec.name, counts: stats.counts(), anomalies: stats.anomalies, error }
    }
    const ids = { pipeline: pipeline.name, flow: spec.name }
    // flows are looked up by their promise below, which stands in the map only after this first turn
    await Promise.resolve()
    for (let attempt = 0; ; attempt++) {
      try {
        const end = await this.#attempt(pipeline, spec, stats)
        events.emit('flow_finished', {
          ...ids,
          reason: end === 'done' ? 'all input is read' : 'stopped',
          complete: end === 'done',
        })
        if (end === 'done') progress?.ended(true)
        return result(null)
      } catch (thrown) {
        const error = asConnectError(thrown)
        const asked = drain.aborted || abort.aborted
        if (asked && error.code === 'R003_ABORTED') {
          events.emit('flow_finished', { ...ids, reason: 'stopped', complete: false })
          return result(null)
        }
        if (!asked && isRestartable(error)) {
          stats.restarts++
          const in_ms = Math.min(LONGEST_RESTART_MS, FIRST_RESTART_MS * 2 ** Math.min(attempt, 10))
          events.emit('flow_restarting', { ...ids, code: error.code, message: error.message, in_ms })
          if (await this.#pause(in_ms)) continue
          return result(null)
        }
        events.emit('flow_failed', {
          ...ids,
          code: error.code,
          message: error.message,
          hint: error.hint,
          stage: error.stage ?? 'read',
        })
        return result(error)
      }
    }
  }

  #attempt(pipeline: PipelineSpec, spec: FlowSpec, stats: FlowStats): Promise<FlowEnd> {
    const { events, clock, hooks, drain, abort } = this.#options
    const views = this.#views.get(pipeline)
    const parts = this.#created.get(spec) ?? this.#create(pipeline, spec)
    this.#created.delete(spec)
    const states = this.#options.states?.(pipeline) ?? fileStates(this.#options.dataDir, pipeline.name)
    const taps = this.#options.taps?.of(pipeline.name, spec.name) ?? null
    const inputComplete = (signal: AbortSignal): Promise<boolean> => this.#inputComplete(pipeline, spec, signal)
    return new FlowRun(
      parts,
      { events, clock, hooks: hooks ?? {}, drain, abort, states, inputComplete, progress: views?.progressOf(spec) ?? null, taps },
      stats,
    ).run()
  }

  /** True after the pause, false if a stop was asked for meanwhile. */
  async #pause(ms: number): Promise<boolean> {
    const { signal, release } = anySignal(this.#options.drain, this.#options.abort)
    try {
      await this.#options.clock.sleep(ms, signal)
      return true
    } catch {
      return false
    } finally {
      release()
    }
  }

  /** In a bounded run a flow's input is complete once every flow that feeds it has ended. */
  async #inputComplete(pipeline: PipelineSpec, spec: FlowSpec, signal: AbortSignal): Promise<boolean> {
    if (!this.#options.untilCaughtUp) return false
    const { registry } = this.#options
    const feeding: (Promise<unknown> | undefined)[] = upstreamOf(pipeline, spec, registry).map(f => this.#finished.get(f))
    feeding.push(this.#views.get(pipeline)?.readBy(endpoints(spec, registry).reads))
    await orAbort(Promise.all(feeding), signal)
    return true
  }

  #closings(pipeline: PipelineSpec, view: string): ViewClosings {
    const views = this.#views.get(pipeline)
    if (!views) throw new ConnectError('R001_INTERNAL', `no closings of ${view}`)
    return views.closings(view)
  }

  #refuseEndless(): void {
    for (const { spec } of this.#flows) {
      const source = this.#options.registry.get('source', spec.source.type)
      if (source.endless?.(spec.source.config)) {
        throw new ConnectError(
          'C019_USAGE',
          `--until-caught-up: the source "${spec.source.type}" of flow "${spec.name}" never ends`,
          {
            hint: `bound it (see \`connect plugins ${spec.source.type}\`) or use --for`,
          },
        )
      }
    }
  }
}

/** Anything else that is wrong is met again, and told, by the flow or view that it belongs to. */
async function onlyIfLocked(claim: () => Promise<void>): Promise<void> {
  try {
    await claim()
  } catch (error) {
    if (error instanceof ConnectError && error.code === 'E008_DATA_LOCKED') throw error
  }
}
