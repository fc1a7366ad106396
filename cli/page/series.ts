import { ConnectError } from '../../runtime/errors'
import type { Registry } from '../../runtime/registry'
import type { ColumnSet } from '../../runtime/store'
import { identifier, integer, tableName } from '../../sql/quote'
import { viewTables } from '../../sql/windows/compile'
import { millisecondsOf, numbersOf } from '../../transforms/score/numbers'
import { bandsOf, type KeyRows } from './bands'
import { isNumber, type ShownView, type ViewColumn, type ViewStores } from './views'

/** Series of one answer. */
export const MOST_KEYS = 50
/** Windows of one series. */
export const MOST_WINDOWS = 2_000
/** Windows before the first one shown from which its band is learnt. */
const LEARNT_FROM = 1_000
const TIMEOUT_MS = 15_000

/** Values of the view's key columns as text, in their order. */
export type Key = readonly string[]

export interface SeriesQuestion {
  readonly keys: readonly Key[]
  /** Windows that end at or after this moment; null: as many as `windows` says. Milliseconds since 1970. */
  readonly from: number | null
  readonly to: number | null
  /** At most so many of each key, the latest. */
  readonly windows: number
}

type Numbers = readonly (number | null)[]

export interface Series {
  readonly key: Key
  /** Ends of its windows, ascending, milliseconds since 1970. A window without records is not there. */
  readonly window_end: readonly number[]
  readonly columns: Readonly<Record<string, Numbers>>
  /** What detectors expected, by `detector.feature`. */
  readonly bands: Readonly<Record<string, { readonly expected: Numbers; readonly lower: Numbers; readonly upper: Numbers }>>
}

/** Rows of a view for some of its keys, with what its detectors expect of them. */
export async function readSeries(
  shown: ShownView,
  stores: ViewStores,
  registry: Registry,
  question: SeriesQuestion,
  signal: AbortSignal,
): Promise<readonly Series[]> {
  const { view, watchedBy } = shown
  for (const key of question.keys)
    if (key.length !== view.keys.length)
      throw new ConnectError('C005_INVALID_VALUE', `key: ${view.name} has the keys ${view.keys.join(', ') || 'none'}`)
  if (question.keys.length === 0) return []
  const columns = await stores.columns(shown, signal)
  const store = stores.of(shown)
  const set = await store.select(statement(shown, store.database, columns, question), {
    params: parameters(question),
    signal,
    timeout: TIMEOUT_MS,
  })
  const column = (name: string) => set.columns[set.schema.fields.findIndex(f => f.name === name)]
  const ends = millisecondsOf(column('window_end'), set.rows)
  const places = numbersOf(column(PLACE), set.rows)
  const rowsOf = question.keys.map((_, place) => rowsAt(places, place))
  const bands = watchedBy.flatMap(watched => {
    const known = watched.features.every(f => columns.some(c => c.name === f && isNumber(c)))
    return known ? bandsOf(watched, registry, withKeys(set, shown), rowsOf, ends, view.lateness) : []
  })
  const numeric = columns.filter(c => isNumber(c) && !view.keys.includes(c.name) && c.name !== '_rev')
  const values = numeric.map(c => ({ name: c.name, all: numbersOf(column(c.name), set.rows) }))
  return question.keys.map((key, place) => {
    const { to } = rowsOf[place]
    const from = shownFrom(rowsOf[place], ends, question)
    const part = (all: Float64Array): Numbers => Array.from(all.subarray(from, to), v => (Number.isFinite(v) ? v : null))
    return {
      key,
      window_end: [...ends.subarray(from, to)],
      columns: Object.fromEntries(values.map(({ name, all }) => [name, part(all)])),
      bands: Object.fromEntries(
        bands.map(b => [
          `${b.detector}.${b.feature}`,
          { expected: part(b.expected), lower: part(b.lower), upper: part(b.upper) },
        ]),
      ),
    }
  })
}

/** Place of a row's key in the question. */
const PLACE = '_place'

/** Key texts become values of the key's type in the statement, so that the order key of the table finds them. */
function statement(
  { view }: ShownView,
  database: string,
  columns: readonly ViewColumn[],
  { keys, from, to, windows }: SeriesQuestion,
): string {
  const typeOf = (name: string): string => columns.find(c => c.name === name)?.type ?? 'String'
  const named = keys.map((_, place) => {
    const equal = view.keys.map((name, k) => `${identifier(name)} = CAST(unhex({k${place}_${k}:String}) AS ${typeOf(name)})`)
    return equal.length > 0 ? `(${equal.join(' AND ')})` : 'true'
  })
  const place = `multiIf(${named.map((condition, i) => `${condition}, ${integer(i)}`).join(', ')}, -1)`
  const before = (LEARNT_FROM * slideOf(view)) / 1000
  const conditions = [
    `(${named.join(' OR ')})`,
    ...(from === null
      ? []
      : [`window_end >= toDateTime64(${integer(from)} / 1000, 3, 'UTC') - INTERVAL ${integer(before)} SECOND`]),
    ...(to === null ? [] : [`window_end <= toDateTime64(${integer(to)} / 1000, 3, 'UTC')`]),
  ]
  return [
    `SELECT * FROM (SELECT ${columns.map(c => identifier(c.name)).join(', ')}, toInt32(${place}) AS ${identifier(PLACE)}`,
    `FROM ${tableName(viewTables(database, view).view)}`,
    `WHERE ${conditions.join(' AND ')}`,
    `ORDER BY ${identifier(PLACE)}, window_end DESC`,
    `LIMIT ${integer(windows + LEARNT_FROM)} BY ${identifier(PLACE)})`,
    `ORDER BY ${identifier(PLACE)}, window_end`,
  ].join('\n')
}

const slideOf = (view: ShownView['view']): number => view.window.slide

/** Hexadecimal, because values travel escaped on one path to the server and not on another. */
const parameters = ({ keys }: SeriesQuestion): Readonly<Record<string, string>> =>
  Object.fromEntries(
    keys.flatMap((key, place) => key.map((text, k) => [`k${place}_${k}`, Buffer.from(text).toString('hex')] as const)),
  )

function rowsAt(places: Float64Array, place: number): KeyRows {
  const from = places.indexOf(place)
  return from < 0 ? { from: 0, to: 0 } : { from, to: places.lastIndexOf(place) + 1 }
}

/** What came before only teaches. */
function shownFrom({ from, to }: KeyRows, ends: Float64Array, question: SeriesQuestion): number {
  let first = Math.max(from, to - question.windows)
  while (question.from !== null && first < to && ends[first] < question.from) first++
  return first
}

const withKeys = (set: ColumnSet, { view }: ShownView): ColumnSet => ({
  ...set,
  schema: { ...set.schema, name: view.name, key: view.keys },
})
