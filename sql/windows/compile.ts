import { createHash } from 'node:crypto'
import { asConnectError, ConnectError } from '../../runtime/errors'
import { didYouMean } from '../../runtime/registry'
import type { ViewSpec } from '../../runtime/spec'
import type { Store, TableName } from '../../runtime/store'
import { unknownColumn } from '../errors'
import { identifier, integer, tableName } from '../quote'
import { readColumns } from '../table'
import {
  type AggregateCall,
  type AggregateFunctions,
  aggregateCalls,
  mergeCall,
  readAggregateFunctions,
  stateCall,
} from './aggregates'
import { expression } from './tokens'

/** Objects of one view. */
export interface ViewTables {
  /** Partial aggregates: one row per pane (a slide), key and source partition; without windows per key and source partition. */
  readonly panes: TableName
  /** Fills them from `<table>__in`. */
  readonly feed: TableName
  /** Closed windows, one row per key; null without windows. */
  readonly rows: TableName | null
  /** What people read. */
  readonly view: TableName
}

export const viewTables = (database: string, view: ViewSpec): ViewTables => {
  const named = (suffix: string): TableName => ({ database, table: view.name + suffix })
  return {
    panes: named(view.window ? '__panes' : '__state'),
    feed: named('__mv'),
    rows: view.window ? named('__rows') : null,
    view: named(''),
  }
}

export interface TypedColumn {
  readonly name: string
  readonly type: string
}

/** A view as ClickHouse keeps it; types come from the engine. */
export interface CompiledView {
  readonly spec: ViewSpec
  readonly tables: ViewTables
  readonly keys: readonly TypedColumn[]
  readonly states: readonly TypedColumn[]
  /** Columns of the view, as aggregates of the states. */
  readonly columns: readonly (TypedColumn & { readonly sql: string })[]
  /** The rows of `from` (a table or subquery with the columns of `<table>__in`) as rows of the panes table. */
  readonly select: (from: string) => string
  /** Says whether two definitions are the same. */
  readonly hash: string
}

/** Columns of ours in panes. The highest offset says which batches are in a row; see `connectors/clickhouse/view_repair.ts`. */
export const PANE = '_pane'
export const SOURCE = '_source'
export const PARTITION = '_partition'
export const RECORDS = '_n'
export const OFFSET = '_offset_max'
export const REVISION = '_rev'

/** `_rev` = generation x 2^40 + records: it grows with late records and never within one set of them. */
export const GENERATION = 2 ** 40

/** `count()` is known without a state of its own. */
const COUNTED = `sum(${identifier(RECORDS)})`
const isCount = ({ name, arguments: args }: AggregateCall): boolean => name === 'count' && (args === '' || args === '*')

/** What a view is made of before its types are known. */
interface Parts {
  readonly states: readonly { readonly name: string; readonly sql: string }[]
  readonly columns: readonly { readonly name: string; readonly sql: string }[]
}

/**
 * Takes the view apart and asks the engine for its types. `input` is `<table>__in`, which must exist. Throws S006 for SQL that
 * cannot be, C020 for a key that may be null.
 */
export async function compileView(
  spec: ViewSpec,
  input: TableName,
  database: string,
  store: Store,
  signal?: AbortSignal,
): Promise<CompiledView> {
  try {
    const parts = takeApart(spec, await readAggregateFunctions(store, signal))
    const select = statesOf(spec, parts.states, tableName(input))
    const types = await describe(store, select, signal)
    const keys = spec.keys.map(name => ({ name, type: typeOf(types, name) }))
    const nullable = keys.find(k => /^(LowCardinality\()?Nullable\(/.test(k.type))
    if (nullable) {
      throw new ConnectError('C020_TYPE_MISMATCH', `the key ${nullable.name} may be null (${nullable.type}): a key may not`)
    }
    const states = parts.states.map(({ name }) => ({ name, type: typeOf(types, name) }))
    const merged = parts.columns.map(c => `(${c.sql}) AS ${identifier(c.name)}`).join(', ')
    const by = keys.length > 0 ? ` GROUP BY ${keys.map(k => identifier(k.name)).join(', ')}` : ''
    const final = await describe(store, `SELECT ${merged} FROM (${select})${by}`, signal)
    const columns = parts.columns.map(c => ({ ...c, type: typeOf(final, c.name) }))
    const definition = JSON.stringify([1, select, keys, states, columns, spec.window, spec.retain])
    return {
      spec,
      tables: viewTables(database, spec),
      keys,
      states,
      columns,
      select: from => statesOf(spec, parts.states, from),
      hash: createHash('sha256').update(definition).digest('hex').slice(0, 16),
    }
  } catch (thrown) {
    const error = asConnectError(thrown)
    if (error.code === 'R001_INTERNAL' || error.retriable) throw error
    const { hint, cause } = error
    const column = unknownColumn(error)
    if (column !== null) throw await noColumn(spec, column, error, () => readColumns(store, input, signal))
    // an unknown identifier or table in the statement is the view's, not a difference between flow and table
    const code = error.code === 'S003_TABLE_MISMATCH' ? 'S006_STATEMENT' : error.code
    throw new ConnectError(code, `${spec.at}: view ${spec.name}: ${error.message}`, { hint, cause })
  }
}

async function noColumn(
  spec: ViewSpec,
  column: string,
  error: ConnectError,
  columns: () => Promise<readonly { readonly name: string }[]>,
): Promise<ConnectError> {
  // those that begin with _ are the product's own; without the list the name alone helps, too
  const names = (await columns().catch(() => [])).map(c => c.name).filter(name => !name.startsWith('_'))
  const near = didYouMean(column, names)
  const list = names.length > 0 ? `the columns of ${spec.from} are ${names.join(', ')}` : error.hint
  const hint = near ? `did you mean "${near}"?` : list
  const message = `${spec.at}: view ${spec.name}: the table ${spec.from} has no column "${column}"`
  return new ConnectError('S006_STATEMENT', message, { hint, cause: error.cause })
}

const describe = async (store: Store, select: string, signal?: AbortSignal): Promise<ReadonlyMap<string, string>> =>
  new Map((await store.query(`DESCRIBE TABLE (${select})`, { signal })).map(r => [String(r.name), String(r.type)]))

function typeOf(types: ReadonlyMap<string, string>, name: string): string {
  const type = types.get(name)
  if (type === undefined) throw new ConnectError('R001_INTERNAL', `the engine described no column ${name}`)
  return type
}

/** Each distinct aggregate call becomes one state; what stands around the calls stays as written. */
export function takeApart(spec: ViewSpec, functions: AggregateFunctions): Parts {
  const states: { name: string; sql: string }[] = []
  const stateOf = (sql: string): string => {
    const known = states.find(s => s.sql === sql)
    if (known) return known.name
    const name = `_s${states.length}`
    states.push({ name, sql })
    return name
  }
  const columns = Object.entries(spec.columns).map(([name, written]) => {
    const text = expression(written)
    let sql = ''
    let at = 0
    for (const call of aggregateCalls(text, functions)) {
      sql += text.slice(at, call.start) + (isCount(call) ? COUNTED : mergeCall(call, stateOf(stateCall(call))))
      at = call.end
    }
    return { name, sql: sql + text.slice(at) }
  })
  return { states, columns }
}

/**
 * Rows as panes. A pane's time is its start. Which records count depends on `_behind`, a function of the log, never on when they arrive here.
 */
function statesOf(spec: ViewSpec, states: Parts['states'], from: string): string {
  const groups = [...paneColumns(spec), ...spec.keys, SOURCE, PARTITION]
  const conditions = [
    ...(spec.window ? [`\`_behind\` <= ${integer(spec.delay + spec.lateness)}`] : []),
    ...(spec.where === null ? [] : [`(${expression(spec.where)})`]),
  ]
  const selected = [
    ...(spec.window ? [`${paneOf(spec)} AS ${identifier(PANE)}`] : []),
    ...[...spec.keys, SOURCE, PARTITION].map(identifier),
    ...states.map(s => `${s.sql} AS ${identifier(s.name)}`),
    `count() AS ${identifier(RECORDS)}`,
    `max(\`_offset\`) AS ${identifier(OFFSET)}`,
  ]
  const where = conditions.length > 0 ? `\nWHERE ${conditions.join(' AND ')}` : ''
  return `SELECT ${selected.join(', ')}\nFROM ${from}${where}\nGROUP BY ${groups.map(identifier).join(', ')}`
}

const paneColumns = (spec: ViewSpec): readonly string[] => (spec.window ? [PANE] : [])

/** Start of the pane of a row: event time rounded down to the slide. Milliseconds, so that times before 1970 round down too. */
function paneOf(spec: ViewSpec): string {
  const { slide, offset } = spec.window ?? { slide: 1000, offset: 0 }
  const ms = `toUnixTimestamp64Milli(toDateTime64(${identifier(spec.time ?? '')}, 3, 'UTC'))`
  const since = offset === 0 ? ms : `${ms} - ${integer(offset)}`
  return `toDateTime64(intDiv(${ms} - positiveModulo(${since}, ${integer(slide)}), 1000), 0, 'UTC')`
}

/** Columns of the panes table, in order. */
export const paneTableColumns = (view: CompiledView): readonly TypedColumn[] => [
  ...(view.spec.window ? [{ name: PANE, type: "DateTime64(0, 'UTC')" }] : []),
  ...view.keys,
  { name: SOURCE, type: 'LowCardinality(String)' },
  { name: PARTITION, type: 'Int32' },
  ...view.states,
  { name: RECORDS, type: 'SimpleAggregateFunction(sum, UInt64)' },
  { name: OFFSET, type: 'SimpleAggregateFunction(max, Int64)' },
]

/** What names a row of the panes table. */
export const paneKey = (view: CompiledView): readonly string[] => [
  ...paneColumns(view.spec),
  ...view.keys.map(k => k.name),
  SOURCE,
  PARTITION,
]
