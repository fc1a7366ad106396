import { ConnectError } from '../../runtime/errors'
import type { EventTimeOptions, Sink, SinkContext, SinkLane, SinkLaneInfo } from '../../runtime/plugin'
import type { Schema } from '../../runtime/schema'
import { type ArrowLibrary, loadArrow } from '../../sql/arrow'
import { type ClickHouseStore, createStore } from '../../sql/client'
import type { CompiledView } from '../../sql/windows/compile'
import type { ConnectionConfig, SinkConfig } from './config'
import { ClickHouseLane } from './lane'
import { type SinkTables, sinkTables } from './names'
import { type Prepared, prepareTables } from './tables'
import { prepareViews } from './views'

/** Rows of one flow into one table. `open` may be called again after a retriable error. */
export class ClickHouseSink implements Sink {
  readonly eventTime?: EventTimeOptions
  readonly #config: SinkConfig
  readonly #context: SinkContext<ConnectionConfig>
  readonly #store: ClickHouseStore
  readonly #tables: SinkTables
  #ready: { readonly prepared: Prepared; readonly views: readonly CompiledView[]; readonly arrow: ArrowLibrary } | null = null

  constructor(config: SinkConfig, context: SinkContext<ConnectionConfig>) {
    this.#config = config
    this.#context = context
    // each lane has one insert under way; two more sockets for what looks and repairs meanwhile
    this.#store = createStore(context.connection, { baseDir: context.baseDir, sockets: context.lanes + 2 })
    this.#tables = sinkTables(context.connection.database, config.table)
    if (config.time !== undefined) this.eventTime = { column: config.time, maxAhead: config.max_ahead ?? null }
  }

  async open(schema: Schema, signal: AbortSignal): Promise<void> {
    const { pipeline, flow, events } = this.#context
    const created = (table: string, statement: string): void => events.emit('table_created', { pipeline, flow, table, statement })
    const prepared = await prepareTables(schema, {
      store: this.#store,
      config: this.#config,
      tables: this.#tables,
      pipeline,
      signal,
      created,
    })
    const views = await prepareViews({
      store: this.#store,
      views: (this.#context.views ?? []).filter(
        v => v.from === this.#config.table && v.connection === this.#context.connectionName,
      ),
      table: this.#tables.table,
      input: this.#tables.input,
      pipeline,
      create: this.#config.create,
      signal,
      created,
      lacks: (view, rows) => events.emit('view_lacks_rows', { pipeline, flow, view, table: this.#config.table, rows }),
    })
    this.#ready = { prepared, views, arrow: await loadArrow() }
  }

  async lane(_info: SinkLaneInfo, _signal: AbortSignal): Promise<SinkLane> {
    if (!this.#ready) throw new ConnectError('R001_INTERNAL', 'a lane was asked for before the sink was opened')
    const { pipeline, flow, clock, events } = this.#context
    return new ClickHouseLane({
      ...this.#ready,
      store: this.#store,
      config: this.#config,
      tables: this.#tables,
      pipeline,
      flow,
      clock,
      events,
    })
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}
