import { ConnectError } from '../runtime/errors'
import type { ColumnSet, StoreOptions, TableName } from '../runtime/store'
import { encodeArrow, loadArrow } from './arrow'
import { type Binding, bind } from './bind'
import { checkRows } from './check'
import type { ClickHouseStore } from './client'
import { columnList, tableName } from './quote'
import { readColumns } from './table'

/**
 * Settings of every insert. All are sent whatever the server's defaults are, because defaults changed between versions (26.2:
 * async_insert, deduplicate_insert, deduplicate_blocks_in_dependent_materialized_views) and a user's profile may differ.
 *
 * One body must become one block and so one part per table partition: the deduplication token covers a block, and a retry that is
 * cut otherwise is not recognised. Without null_as_default a null in a column without NULL is an error, not a zero; without
 * skip_unknown_fields an unknown column is an error, not silence.
 */
export const INSERT_SETTINGS: Readonly<Record<string, string | number>> = {
  async_insert: 0,
  max_insert_threads: 1,
  max_threads: 1,
  max_block_size: 100_000_000,
  max_insert_block_size: 100_000_000,
  min_insert_block_size_rows: 100_000_000,
  min_insert_block_size_bytes: 0,
  max_partitions_per_insert_block: 0,
  input_format_null_as_default: 0,
  input_format_skip_unknown_fields: 0,
  deduplicate_blocks_in_dependent_materialized_views: 1,
}

/** For tables that see rows once: the token decides, or (without one) nothing is dropped, however equal it looks. */
export const deduplication = (token: string | null): Readonly<Record<string, string | number>> =>
  token === null ? { deduplicate_insert: 'disable' } : { deduplicate_insert: 'enable', insert_deduplication_token: token }

export const insertStatement = (table: TableName, binding: Binding): string =>
  `INSERT INTO ${tableName(table)} (${columnList(binding.columns)}) FORMAT ArrowStream`

/** `Store.insert`: binds, checks every row, sends. All or nothing: throws S003 or the first row's error before anything is sent. */
export async function insertColumns(
  store: ClickHouseStore,
  table: TableName,
  rows: ColumnSet,
  options: StoreOptions,
): Promise<void> {
  if (rows.rows === 0) return
  const binding = bind(rows.schema, await readColumns(store, table, options.signal))
  if (binding.problems.length > 0) throw mismatch(table, binding.problems)
  const failures = checkRows(binding, rows.columns, rows.rows)
  if (failures.length > 0) throw failures[0].error
  const body = encodeArrow(await loadArrow(), binding, rows.columns, rows.rows)
  await store.send(insertStatement(table, binding), body, {
    ...options,
    settings: { ...INSERT_SETTINGS, ...deduplication(null), ...options.settings },
  })
}

export const mismatch = (table: TableName, problems: readonly string[]): ConnectError =>
  new ConnectError('S003_TABLE_MISMATCH', `the table ${table.database}.${table.table} does not fit: ${problems.join('; ')}`)
