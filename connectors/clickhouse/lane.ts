import type { Batch } from '../../runtime/batch'
import type { Clock } from '../../runtime/clock'
import type { Column } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import type { Emitter } from '../../runtime/events'
import { BatchMemory, type Memory } from '../../runtime/memory'
import type { TopicPartition } from '../../runtime/origin'
import type { TokenLane, TokenWrite, WriteResult } from '../../runtime/plugin'
import { takeColumn } from '../../runtime/take'
import { type ArrowLibrary, encodeArrow } from '../../sql/arrow'
import type { Binding } from '../../sql/bind'
import { checkRows } from '../../sql/check'
import type { ClickHouseStore } from '../../sql/client'
import { deduplication, INSERT_SETTINGS, insertStatement } from '../../sql/insert'
import { columnList, identifier, literal } from '../../sql/quote'
import type { CompiledView } from '../../sql/windows/compile'
import type { SinkConfig } from './config'
import { highestOffsets, type Look } from './look'
import type { SinkTables } from './names'
import { provenanceColumns } from './provenance'
import { findRefused } from './refuse'
import { repair } from './repair'
import { type Rows, timeSpan, without } from './rows'
import type { Prepared } from './tables'
import { repairView } from './view_repair'

export interface LaneContext {
  readonly store: ClickHouseStore
  readonly arrow: ArrowLibrary
  readonly config: SinkConfig
  readonly tables: SinkTables
  readonly prepared: Prepared
  /** Views that hang on `t__in`. */
  readonly views: readonly CompiledView[]
  readonly pipeline: string
  readonly flow: string
  readonly clock: Clock
  readonly events: Emitter
}

/**
 * Writes the batches of one lane as one block each.
 *
 * The token is not the whole truth: ClickHouse (plain MergeTree) logs it before it publishes the part, so after a crash in between
 * the same token is acknowledged and dropped while the rows are nowhere. Whatever is sent again is therefore looked up by its
 * offsets, and what is missing is inserted into `t` alone under tokens of its own (repair.ts). Rows of an upsert table may have been
 * merged away and cannot be counted; there a row that stands twice is harmless (the same key and version merge into one), so a
 * second send simply goes without a token.
 */
export class ClickHouseLane implements TokenLane {
  readonly delivery = 'token'
  readonly #c: LaneContext
  /** Of the provenance columns. */
  #memory = new BatchMemory()
  constructor(context: LaneContext) {
    this.#c = context
  }

  async write(batch: Batch, options: TokenWrite): Promise<WriteResult> {
    if (batch.length === 0) return { written: 0, failed: [] }
    const memory = this.#memory
    // what a write that failed still sends must not be written over
    this.#memory = new BatchMemory()
    const result = await this.#write(batch, options, memory)
    memory.release()
    this.#memory = memory
    return result
  }

  async #write(batch: Batch, options: TokenWrite, memory: Memory): Promise<WriteResult> {
    const { config, prepared, flow } = this.#c
    const columns = [...batch.columns, ...provenanceColumns(batch, flow, config.time !== undefined, options.behind, memory)]
    const unfit = checkRows(prepared.input, columns, batch.length)
    const fit = without({ batch, columns, count: batch.length, positions: null }, unfit)
    if (fit.count === 0) return { written: 0, failed: unfit }
    try {
      await this.#deliver(fit, options)
      return { written: fit.count, failed: unfit }
    } catch (error) {
      if (!(error instanceof ConnectError) || error.code !== 'D014_REFUSED_BY_STORE') throw error
      // The block was refused as a whole, nothing is written. The rows to blame are the same ones at every try, so the rest under
      // the same token is the same block at every try.
      const refused = await findRefused(fit.columns, fit.count, (c, rows) => this.#probe(c, rows, options.signal))
      if (refused.length === 0) throw new ConnectError('S001_STORE_ERROR', error.message, { cause: error.cause })
      const rest = without(fit, refused)
      if (rest.count > 0) await this.#deliver(rest, options)
      const failed = [...unfit, ...refused.map(f => ({ ...f, row: fit.positions?.[f.row] ?? f.row }))].sort(
        (a, b) => a.row - b.row,
      )
      return { written: rest.count, failed }
    }
  }

  async #deliver(rows: Rows, options: TokenWrite): Promise<void> {
    const { config, clock } = this.#c
    const send = (token: string | null): Promise<void> =>
      this.#insert(this.#c.tables.input, this.#c.prepared.input, rows.columns, rows.count, token, options.signal)
    if (config.delivery === 'at_least_once') return send(null)
    if (!options.resend) return send(options.token)
    if (config.mode === 'upsert') return send(null)
    const old = options.namedAt !== null && clock.now() - options.namedAt > config.safe_age
    await repair({
      rows,
      look: this.#look(rows, options.signal),
      token: options.token,
      // The table forgets tokens after so many parts: an old batch is sent only if none of it is there
      lookFirst: old,
      mayFeedViews: this.#c.views.length === 0,
      expiredBefore: config.retain === undefined ? null : clock.now() - config.retain,
      timeColumn: this.#timeColumn(rows),
      send,
      sendToTable: (columns, count, token) => this.#insertIntoTable(columns, count, token, options.signal),
      repaired: count => this.#repaired(this.#c.tables.table.table, count),
    })
    for (const view of this.#c.views) await this.#repairView(view, rows, options)
  }

  async #repairView(view: CompiledView, rows: Rows, { token, signal }: TokenWrite): Promise<void> {
    const { store, arrow, prepared, flow } = this.#c
    const body = encodeArrow(arrow, prepared.input, rows.columns, rows.count)
    await repairView({
      view,
      flow,
      ranges: rows.batch.origin.ranges,
      structure: this.#structure(),
      token,
      send: async (statement, token) => {
        await store.send(statement, body, { settings: { ...INSERT_SETTINGS, ...deduplication(token) }, signal })
      },
      repaired: table => this.#repaired(table, rows.count),
    })
  }

  #repaired(table: string, rows: number): void {
    const { pipeline, flow, events } = this.#c
    events.emit('rows_repaired', { pipeline, flow, table, rows })
  }

  /** Names and types of what is sent, as table functions want them. */
  #structure(): string {
    const { input, types } = this.#c.prepared
    return input.columns.map(name => `${identifier(name)} ${types.get(name)}`).join(', ')
  }

  #insertIntoTable(columns: readonly Column[], count: number, token: string, signal: AbortSignal): Promise<void> {
    const { prepared, tables } = this.#c
    const names = new Map(prepared.input.plans.map((p, i) => [p.name, i]))
    const own = prepared.table.plans.map(p => columns[names.get(p.name) ?? -1])
    return this.#insert(tables.table, prepared.table, own, count, token, signal)
  }

  async #insert(
    table: { readonly database: string; readonly table: string },
    binding: Binding,
    columns: readonly Column[],
    count: number,
    token: string | null,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, arrow } = this.#c
    const body = encodeArrow(arrow, binding, columns, count)
    await store.send(insertStatement(table, binding), body, { settings: { ...INSERT_SETTINGS, ...deduplication(token) }, signal })
  }

  /** The same bytes into a table function that keeps nothing: the server converts every value as it would for the table. */
  async #probe(columns: readonly Column[], rows: Int32Array, signal: AbortSignal): Promise<void> {
    const { store, arrow, prepared } = this.#c
    const { input } = prepared
    const part = columns.map(c => takeColumn(c, rows))
    await store.send(
      `INSERT INTO FUNCTION null(${literal(this.#structure())}) (${columnList(input.columns)}) FORMAT ArrowStream`,
      encodeArrow(arrow, input, part, rows.length),
      { settings: INSERT_SETTINGS, signal },
    )
  }

  #timeColumn(rows: Rows): Column | null {
    const { config, prepared } = this.#c
    const at = prepared.input.plans.findIndex(p => p.name === config.time)
    return at < 0 ? null : rows.columns[at]
  }

  #look(rows: Rows, signal: AbortSignal): Look {
    const { store, tables, flow, config } = this.#c
    const time = this.#timeColumn(rows)
    const span = time && timeSpan(time, rows.count)
    return {
      store,
      table: tables.table,
      flow,
      ranges: rows.batch.origin.ranges,
      time: span && config.time !== undefined ? { column: config.time, ...span } : null,
      signal,
    }
  }

  async highest(
    partitions: readonly TopicPartition[],
    signal: AbortSignal,
    known?: ReadonlyMap<string, number>,
  ): Promise<ReadonlyMap<string, number> | null> {
    const { config, store, tables, flow } = this.#c
    if (config.delivery === 'at_least_once' || config.mode === 'upsert' || partitions.length === 0) return null
    return highestOffsets({ store, table: tables.table, flow, partitions, known, signal })
  }

  async close(): Promise<void> {}
}
