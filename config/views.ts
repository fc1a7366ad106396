import { z } from 'zod'
import { columnName, duration } from '../runtime/fields'
import { didYouMean } from '../runtime/registry'
import type { FlowSpec, ViewSpec } from '../runtime/spec'
import type { CheckContext } from './check'
import { child, type Entry, entryOf, type Node, pathText } from './tree'

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
    const wrong = (key: string, message: string): void => context.addIssue({ code: 'custom', path: [key], message })
    const whole = ['size', 'slide', 'offset'] as const
    const fractions = whole.filter(key => (view[key] ?? 0) % SECOND !== 0)
    for (const key of fractions) wrong(key, `${key} must be whole seconds`)
    for (const key of ['size', 'slide'] as const) if (view[key] === 0) wrong(key, `${key} must be longer than 0`)
    if (view.size === undefined) {
      const [first, ...others] = OF_WINDOWS.filter(key => view[key] !== undefined)
      const also = others.length === 0 ? ' is' : `, ${others.join(', ')} are`
      if (first) wrong(first, `${first}${also} for windows: give the view a size`)
    } else if (view.slide && fractions.length === 0 && view.size % view.slide !== 0)
      wrong('slide', `size must be a multiple of slide; ${slidesOf(view.size)}`)
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
  readonly connection: string
  readonly time: string | null
  readonly upsert: boolean
}

/** Views of the file as specs; whatever is wrong with one is reported and leaves it out. `files` is undefined where the skeleton's check failed. */
export function readViews(
  block: Node | undefined,
  files: Readonly<Record<string, ViewFile>> | undefined,
  flows: readonly FlowSpec[],
  context: CheckContext,
): readonly ViewSpec[] {
  if (block?.kind !== 'map') return []
  for (const entry of block.entries) refuseUnavailable(entry, context)
  const known = flows.length > 0 && context.findings.errors === 0
  if (!files || !known) return [] // a table may belong to a flow that could not be read
  const targets = flows.flatMap(targetOf)
  return block.entries.flatMap(entry => {
    const view = files[entry.key]
    const spec = view && readView(entry, view, targets, context)
    return spec ? [spec] : []
  })
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
function targetOf({ sink }: FlowSpec): readonly Target[] {
  const config = sink.config as { readonly table?: unknown; readonly time?: unknown; readonly mode?: unknown } | null
  if (typeof config?.table !== 'string' || sink.connection === null) return []
  const time = typeof config.time === 'string' ? config.time : null
  return [{ table: config.table, connection: sink.connection, time, upsert: config.mode === 'upsert' }]
}

function readView(entry: Entry, view: ViewFile, targets: readonly Target[], { findings }: CheckContext): ViewSpec | null {
  const { key: name, value } = entry
  const refuse = (key: string, message: string, hint?: string): null => {
    const at = child(value, key)?.start ?? entry.keyStart
    findings.add('C010_UNKNOWN_REFERENCE', at, pathText(['views', name, key]), message, hint)
    return null
  }
  const tables = [...new Set(targets.map(t => t.table))]
  const target = targets.find(t => t.table === view.from)
  if (!target) {
    const near = didYouMean(view.from, tables)
    const known = tables.length > 0 ? `the tables written here are ${tables.join(', ')}` : 'no flow here writes a table'
    return refuse('from', `no flow here writes the table \`${view.from}\``, near ? `did you mean ${near}?` : known)
  }
  if (targets.some(t => t.table === view.from && t.connection !== target.connection)) {
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
    connection: target.connection,
    from: view.from,
    time: target.time,
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
