import type { TableName } from '../../runtime/store'

/**
 * Three objects stand behind `table: t`. Rows are inserted into `t__in` (ENGINE = Null, keeps nothing) and reach `t` by the
 * materialized view `t__mv`; views hang on `t__in` as well. So each target deduplicates by itself, and rows that one of them lost
 * can be inserted into that one alone: an insert into `t` itself triggers no view.
 */
export interface SinkTables {
  readonly table: TableName
  readonly input: TableName
  readonly forward: TableName
}

export const sinkTables = (database: string, table: string): SinkTables => ({
  table: { database, table },
  input: { database, table: `${table}__in` },
  forward: { database, table: `${table}__mv` },
})
