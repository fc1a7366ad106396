import { setTimeout as delay } from 'node:timers/promises'
import { ConnectError } from '../../runtime/errors'
import type { ViewSpec } from '../../runtime/spec'
import type { Store, TableName } from '../../runtime/store'
import type { WindowStore } from '../../runtime/views/contracts'
import { createStore, type StoreConfig } from '../client'
import { literal, tableName } from '../quote'
import { readTable } from '../table'
import { type CompiledView, compileView, viewTables } from './compile'
import { finaliseWindows, paneTotals, rowTotals, windowRowColumns, windowRows } from './finalise'

/**
 * Rows of closed windows are written without a token: a row that is written twice replaces itself, and a token could be logged
 * while its rows are lost. One thread and large blocks: the result of one statement is one part a partition.
 */
const SETTINGS = {
  async_insert: 0,
  deduplicate_insert: 'disable',
  max_insert_threads: 1,
  max_partitions_per_insert_block: 0,
} as const

/** So long nothing is said of a view that is not there: mostly a flow of the same start is making it. */
const QUIET_MS = 3_000
const LOOK_MS = 200

/** Raised when a definition changes; then rows of the new one win over those of the old. */
const GENERATION_NOW = 0

/**
 * Opens the windows of a view whose objects the sink of its table has made. Throws a retriable S011 while they are not there yet.
 * Closing the result closes its connections.
 */
export async function openWindowStore(
  view: ViewSpec,
  config: StoreConfig,
  baseDir: string,
  signal: AbortSignal,
): Promise<WindowStore> {
  const { database } = config
  const store = createStore(config, { baseDir, sockets: 2 })
  try {
    const { feed } = viewTables(database, view)
    const quiet = performance.now() + QUIET_MS
    while (!(await isThere(store, feed, signal))) {
      if (performance.now() >= quiet) throw missing(view)
      await delay(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
    const input = { database, table: `${view.from}__in` }
    return createWindowStore(await compileView(view, input, database, store, signal), store)
  } catch (error) {
    await store.close()
    throw error
  }
}

const missing = (view: ViewSpec): ConnectError =>
  new ConnectError(
    'S011_NO_VIEW',
    `the view ${view.name} is not there: the flow that writes ${view.from} makes it when it starts`,
  )

/** False also where its database is not there yet. */
async function isThere(store: Store, table: TableName, signal: AbortSignal): Promise<boolean> {
  try {
    return (await readTable(store, table, signal)) !== null
  } catch (error) {
    if (error instanceof ConnectError && error.code === 'S003_TABLE_MISMATCH') return false
    throw error
  }
}

/** Finalising and reading one compiled view. Closing it closes `store`. */
export function createWindowStore(view: CompiledView, store: Store): WindowStore {
  const { panes } = view.tables
  return {
    async paneTotals(from, signal) {
      const rows = await store.query(paneTotals(view, from), { signal })
      return rows.map(r => ({ pane: Number(r.pane), records: Number(r.records), rows: Number(r.rows) }))
    },
    async rowTotals(from, signal) {
      const rows = await store.query(rowTotals(view, from), { signal })
      return new Map(rows.map(r => [Number(r.end), Number(r.records)]))
    },
    finalise: (ends, signal) => store.command(finaliseWindows(view, ends, GENERATION_NOW), { signal, settings: SETTINGS }),
    read: (ends, most, signal, shards) =>
      store.select(windowRows(view, ends, most, shards), { signal, described: windowRowColumns(view, shards !== undefined) }),
    async prune(before, signal) {
      const day = new Date(before).toISOString().slice(0, 10).replaceAll('-', '')
      const parts = await store.query(
        `SELECT DISTINCT partition FROM system.parts
         WHERE active AND database = {database:String} AND table = {table:String} AND toUInt32OrZero(partition) < {day:UInt32}`,
        { params: { ...panes, day: Number(day) }, signal },
      )
      for (const { partition } of parts) {
        await store.command(`ALTER TABLE ${tableName(panes)} DROP PARTITION ${literal(String(partition))}`, { signal })
      }
    },
    close: () => store.close(),
  }
}
