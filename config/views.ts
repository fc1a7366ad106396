import { z } from 'zod'
import { columnName, duration } from '../runtime/fields'
import { didYouMean } from '../runtime/registry'
import type { ViewSpec } from '../runtime/spec'
import type { CheckContext } from './check'
import type { FlowDraft, StageDraft, ViewDraft } from './draft'
import { child, type Entry, entryOf, type Node, type Path, pathText } from './tree'

const sql = (what: string) => z.string().min(1).meta({ expected: what })
const SECOND = 1000
const OF_WINDOWS = ['slide', 'offset', 'delay', 'lateness', 'retain', 'panes_retain'] as const

/** `views:` as it stands in the file. What concerns a view's table is checked by `readViews`. */
export const viewSchema = z
  .strictObject({
    description: z.string().optional().describe('For people; the engine does not read it.'),
    from: z.string().min(1).describe('Table whose rows are aggregated: one that a flow of this file writes, with `time:`.'),
    size: duration()
      .optional()
      .describe('Length of a window in event time. Without it the view has one row a key over everything.'),
    slide: duration().optional().describe('A window begins each time this long has passed. Default: size (tumbling windows).'),
    offset: duration().optional().describe('Shifts the beginnings of windows from midnight 1970-01-01 UTC.'),
    keys: z
      .array(columnName())
      .prefault([])
      .refine(keys => new Set(keys).size === keys.length, 'a key is named twice')
      .describe('Columns by which rows are grouped. None: one row a window.'),
    where: sql('a condition in SQL').optional().describe('Rows that count, as a condition in ClickHouse SQL.'),
    columns: z
      .record(columnName(), sql('an expression in SQL'))
      .refine(columns => Object.keys(columns).length > 0, 'a view needs at least one column')
      .describe('Columns by name: ClickHouse SQL over aggregate functions, such as `max(cpu) - min(cpu)`.'),
    delay: duration()
      .optional()
      .describe('How far out of order records are expected: a window waits this long in event time. Default: 0s.'),
    lateness: duration()
      .optional()
      .describe('How long after that a record still revises its windows. Later ones are counted as late. Default: 0s.'),
    retain: duration().optional().describe('Rows of windows that ended longer ago are deleted by ClickHouse. Default: never.'),
    panes_retain: duration()
      .optional()
      .describe('How long partial aggregates are kept after their windows are final, in event time. Default: 2d.')
      .meta({ advanced: true }),
    timezone: z
      .string()
      .optional()
      .describe('Not available in this version: windows begin by UTC; use `offset`.')
      .meta({ advanced: true }),
    late: z.string().optional().describe('Not available in this version.').meta({ advanced: true }),
    sql: z.string().optional().describe('Not available in this version.').meta({ advanced: true }),
  })
  .superRefine((view, context) => {
    const wrong = (key: string, message: string, hint?: string): void =>
      context.addIssue({ code: 'custom', path: [key], message, params: { hint } })
    const whole = ['size', 'slide', 'offset'] as const
    const fractions = whole.filter(key => (view[key] ?? 0) % SECOND !== 0)
    for (const key of fractions) wrong(key, `${key} must be whole seconds`)
    for (const key of ['size', 'slide'] as const) if (view[key] === 0) wrong(key, `${key} must be longer than 0`)
    if (view.size === undefined) {
      const [first, ...others] = OF_WINDOWS.filter(key => view[key] !== undefined)
      const also = others.length === 0 ? ' is' : `, ${others.join(', ')} are`
      if (first) wrong(first, `${first}${also} for windows: give the view a size`)
    } else if (view.slide && fractions.length === 0 && view.size % view.slide !== 0)
      wrong('slide', 'size must be a multiple of slide', slidesOf(view.size))
    for (const name of [...Object.keys(view.columns)])
      if (view.keys.includes(name)) wrong('columns', `the column ${name} has the name of a key`)
    for (const name of [...view.keys, ...Object.keys(view.columns)])
      if (name.startsWith('_') || ['window_start', 'window_end'].includes(name))
        wrong(view.keys.includes(name) ? 'keys' : 'columns', `${name}: this name is the product's own`)
  })
  .meta({ expected: 'a mapping with from, size, keys and columns' })

/** Divisors of a size in ms that people would choose, as words: 1m, 2m, 5m, 10m for ten minutes. */
function slidesOf(size: number): string {
  const fit = USUAL_SLIDES.filter(([ms]) => ms <= size && size % ms === 0).map(([, text]) => text)
  return fit.length === 0 ? 'leave slide out' : `slide may be ${fit.slice(-4).join(', ')}`
}

export type ViewFile = z.output<typeof viewSchema>

const USUAL_SLIDES = [
  ...[1, 2, 5, 10, 15, 20, 30].map(n => [n * 1_000, `${n}s`] as const),
  ...[1, 2, 5, 10, 15, 20, 30].map(n => [n * 60_000, `${n}m`] as const),
  ...[1, 2, 3, 4, 6, 8, 12].map(n => [n * 3_600_000, `${n}h`] as const),
]
const NOT_AVAILABLE = ['timezone', 'late', 'sql'] as const
const DAY = 86_400_000

/** The tables that flows write, as views need to know them. */
interface Target {
  readonly table: string
  /** Null: could not be read. */
  readonly connection: string | null
  /** Undefined: could not be read. */
  readonly time: string | null | undefined
  readonly upsert: boolean
}

/** `views:` as the skeleton's check could read it; what is not among `lost` is as it stands in the file. */
export interface ViewFiles {
  readonly files: Readonly<Record<string, ViewFile>>
  /** Below `views`. */
  readonly lost: readonly Path[]
}

/** Views of the file as specs; whatever is wrong with one is reported and leaves it out, but for what its draft has of it. */
export function readViews(
  block: Node | undefined,
  { files, lost }: ViewFiles,
  flows: readonly FlowDraft[],
  context: CheckContext,
): { readonly specs: readonly ViewSpec[]; readonly drafts: readonly ViewDraft[] } {
  if (block?.kind !== 'map') return { specs: [], drafts: [] }
  for (const entry of block.entries) refuseUnavailable(entry, context)
  const targets = flows.flatMap(({ sink }) => (sink ? targetOf(sink) : []))
  // a table may belong to a flow whose sink could not be read
  const allKnown =
    flows.length > 0 && flows.every(f => f.sink && !f.sink.lost.some(path => path.length === 1 && path[0] === 'table'))
  const read = block.entries.map(entry => {
    const view = files[entry.key]
    const gone = lost.filter(path => path[0] === entry.key).map(path => path.slice(1))
    const spec = view ? readView(entry, view, { targets, allKnown }, context) : null
    return { spec: gone.length === 0 ? spec : null, draft: draftOf(entry, view, gone, spec) }
  })
  return { specs: read.map(r => r.spec).filter(spec => spec !== null), drafts: read.map(r => r.draft) }
}

function draftOf(
  { key: name, value }: Entry,
  view: ViewFile | undefined,
  lost: readonly Path[],
  spec: ViewSpec | null,
): ViewDraft {
  const windows = ['size', ...OF_WINDOWS].some(key => entryOf(value, key))
  const names = lost.filter(path => path[0] === 'columns' && path.length === 2).map(path => String(path[1]))
  const unknown = !view || lost.some(path => path[0] === 'keys' || (path[0] === 'columns' && path.length === 1))
  const columns = unknown
    ? null
    : { keys: view.keys, columns: { ...view.columns, ...Object.fromEntries(names.map(n => [n, ''])) } }
  return { name, connection: spec?.connection || null, windows, columns }
}

function refuseUnavailable({ key, value }: Entry, { findings }: CheckContext): void {
  for (const word of NOT_AVAILABLE) {
    const entry = entryOf(value, word)
    if (entry)
      findings.add(
        'C021_NOT_AVAILABLE',
        entry.keyStart,
        pathText(['views', key, word]),
        `\`${word}:\` is not available in this version`,
      )
  }
}

/** Sinks with a table are known by their config: the file's checks know no plugin by name. */
function targetOf({ spec: sink, lost }: StageDraft): readonly Target[] {
  const config = sink.config as { readonly table?: unknown; readonly time?: unknown; readonly mode?: unknown } | null
  if (typeof config?.table !== 'string') return []
  const time = typeof config.time === 'string' ? config.time : lost.length > 0 ? undefined : null
  return [{ table: config.table, connection: sink.connection, time, upsert: config.mode === 'upsert' }]
}

interface Targets {
  readonly targets: readonly Target[]
  readonly allKnown: boolean
}

function readView(entry: Entry, view: ViewFile, { targets, allKnown }: Targets, { findings }: CheckContext): ViewSpec | null {
  const { key: name, value } = entry
  const refuse = (key: string, message: string, hint?: string): null => {
    const at = child(value, key)?.start ?? entry.keyStart
    findings.add('C010_UNKNOWN_REFERENCE', at, pathText(['views', name, key]), message, hint)
    return null
  }
  const tables = [...new Set(targets.map(t => t.table))]
  const target = targets.find(t => t.table === view.from)
  if (!target) {
    if (!allKnown) return null
    const near = didYouMean(view.from, tables)
    const known = tables.length > 0 ? `the tables written here are ${tables.join(', ')}` : 'no flow here writes a table'
    return refuse('from', `no flow here writes the table \`${view.from}\``, near ? `did you mean ${near}?` : known)
  }
  const connections = new Set(targets.filter(t => t.table === view.from && t.connection !== null).map(t => t.connection))
  if (connections.size > 1) {
    return refuse('from', `several connections have a table \`${view.from}\``, 'give the tables different names')
  }
  if (target.upsert) {
    return refuse('from', `\`${view.from}\` is an upsert table: its rows are replaced, and aggregates would keep the old ones`)
  }
  if (view.size !== undefined && target.time === null) {
    return refuse('from', `the table \`${view.from}\` has no event time`, 'add `time: COLUMN` to the sink that writes it')
  }
  if (tables.includes(name)) return refuse('from', `a table of a flow is called \`${name}\` too`, 'give the view another name')
  const slide = view.slide ?? view.size ?? 0
  return {
    name,
    connection: target.connection ?? '',
    from: view.from,
    time: target.time ?? null,
    window: view.size === undefined ? null : { size: view.size, slide, offset: (view.offset ?? 0) % slide },
    keys: view.keys,
    where: view.where ?? null,
    columns: view.columns,
    delay: view.delay ?? 0,
    lateness: view.lateness ?? 0,
    retain: view.retain ?? null,
    panesRetain: view.panes_retain ?? 2 * DAY,
    at: findings.at(entry.keyStart),
  }
}
