import { asConnectError, ConnectError } from '../errors'
import type { EngineHooks, Point } from '../hooks'
import type { PluginContext } from '../plugin'
import type { FlowSpec, PipelineSpec, ViewSpec } from '../spec'
import { endpoints, type StageEnvironment } from '../stages'
import type { ClosingLog, SharedClosings, ViewClosings, WindowStore } from './contracts'
import { openFileLog } from './file_log'
import { Finaliser, type ViewCounts } from './finaliser'
import { viewName, type Windows, writesTableOf } from './plan'
import { type FlowProgress, TableProgress } from './progress'
import { takeTurns } from './turns'

export interface ViewResult {
  readonly pipeline: string
  readonly view: string
  readonly counts: ViewCounts
  /** Null: it ended well. */
  readonly error: ConnectError | null
}

type Environment = StageEnvironment & {
  readonly drain: AbortSignal
  readonly abort: AbortSignal
  readonly hooks?: EngineHooks
}

type WindowedView = ViewSpec & { readonly window: Windows }

interface Running {
  readonly view: WindowedView
  readonly progress: TableProgress
  readonly finished: Promise<ViewResult>
}

const NOTHING: ViewCounts = { windows: 0, revisions: 0, late: 0, reopened: 0 }

/**
 * The windows of one pipeline in one worker: who tells how far a table is, and who closes. Where the pipeline has a connection
 * that keeps its topics, closings stand there and the workers take turns; else a view is finalised by one process, the one that
 * holds its log on disk.
 */
export class PipelineViews {
  readonly #pipeline: PipelineSpec
  readonly #environment: Environment
  readonly #views: readonly WindowedView[]
  readonly #tables = new Map<string, TableProgress>()
  readonly #logs = new Map<string, Promise<ClosingLog>>()
  readonly #shared = new Map<string, SharedClosings>()
  readonly #finalisers = new Map<string, Finaliser>()
  #running: readonly Running[] = []

  constructor(pipeline: PipelineSpec, environment: Environment) {
    this.#pipeline = pipeline
    this.#environment = environment
    this.#views = pipeline.views.filter((v): v is WindowedView => v.window !== null)
    for (const view of this.#views) {
      const flows = pipeline.flows.filter(f => writesTableOf(f, view)).map(f => f.name)
      const key = tableKey(view)
      if (!this.#tables.has(key)) this.#tables.set(key, new TableProgress(flows, environment.clock))
      const shared = this.#sharedClosings(view)
      if (shared) this.#shared.set(view.name, shared)
    }
  }

  /** What a flow tells about its table; null where no window depends on it. */
  progressOf(flow: FlowSpec): FlowProgress | null {
    const view = this.#views.find(v => writesTableOf(flow, v))
    return (view && this.#tables.get(tableKey(view))?.of(flow.name)) ?? null
  }

  /** The closings of a view; closed by `close`. */
  closings(name: string): ViewClosings {
    const shared = this.#shared.get(name)
    return shared ? { kind: 'shared', shared } : { kind: 'local', log: () => this.#log(name) }
  }

  #log(name: string): Promise<ClosingLog> {
    const { dataDir } = this.#environment
    const log = this.#logs.get(name) ?? openFileLog({ dataDir, pipeline: this.#pipeline.name, view: name })
    this.#logs.set(name, log)
    return log
  }

  /** Takes the logs that one process alone may have, before any flow is opened. Throws E008_DATA_LOCKED. */
  async claim(): Promise<void> {
    for (const { name } of this.#views) if (!this.#shared.has(name)) await this.#log(name)
  }

  /** Begins to finalise. Call before the flows run. */
  start(): void {
    this.#running = this.#views.map(view => {
      const progress = this.#tables.get(tableKey(view))
      if (!progress) throw new ConnectError('R001_INTERNAL', `nobody watches the table ${view.from}`)
      return { view, progress, finished: this.#finalise(view, progress) }
    })
  }

  /** Live counters. */
  status(): readonly { readonly pipeline: string; readonly view: string; readonly counts: ViewCounts }[] {
    return this.#views.map(({ name }) => ({ pipeline: this.#pipeline.name, view: name, counts: this.#countsOf(name) }))
  }

  /** Resolves when every view that this flow reads has closed its last window. */
  async readBy(names: readonly string[]): Promise<void> {
    await Promise.all(this.#running.filter(r => names.includes(viewName(r.view))).map(r => r.finished))
  }

  finished(): Promise<readonly ViewResult[]> {
    return Promise.all(this.#running.map(r => r.finished))
  }

  async close(): Promise<void> {
    const logs = await Promise.allSettled(this.#logs.values())
    await Promise.allSettled(logs.map(l => (l.status === 'fulfilled' ? l.value.close() : undefined)))
    await Promise.allSettled([...this.#shared.values()].map(s => s.close()))
  }

  async #finalise(view: WindowedView, progress: TableProgress): Promise<ViewResult> {
    const { events, clock, drain, abort, hooks } = this.#environment
    const at = (point: Point) => hooks?.at?.(point, view.name, 0)
    const ids = { pipeline: this.#pipeline.name, view: view.name }
    try {
      const open = (signal: AbortSignal): Promise<WindowStore> => this.#open(view, signal)
      const finaliser = new Finaliser({ pipeline: ids.pipeline, view, progress, open, clock, events, drain, abort, at })
      this.#finalisers.set(view.name, finaliser)
      const shared = this.#shared.get(view.name)
      if (shared) await takeTurns({ ...ids, shared, finaliser, progress, clock, events, drain, abort })
      else await finaliser.run(await this.#log(view.name))
      return { ...ids, counts: finaliser.counts, error: null }
    } catch (thrown) {
      const error = asConnectError(thrown)
      events.emit('view_failed', { ...ids, code: error.code, message: error.message, hint: error.hint })
      return { ...ids, counts: this.#countsOf(view.name), error }
    }
  }

  #countsOf(name: string): ViewCounts {
    return this.#finalisers.get(name)?.counts ?? NOTHING
  }

  #open(view: WindowedView, signal: AbortSignal): Promise<WindowStore> {
    const { registry } = this.#environment
    const open = registry.find('sink', this.#pipeline.connections[view.connection]?.type ?? '')?.windows
    if (!open) throw new ConnectError('C013_UNSAFE_NEIGHBOURS', `${view.at}: the connection ${view.connection} has no views`)
    return open(view, this.#context(view, view.connection), signal)
  }

  /** Null where the pipeline has no connection that keeps its own topics. */
  #sharedClosings(view: WindowedView): SharedClosings | null {
    const { home, connections, flows } = this.#pipeline
    const { registry } = this.#environment
    const create = home === null ? undefined : registry.find('sink', connections[home].type)?.closings
    if (home === null || !create) return null
    const readers = flows.filter(f => endpoints(f, registry).reads.includes(viewName(view)))
    const timeouts = flows.filter(f => writesTableOf(f, view)).flatMap(f => sessionTimeoutOf(f) ?? [])
    const options = {
      view: view.name,
      shards: Math.max(1, ...readers.map(f => f.lanes)),
      sessionTimeout: timeouts.length > 0 ? Math.min(...timeouts) : SESSION_TIMEOUT_MS,
    }
    return create(options, this.#context(view, home))
  }

  #context(view: ViewSpec, connection: string): PluginContext {
    const { clock, events, dataDir } = this.#environment
    return {
      pipeline: this.#pipeline.name,
      flow: view.name,
      connection: this.#pipeline.connections[connection]?.config,
      connectionName: connection,
      lanes: 1,
      baseDir: this.#pipeline.baseDir,
      dataDir,
      clock,
      events,
      memory: 0,
    }
  }
}

/** Where no flow that writes the table says when a worker is taken for lost. */
const SESSION_TIMEOUT_MS = 10_000

const sessionTimeoutOf = ({ source }: FlowSpec): number | undefined =>
  (source.config as { readonly session_timeout?: number } | null)?.session_timeout

const tableKey = (view: ViewSpec): string => `${view.connection}:${view.from}`
