import { ConnectError } from '../../runtime/errors'
import type { Store } from '../../runtime/store'
import { type Token, tokens } from './tokens'

/** The aggregate functions of a server and the suffixes that change them. */
export interface AggregateFunctions {
  /** The name as the server spells it; undefined: not an aggregate function. */
  canonical(name: string): string | undefined
}

/** Suffixes that make or take states: they are ours to add. */
const OURS = ['SimpleState', 'MergeState', 'State', 'Merge']

export async function readAggregateFunctions(store: Store, signal?: AbortSignal): Promise<AggregateFunctions> {
  const functions = await store.query(
    'SELECT name, case_insensitive AS loose FROM system.functions WHERE is_aggregate ORDER BY name',
    { signal },
  )
  const combinators = await store.query('SELECT name FROM system.aggregate_function_combinators', { signal })
  return aggregateFunctions(
    functions.map(f => ({ name: String(f.name), loose: Number(f.loose) === 1 })),
    combinators.map(c => String(c.name)),
  )
}

/** `loose`: the name may be written in any case. */
export function aggregateFunctions(
  functions: readonly { readonly name: string; readonly loose: boolean }[],
  combinators: readonly string[],
): AggregateFunctions {
  const exact = new Set(functions.map(f => f.name))
  const loose = new Map(functions.filter(f => f.loose).map(f => [f.name.toLowerCase(), f.name]))
  const suffixes = [...combinators].sort((a, b) => b.length - a.length)
  const canonical = (name: string): string | undefined => {
    const plain = exact.has(name) ? name : loose.get(name.toLowerCase())
    if (plain !== undefined) return plain
    for (const suffix of suffixes) {
      if (name.length <= suffix.length || !name.endsWith(suffix)) continue
      const inner = canonical(name.slice(0, -suffix.length))
      if (inner !== undefined) return inner + suffix
    }
    return undefined
  }
  return { canonical }
}

/** One call of an aggregate function inside an expression. */
export interface AggregateCall {
  readonly start: number
  readonly end: number
  /** With its suffixes, without -State. */
  readonly name: string
  /** `(0.99)` of `quantile(0.99)(x)`; empty where there is none. */
  readonly parameters: string
  /** Text between the parentheses. */
  readonly arguments: string
}

/** The outermost aggregate calls, in order. Throws S006 for what cannot become a state. */
export function aggregateCalls(sql: string, functions: AggregateFunctions): readonly AggregateCall[] {
  const list = tokens(sql).filter(t => t.kind !== 'space' && t.kind !== 'comment')
  const text = (t: Token | undefined): string => (t ? sql.slice(t.start, t.end) : '')
  const closing = (open: number): number => {
    let depth = 0
    for (let i = open; i < list.length; i++) {
      if (text(list[i]) === '(') depth++
      else if (text(list[i]) === ')' && --depth === 0) return i
    }
    throw new ConnectError('S006_STATEMENT', `) is missing: ${sql}`)
  }
  const calls: AggregateCall[] = []
  for (let i = 0; i < list.length; i++) {
    if (list[i].kind !== 'word' || text(list[i + 1]) !== '(' || text(list[i - 1]) === '.') continue
    const name = functions.canonical(text(list[i]))
    if (name === undefined) continue
    const first = closing(i + 1)
    const parametric = text(list[first + 1]) === '('
    const last = parametric ? closing(first + 1) : first
    const inner = (open: number, close: number): string => sql.slice(list[open].end, list[close].start).trim()
    calls.push({
      start: list[i].start,
      end: list[last].end,
      parameters: parametric ? `(${inner(i + 1, first)})` : '',
      ...called(name, parametric ? inner(first + 1, last) : inner(i + 1, last)),
    })
    refuseClause(text(list[last + 1]), name)
    i = last
  }
  return calls
}

function called(name: string, args: string): Pick<AggregateCall, 'name' | 'arguments'> {
  const state = OURS.find(suffix => name.endsWith(suffix))
  if (state) throw new ConnectError('S006_STATEMENT', `${name}: a view keeps states itself; write the function without -${state}`)
  const distinct = /^distinct\b\s*/i.exec(args)
  if (!distinct) return { name, arguments: args }
  const rest = args.slice(distinct[0].length)
  return { name: name === 'count' ? 'uniqExact' : `${name}Distinct`, arguments: rest }
}

function refuseClause(word: string, name: string): void {
  const hints: Readonly<Record<string, string>> = {
    FILTER: `write ${name}If(..., condition)`,
    OVER: 'window functions work on rows, not on the windows of a view',
    RESPECT: `write ${name}RespectNulls`,
    IGNORE: 'nulls are left out anyway',
  }
  const hint = hints[word.toUpperCase()]
  if (hint) throw new ConnectError('S006_STATEMENT', `${name}(...) ${word} cannot be kept as a state`, { hint })
}

/** Functions whose state is their value: plain columns are cheaper to write and to add up. */
const PLAIN_STATE: ReadonlySet<string> = new Set(['min', 'max', 'sum'])

/** The state that a call adds up to, and how it is read back. */
export const stateCall = (c: AggregateCall): string =>
  `${c.name}${PLAIN_STATE.has(c.name) ? 'SimpleState' : 'State'}${c.parameters}(${c.arguments})`
export const mergeCall = (c: AggregateCall, column: string): string =>
  `${c.name}${PLAIN_STATE.has(c.name) ? '' : 'Merge'}${c.parameters}(${column})`
