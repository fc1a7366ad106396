import type { Store, TableName } from '../runtime/store'
import type { TableColumn } from './bind'

/** What a store says about a table. */
export interface TableInfo {
  readonly engine: string
  /** Engine with its keys and settings, as DDL. */
  readonly engineFull: string
  readonly comment: string
  readonly columns: readonly TableColumn[]
}

/** Null: there is no such table. */
export async function readTable(store: Store, table: TableName, signal?: AbortSignal): Promise<TableInfo | null> {
  const rows = await store.query(
    'SELECT engine, engine_full, comment FROM system.tables WHERE database = {database:String} AND name = {table:String}',
    { params: { ...table }, signal },
  )
  if (rows.length === 0) return null
  const [row] = rows
  return {
    engine: String(row.engine),
    engineFull: String(row.engine_full),
    comment: String(row.comment),
    columns: await readColumns(store, table, signal),
  }
}

/** In the table's order; empty if there is no such table. */
export async function readColumns(store: Store, table: TableName, signal?: AbortSignal): Promise<readonly TableColumn[]> {
  const rows = await store.query(
    `SELECT name, type, default_kind FROM system.columns
     WHERE database = {database:String} AND table = {table:String} ORDER BY position`,
    { params: { ...table }, signal },
  )
  return rows.map(r => ({ name: String(r.name), type: String(r.type), defaultKind: String(r.default_kind) }))
}
