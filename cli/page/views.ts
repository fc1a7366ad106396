import type { ConnectionConfig } from '../../connectors/clickhouse/config'
import { ConnectError } from '../../runtime/errors'
import type { DetectorSpec } from '../../runtime/fields'
import type { PipelineSpec, ViewSpec } from '../../runtime/spec'
import { type ClickHouseStore, createStore } from '../../sql/client'
import { readColumns } from '../../sql/table'
import { viewTables } from '../../sql/windows/compile'

/** A detector that looks at the windows of a view. */
export interface WatchedBy {
  readonly flow: string
  readonly name: string
  readonly spec: DetectorSpec
  readonly features: readonly string[]
}

/** A view with windows, as the page shows it. */
export interface ShownView {
  readonly pipeline: PipelineSpec
  readonly view: ViewSpec & { readonly window: NonNullable<ViewSpec['window']> }
  readonly watchedBy: readonly WatchedBy[]
}

export interface ViewColumn {
  readonly name: string
  /** ClickHouse's word. */
  readonly type: string
}

export const viewsOf = (pipelines: readonly PipelineSpec[]): readonly ShownView[] =>
  pipelines.flatMap(pipeline =>
    pipeline.views.flatMap(view => {
      const { window } = view
      return window ? [{ pipeline, view: { ...view, window }, watchedBy: detectorsOn(pipeline, view) }] : []
    }),
  )

function detectorsOn(pipeline: PipelineSpec, view: ViewSpec): readonly WatchedBy[] {
  const reading = pipeline.flows.filter(
    ({ source }) =>
      source.type === 'view' &&
      source.connection === view.connection &&
      (source.config as { readonly view: string }).view === view.name,
  )
  return reading.flatMap(flow =>
    flow.transforms
      // behind another transform the columns may be others
      .filter((t, i) => t.type === 'score' && i === 0)
      .flatMap(t => {
        const { detectors } = t.config as { readonly detectors: Readonly<Record<string, DetectorSpec>> }
        return Object.entries(detectors).map(([name, spec]) => ({
          flow: flow.name,
          name,
          spec,
          features: (spec.config as { readonly features?: readonly string[] }).features ?? [],
        }))
      }),
  )
}

/** Connections to the stores of views: one a connection of a pipeline file, made when it is needed first. */
export class ViewStores {
  readonly #stores = new Map<string, ClickHouseStore>()
  readonly #columns = new Map<ShownView, readonly ViewColumn[]>()

  of({ pipeline, view }: ShownView): ClickHouseStore {
    const id = `${pipeline.name}|${view.connection}`
    const known = this.#stores.get(id)
    if (known) return known
    const { config } = pipeline.connections[view.connection]
    const made = createStore(config as ConnectionConfig, { baseDir: pipeline.baseDir, sockets: 2 })
    this.#stores.set(id, made)
    return made
  }

  /** Columns of the view as it is in the store. Throws a retriable S011 while it is not there. */
  async columns(shown: ShownView, signal: AbortSignal): Promise<readonly ViewColumn[]> {
    const known = this.#columns.get(shown)
    if (known) return known
    const store = this.of(shown)
    const columns = await readColumns(store, viewTables(store.database, shown.view).view, signal)
    if (columns.length === 0) throw new ConnectError('S011_NO_VIEW', `the view ${shown.view.name} is not there yet`)
    this.#columns.set(shown, columns)
    return columns
  }

  async close(): Promise<void> {
    await Promise.all([...this.#stores.values()].map(store => store.close()))
  }
}

/** A column of a view may still say of which aggregate it is the result. */
export const isNumber = ({ type }: ViewColumn): boolean =>
  /^(SimpleAggregateFunction\(\w+, )?(LowCardinality\()?(Nullable\()?(U?Int\d+|Float\d+|BFloat16|Decimal)/.test(type)
