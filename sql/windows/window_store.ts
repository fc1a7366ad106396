import type { Store } from '../../runtime/store'
import type { WindowStore } from '../../runtime/views/contracts'
import { literal, tableName } from '../quote'
import type { CompiledView } from './compile'
import { finaliseWindows, paneTotals, rowTotals, windowRows } from './finalise'

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

/** Raised when a definition changes; then rows of the new one win over those of the old. */
const GENERATION_NOW = 0

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
    read: (ends, signal) => store.select(windowRows(view, ends), { signal }),
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
