import { identifier, literal, tableName } from '../quote'
import { type CompiledView, PANE, paneKey, paneTableColumns, REVISION, type TypedColumn } from './compile'

const DAY = 86_400_000
/** As for tables of rows: parts a table remembers by token; the default of 0 would count a batch that is sent again twice. */
const DEDUPLICATION = 'non_replicated_deduplication_window = 1000000'

/** A statement and the object it makes. */
export interface ViewStatement {
  readonly object: string
  readonly statement: string
}

/**
 * What makes the objects of a view, in order: the materialized view comes last, when everything it and readers need is there.
 * `comment` marks the panes table.
 *
 * Panes have no TTL: a TTL goes by the wall clock and would delete the panes of old events before their windows are closed. The
 * finaliser drops their partitions by event time instead.
 */
export function createStatements(view: CompiledView, comment: string, input: string): readonly ViewStatement[] {
  const { tables } = view
  const feed = {
    object: tables.feed.table,
    statement: `CREATE MATERIALIZED VIEW IF NOT EXISTS ${tableName(tables.feed)} TO ${tableName(tables.panes)} AS\n${view.select(input)}`,
  }
  const panes = { object: tables.panes.table, statement: createPanes(view, comment) }
  const shown = { object: tables.view.table, statement: createView(view) }
  if (tables.rows === null) return [panes, shown, feed]
  return [panes, { object: tables.rows.table, statement: createRows(view) }, shown, feed]
}

/** What a person runs to make room for a changed definition. */
export const dropStatements = ({ tables }: CompiledView): readonly string[] => [
  `DROP VIEW IF EXISTS ${tableName(tables.feed)}`,
  `DROP VIEW IF EXISTS ${tableName(tables.view)}`,
  ...(tables.rows ? [`DROP TABLE IF EXISTS ${tableName(tables.rows)}`] : []),
  `DROP TABLE IF EXISTS ${tableName(tables.panes)}`,
]

function createPanes(view: CompiledView, comment: string): string {
  return [
    `CREATE TABLE IF NOT EXISTS ${tableName(view.tables.panes)} (`,
    columnLines(paneTableColumns(view)),
    ')',
    'ENGINE = AggregatingMergeTree',
    ...(view.spec.window ? [`PARTITION BY toYYYYMMDD(${identifier(PANE)})`] : []),
    `ORDER BY ${tuple(paneKey(view))}`,
    `SETTINGS ${DEDUPLICATION}`,
    `COMMENT ${literal(comment)}`,
  ].join('\n')
}

function createRows(view: CompiledView): string {
  const { retain } = view.spec
  const unit = retain !== null && retain <= 31 * DAY ? 'toYYYYMMDD' : 'toYYYYMM'
  const ttl = retain === null ? [] : [`TTL window_end + INTERVAL ${Math.ceil(retain / 1000)} SECOND`]
  return [
    `CREATE TABLE IF NOT EXISTS ${tableName(view.tables.rows ?? view.tables.view)} (`,
    columnLines(rowTableColumns(view)),
    ')',
    `ENGINE = ReplacingMergeTree(${identifier(REVISION)})`,
    `PARTITION BY ${unit}(window_end)`,
    `ORDER BY ${tuple([...view.keys.map(k => k.name), 'window_end'])}`,
    ...ttl,
    `SETTINGS ${DEDUPLICATION}${retain === null ? '' : ', ttl_only_drop_parts = 1'}`,
  ].join('\n')
}

/** Columns of the table of closed windows, which are those of the view. */
export const rowTableColumns = (view: CompiledView): readonly TypedColumn[] => [
  { name: 'window_start', type: "DateTime64(0, 'UTC')" },
  { name: 'window_end', type: "DateTime64(0, 'UTC')" },
  ...view.keys,
  ...view.columns.map(({ name, type }) => ({ name, type })),
  { name: REVISION, type: 'UInt64' },
]

function createView(view: CompiledView): string {
  const { tables } = view
  const create = `CREATE VIEW IF NOT EXISTS ${tableName(tables.view)} AS\n`
  if (tables.rows) {
    const names = rowTableColumns(view).map(c => identifier(c.name))
    return `${create}SELECT ${names.join(', ')}\nFROM ${tableName(tables.rows)} FINAL`
  }
  const keys = view.keys.map(k => identifier(k.name))
  const columns = view.columns.map(c => `(${c.sql}) AS ${identifier(c.name)}`)
  const by = keys.length > 0 ? `\nGROUP BY ${keys.join(', ')}` : ''
  return `${create}SELECT ${[...keys, ...columns].join(', ')}\nFROM ${tableName(tables.panes)}${by}`
}

const columnLines = (columns: readonly TypedColumn[]): string => columns.map(c => `  ${identifier(c.name)} ${c.type}`).join(',\n')

const tuple = (names: readonly string[]): string => `(${names.map(identifier).join(', ')})`
