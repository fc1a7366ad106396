import type { Shards } from '../../runtime/views/contracts'
import { identifier, integer, tableName } from '../quote'
import { type CompiledView, GENERATION, PANE, PARTITION, RECORDS, REVISION, SOURCE, type TypedColumn } from './compile'
import { rowTableColumns } from './ddl'

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
  const [first, last] = [ends[0], ends[ends.length - 1]]
  const panes = `${tableName(view.tables.panes)} WHERE ${identifier(PANE)} >= ${moment(first - size)} AND ${identifier(PANE)} < ${moment(last)}`
  const keys = view.keys.map(k => identifier(k.name))
  const END = identifier('_end')
  // one window, the usual case, needs no column for its end: grouping by the keys alone costs a fifth less
  const one = ends.length === 1
  const end = one ? `toInt64(${seconds(last)})` : END
  const windows = `arrayJoin(arrayMap(i -> ${PANE_SECONDS} + ${seconds(slide)} * (i + 1), range(${integer(size / slide)})))`
  const by = one ? keys : [END, ...keys]
  return [
    `INSERT INTO ${tableName(rowsOf(view))} (${['window_start', 'window_end', ...view.keys.map(k => k.name), ...view.columns.map(c => c.name), REVISION].map(identifier).join(', ')})`,
    `SELECT ${[
      `toDateTime64(${end} - ${seconds(size)}, 0, 'UTC')`,
      `toDateTime64(${end}, 0, 'UTC')`,
      ...keys,
      ...view.columns.map(c => `(${c.sql}) AS ${identifier(c.name)}`),
      `toUInt64(${integer(generation * GENERATION)} + sum(${identifier(RECORDS)}))`,
    ].join(', ')}`,
    one ? `FROM ${panes}` : `FROM (SELECT *, ${windows} AS ${END} FROM ${panes}) WHERE ${among(END, ends, slide)}`,
    ...(by.length > 0 ? [`GROUP BY ${by.join(', ')}`] : [`HAVING sum(${identifier(RECORDS)}) > 0`]),
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

/** In which of so many shards a key is. */
const SHARD = '_shard'

/** Columns of `windowRows`, with their types. */
export const windowRowColumns = (view: CompiledView, sharded: boolean): readonly TypedColumn[] => [
  ...rowTableColumns(view).map(c => (c.name === REVISION ? { ...c, type: 'Int64' } : c)),
  ...(sharded ? [{ name: SHARD, type: 'Int32' }] : []),
]

const shardOf = ({ keys }: CompiledView, of: number): string =>
  keys.length === 0 ? 'toInt32(0)' : `toInt32(cityHash64(${keys.map(k => identifier(k.name)).join(', ')}) % ${integer(of)})`

/**
 * Closed windows with these ends (ascending), in window order, for readers of closings; at most so many rows.
 *
 * PREWHERE, because conditions on the sorting key hold for all revisions of a row and so may be applied before FINAL merges
 * them; ClickHouse does not move them there by itself.
 */
export function windowRows(view: CompiledView, ends: readonly number[], most: number | null, shards?: Shards): string {
  const columns = windowRowColumns(view, false).map(c => identifier(c.name))
  const inShards =
    shards && shards.wanted.length < shards.of
      ? ` AND ${shardOf(view, shards.of)} IN (${shards.wanted.map(integer).join(', ')})`
      : ''
  return [
    `SELECT ${[
      ...columns.slice(0, -1),
      `toInt64(${identifier(REVISION)}) AS ${identifier(REVISION)}`,
      ...(shards ? [`${shardOf(view, shards.of)} AS ${identifier(SHARD)}`] : []),
    ].join(', ')}`,
    `FROM ${tableName(rowsOf(view))} FINAL`,
    `PREWHERE (${among('window_end', ends, windowOf(view).slide, moment)})${inShards}`,
    `ORDER BY ${['window_end', ...view.keys.map(k => k.name)].map(identifier).join(', ')}`,
    ...(most === null ? [] : [`LIMIT ${integer(most)}`]),
    // all revisions of a window lie in one partition, which is by its end
    'SETTINGS do_not_merge_across_partitions_select_final = 1',
  ].join('\n')
}

/** Ranges in one condition. */
const MOST_RUNS = 64

/**
 * That a column is among these ends (ascending): as ranges where there are few, because they are cheaper than a list and what
 * parts and granules are left out by. `column` holds seconds, or else what `value` makes of milliseconds.
 */
function among(column: string, ends: readonly number[], slide: number, value: (ms: number) => string = seconds): string {
  const between = ([first, last]: readonly [number, number]): string => `${column} BETWEEN ${value(first)} AND ${value(last)}`
  const ranges = runs(ends, slide)
  if (ranges.length <= MOST_RUNS) return `(${ranges.map(between).join(' OR ')})`
  const asSeconds = value === seconds ? column : `intDiv(toUnixTimestamp64Milli(${column}), 1000)`
  return `${between([ends[0], ends[ends.length - 1]])} AND ${asSeconds} IN (${ends.map(seconds).join(', ')})`
}

/** Ascending moments as ranges `[first, last]` of neighbours. */
export function runs(moments: readonly number[], step: number): readonly (readonly [number, number])[] {
  const out: [number, number][] = []
  for (const moment of moments) {
    const last = out[out.length - 1]
    if (last && moment - last[1] <= step) last[1] = moment
    else out.push([moment, moment])
  }
  return out
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
