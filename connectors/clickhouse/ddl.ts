import type { Field, Schema } from '../../runtime/schema'
import { identifier, literal, tableName } from '../../sql/quote'
import { statement } from '../../sql/templates'
import { columnsFor } from '../../sql/types'
import type { SinkConfig } from './config'
import type { SinkTables } from './names'
import { BEHIND, OFFSET, PARTITION, SOURCE } from './provenance'

/**
 * Tokens a table remembers, in parts (its default of 0 is no deduplication at all). Parts, not inserts: one insert into n table
 * partitions makes n. 1,000,000 is hours at hundreds of parts a second and costs nothing that could be measured.
 */
const DEDUPLICATION_WINDOW = 1_000_000

const DAY = 86_400_000

/** Up to this retention a table is partitioned by day: 31 partitions at most, each dropped whole. */
const DAILY_UP_TO = 31 * DAY

/** Codecs of our own columns: offsets and delays are near each other, sources and partitions repeat. */
const CODECS: Readonly<Record<string, string>> = {
  [SOURCE]: 'CODEC(ZSTD(1))',
  [PARTITION]: 'CODEC(ZSTD(1))',
  [OFFSET]: 'CODEC(Delta(8), ZSTD(1))',
  [BEHIND]: 'CODEC(T64, ZSTD(1))',
}

export interface ColumnText {
  readonly name: string
  readonly type: string
}

/** `CREATE TABLE` for the rows. `schema` includes the provenance fields. */
export function createTable(tables: SinkTables, schema: Schema, config: SinkConfig, comment: string): string {
  const columns = columnsFor(schema).map(c => `  ${identifier(c.name)} ${c.type} ${CODECS[c.name] ?? ''}`.trimEnd())
  // 200 million rows, which of them come from these offsets: 0.4 s with it, 20 s without; the index is 50 KiB
  const provenance = [SOURCE, PARTITION, OFFSET].map(identifier).join(', ')
  const index = `  INDEX ${identifier('_provenance')} (${provenance}) TYPE minmax GRANULARITY 4`
  const partition = partitionBy(config)
  return statement('create_table', {
    table: tableName(tables.table),
    columns: [...columns, index].join(',\n'),
    engine: config.mode === 'upsert' ? `ReplacingMergeTree(${identifier(config.version ?? '')})` : 'MergeTree',
    partition_by: partition === null ? '' : `PARTITION BY ${partition}`,
    order_by: `(${orderBy(config).map(keyText).join(', ')})`,
    ttl:
      config.retain === undefined
        ? ''
        : `TTL ${identifier(config.time ?? '')} + INTERVAL ${Math.ceil(config.retain / 1000)} SECOND`,
    settings: settingsText(config),
    comment: literal(comment),
  })
}

/** `CREATE TABLE` for `t__in`. */
export const createInput = (tables: SinkTables, columns: readonly ColumnText[], comment: string): string =>
  statement('create_input', {
    table: tableName(tables.input),
    columns: columns.map(c => `  ${identifier(c.name)} ${c.type}`).join(',\n'),
    comment: literal(comment),
  })

/** `CREATE MATERIALIZED VIEW` from `t__in` to `t`. */
export const createForward = (tables: SinkTables, columns: readonly string[]): string =>
  statement('create_forward', {
    view: tableName(tables.forward),
    table: tableName(tables.table),
    input: tableName(tables.input),
    columns: columns.map(identifier).join(', '),
  })

/** The query part of it, for `MODIFY QUERY`. */
export const forwardQuery = (tables: SinkTables, columns: readonly string[]): string =>
  `SELECT ${columns.map(identifier).join(', ')} FROM ${tableName(tables.input)}`

/** What a person would run so that the table takes these fields. */
export const addColumns = (tables: SinkTables, missing: readonly Field[]): string =>
  `ALTER TABLE ${tableName(tables.table)} ${columnsFor({ fields: missing })
    .map(c => `ADD COLUMN ${identifier(c.name)} ${c.type}`)
    .join(', ')}`

const orderBy = (config: SinkConfig): readonly string[] => config.order_by ?? (config.time === undefined ? [] : [config.time])

const COLUMN_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Columns that the sorting key names directly; what stands inside an expression is left to ClickHouse. */
export const keyColumns = (config: SinkConfig): readonly string[] => orderBy(config).filter(k => COLUMN_NAME.test(k))

const keyText = (key: string): string => (COLUMN_NAME.test(key) ? identifier(key) : key)

function partitionBy(config: SinkConfig): string | null {
  if (config.time === undefined) return null
  const unit = config.partition_by ?? (config.retain !== undefined && config.retain <= DAILY_UP_TO ? 'day' : 'month')
  if (unit === 'none') return null
  return `${unit === 'day' ? 'toYYYYMMDD' : 'toYYYYMM'}(${identifier(config.time)})`
}

function settingsText(config: SinkConfig): string {
  const settings: Record<string, string | number | boolean> = {
    non_replicated_deduplication_window: DEDUPLICATION_WINDOW,
    // whole partitions are dropped when all their rows are too old: rewriting parts for single rows would cost merges
    ...(config.retain === undefined ? {} : { ttl_only_drop_parts: 1 }),
    ...config.settings,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${typeof value === 'string' ? literal(value) : Number(value)}`)
    .join(', ')
}
