import { identifier, integer, tableName } from '../quote'
import { type CompiledView, GENERATION, PANE, PARTITION, RECORDS, REVISION, SOURCE } from './compile'

/** Moments are milliseconds since 1970 and whole seconds. */
const seconds = (ms: number): string => integer(ms / 1000)
const moment = (ms: number): string => `toDateTime64(${seconds(ms)}, 0, 'UTC')`

const windowOf = ({ spec }: CompiledView): { readonly size: number; readonly slide: number } =>
  spec.window ?? { size: 0, slide: 1000 }
const rowsOf = ({ tables }: CompiledView) => tables.rows ?? tables.view
const PANE_SECONDS = `intDiv(toUnixTimestamp64Milli(${identifier(PANE)}), 1000)`

/**
 * The rows of these windows (their ends, ascending), merged from their panes into the table of closed windows by one statement.
 * A window without records has no rows. Sent twice it changes nothing: the same records give the same `_rev`, and of equal
 * revisions one is kept; so it carries no token, which could lie (be logged while the rows were lost).
 */
export function finaliseWindows(view: CompiledView, ends: readonly number[], generation: number): string {
  const { size, slide } = windowOf(view)
  const end = identifier('_end')
  const keys = view.keys.map(k => identifier(k.name))
  const list = `[${ends.map(seconds).join(', ')}]`
  const windows =
    ends.length === 1
      ? `toInt64(${seconds(ends[0])})`
      : `arrayJoin(arrayFilter(e -> has(${list}, e), arrayMap(i -> ${PANE_SECONDS} + ${seconds(slide)} * (i + 1), range(${integer(size / slide)}))))`
  return [
    `INSERT INTO ${tableName(rowsOf(view))} (${['window_start', 'window_end', ...view.keys.map(k => k.name), ...view.columns.map(c => c.name), REVISION].map(identifier).join(', ')})`,
    `SELECT ${[
      `toDateTime64(${end} - ${seconds(size)}, 0, 'UTC')`,
      `toDateTime64(${end}, 0, 'UTC')`,
      ...keys,
      ...view.columns.map(c => `(${c.sql}) AS ${identifier(c.name)}`),
      `toUInt64(${integer(generation * GENERATION)} + sum(${identifier(RECORDS)}))`,
    ].join(', ')}`,
    `FROM (SELECT *, ${windows} AS ${end} FROM ${tableName(view.tables.panes)}`,
    `WHERE ${identifier(PANE)} >= ${moment(ends[0] - size)} AND ${identifier(PANE)} < ${moment(ends[ends.length - 1])})`,
    `GROUP BY ${[end, ...keys].join(', ')}`,
  ].join('\n')
}

/** Records and rows of each pane from this moment on: what tells a pane that has grown since its windows were closed. */
export const paneTotals = (view: CompiledView, from: number | null): string =>
  [
    `SELECT ${PANE_SECONDS} * 1000 AS pane, sum(${identifier(RECORDS)}) AS records, count() AS rows`,
    `FROM ${tableName(view.tables.panes)}`,
    ...(from === null ? [] : [`WHERE ${identifier(PANE)} >= ${moment(from)}`]),
    'GROUP BY pane ORDER BY pane',
  ].join('\n')

/** Records of each closed window, by its end, from this moment on: what its rows say. */
export const rowTotals = (view: CompiledView, from: number | null): string =>
  [
    `SELECT toUnixTimestamp64Milli(window_end) AS end, sum(modulo(${identifier(REVISION)}, ${integer(GENERATION)})) AS records`,
    `FROM ${tableName(rowsOf(view))} FINAL`,
    ...(from === null ? [] : [`WHERE window_end >= ${moment(from)}`]),
    'GROUP BY end ORDER BY end',
  ].join('\n')

/** Closed windows with these ends, in window order, for readers of closings. */
export function windowRows(view: CompiledView, ends: readonly number[]): string {
  const keys = view.keys.map(k => k.name)
  const names = ['window_start', 'window_end', ...keys, ...view.columns.map(c => c.name)].map(identifier)
  return [
    `SELECT ${names.join(', ')}, toInt64(${identifier(REVISION)}) AS ${identifier(REVISION)}`,
    `FROM ${tableName(rowsOf(view))} FINAL`,
    // the range first: it is what parts and granules are left out by
    `WHERE window_end BETWEEN ${moment(ends[0])} AND ${moment(ends[ends.length - 1])}`,
    `AND intDiv(toUnixTimestamp64Milli(window_end), 1000) IN (${ends.map(seconds).join(', ')})`,
    `ORDER BY ${['window_end', ...keys].map(identifier).join(', ')}`,
  ].join('\n')
}

/** What of these source ranges a panes table lacks; `batch` is a subquery of panes (see `CompiledView.select`). */
export function missingPanes(
  view: CompiledView,
  batch: string,
  key: readonly string[],
  landed: readonly { readonly source: string; readonly partition: number; readonly from: number }[],
  offset: string,
): string {
  const tuple = `(${key.map(identifier).join(', ')})`
  const ranges = landed.map(
    r =>
      `(${identifier(SOURCE)} = ${r.source} AND ${identifier(PARTITION)} = ${integer(r.partition)} AND ${identifier(offset)} >= ${integer(r.from)})`,
  )
  return [
    `SELECT * FROM (${batch})`,
    `WHERE ${tuple} NOT IN (SELECT ${key.map(identifier).join(', ')} FROM ${tableName(view.tables.panes)} WHERE ${ranges.join(' OR ')})`,
  ].join('\n')
}
