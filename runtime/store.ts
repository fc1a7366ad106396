import type { Column } from './column'
import type { Schema } from './schema'

/**
 * A column store as scoring, training, lookups and commands see it, so that none of them imports a client. Every call has a
 * deadline and obeys its signal; every error is a ConnectError (E0xx: not reachable or refused, S0xx: the store's own answer).
 */
export interface Store {
  /** Database in which unqualified names are looked up. */
  readonly database: string
  /** Rows as objects: 64-bit integers, decimals and dates are strings, as the store writes them in JSON. */
  query(sql: string, options?: StoreOptions): Promise<readonly StoreRow[]>
  /** Rows as columns. */
  select(sql: string, options?: SelectOptions): Promise<ColumnSet>
  /** A statement that gives no rows (DDL, INSERT SELECT). */
  command(sql: string, options?: StoreOptions): Promise<void>
  /** Rows into an existing table, in one block. Columns the set does not name get their defaults. */
  insert(table: TableName, rows: ColumnSet, options?: StoreOptions): Promise<void>
  close(): Promise<void>
}

export type StoreRow = Readonly<Record<string, unknown>>

export interface StoreOptions {
  /** Values of `{name:Type}` placeholders. */
  readonly params?: Readonly<Record<string, unknown>>
  readonly settings?: Readonly<Record<string, string | number>>
  readonly signal?: AbortSignal
  /** Milliseconds; the connection's `request_timeout` where absent. */
  readonly timeout?: number
}

export interface SelectOptions extends StoreOptions {
  /** Columns of the answer with the store's types, where they are known; else the store is asked for them first. */
  readonly described?: readonly { readonly name: string; readonly type: string }[]
}

export interface TableName {
  readonly database: string
  readonly table: string
}

export interface ColumnSet {
  readonly schema: Schema
  readonly columns: readonly Column[]
  readonly rows: number
}
