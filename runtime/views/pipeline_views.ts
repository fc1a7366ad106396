import { asConnectError, ConnectError } from '../errors'
import type { EngineHooks, Point } from '../hooks'
import type { PluginContext } from '../plugin'
import type { FlowSpec, PipelineSpec, ViewSpec } from '../spec'
import type { StageEnvironment } from '../stages'
import type { ClosingLog, WindowStore } from './contracts'
import { openFileLog } from './file_log'
import { Finaliser, type ViewCounts } from './finaliser'
import { viewName, type Windows } from './plan'
import { type FlowProgress, TableProgress } from './progress'

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
 * The windows of one pipeline in one worker: who tells how far a table is, and who closes. A view is finalised by one process, the
 * one that holds its log.
 */
export class PipelineViews {
  readonly #pipeline: PipelineSpec
  readonly #environment: Environment
  readonly #views: readonly WindowedView[]
  readonly #tables = new Map<string, TableProgress>()
  readonly #logs = new Map<string, Promise<ClosingLog>>()
  readonly #finalisers = new Map<string, Finaliser>()
  #running: readonly Running[] = []

  constructor(pipeline: PipelineSpec, environment: Environment) {
    this.#pipeline = pipeline
    this.#environment = environment
    this.#views = pipeline.views.filter((v): v is WindowedView => v.window !== null)
    for (const view of this.#views) {
      const flows = pipeline.flows.filter(f => writes(f, view)).map(f => f.name)
      const key = tableKey(view)
      if (!this.#tables.has(key)) this.#tables.set(key, new TableProgress(flows, environment.clock))
    }
  }

  /** What a flow tells about its table; null where no window depends on it. */
  progressOf(flow: FlowSpec): FlowProgress | null {
    const view = this.#views.find(v => writes(flow, v))
    return (view && this.#tables.get(tableKey(view))?.of(flow.name)) ?? null
  }

  /** The closings of a view; opened once, closed by `close`. */
  log(name: string): Promise<ClosingLog> {
    const { dataDir } = this.#environment
    const log = this.#logs.get(name) ?? openFileLog({ dataDir, pipeline: this.#pipeline.name, view: name })
    this.#logs.set(name, log)
    return log
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
  }

  async #finalise(view: WindowedView, progress: TableProgress): Promise<ViewResult> {
    const { events, clock, drain, abort, hooks } = this.#environment
    const at = (point: Point) => hooks?.at?.(point, view.name, 0)
    const ids = { pipeline: this.#pipeline.name, view: view.name }
    try {
      const open = (signal: AbortSignal): Promise<WindowStore> => this.#open(view, signal)
      const log = await this.log(view.name)
      const finaliser = new Finaliser({ pipeline: ids.pipeline, view, progress, log, open, clock, events, drain, abort, at })
      this.#finalisers.set(view.name, finaliser)
      await finaliser.run()
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
    const { registry, clock, events, dataDir } = this.#environment
    const connection = this.#pipeline.connections[view.connection]
    const open = registry.find('sink', connection?.type ?? '')?.windows
    if (!open) throw new ConnectError('C013_UNSAFE_NEIGHBOURS', `${view.at}: the connection ${view.connection} has no views`)
    const context: PluginContext = {
      pipeline: this.#pipeline.name,
      flow: view.name,
      connection: connection.config,
      connectionName: view.connection,
      lanes: 1,
      baseDir: this.#pipeline.baseDir,
      dataDir,
      clock,
      events,
      memory: 0,
    }
    return open(view, context, signal)
  }
}

const tableKey = (view: ViewSpec): string => `${view.connection}:${view.from}`

const writes = ({ sink }: FlowSpec, view: ViewSpec): boolean =>
  sink.connection === view.connection && (sink.config as { readonly table?: unknown } | null)?.table === view.from
