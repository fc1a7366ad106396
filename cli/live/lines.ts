import type { DetectorStatus, FlowState, FlowStatus, Problem, ServiceStatus, Status, ViewStatus } from '../../runtime/status'
import { count, moment, oneLine, rate, shortened, span, watch } from './format'

export interface LinesOptions {
  /** Columns of the terminal; no line is longer. */
  readonly width: number
  /** Most lines; what does not fit is said in the last one. Absent: all of them. */
  readonly height?: number
  readonly color: boolean
}

const STATES: Readonly<Record<FlowState, string>> = {
  starting: 'start',
  running: 'run',
  waiting: 'wait',
  restarting: 'again',
  finished: 'done',
  stopped: 'stop',
  failed: 'FAIL',
}

type Tone = 'good' | 'warn' | 'bad' | 'dim' | 'bold' | 'plain'

const CODES: Readonly<Record<Tone, string>> = { good: '32', warn: '33', bad: '31;1', dim: '2', bold: '1', plain: '' }

interface Cell {
  readonly text: string
  readonly tone?: Tone
}

interface Column<T> {
  readonly title: string
  /** For the legend. */
  readonly means: string
  readonly width: number
  readonly left?: boolean
  readonly cell: (item: T, now: number) => Cell | string
}

/**
 * What runs, as lines of text: a pure function of the status. Flows are grouped by pipeline where there are several; whatever is
 * wrong has its reason in a line of its own.
 */
export function statusLines(status: Status, options: LinesOptions): readonly string[] {
  const paint = painter(options.color)
  const several = status.pipelines.length > 1
  const blocks = [
    [headline(status, options.width, paint)],
    flowBlock(status, several, options.width, paint),
    viewBlock(status, several, options.width, paint),
    detectorBlock(status, several, options.width, paint),
    serviceBlock(status, options.width, paint),
  ].filter(lines => lines.length > 0)
  const lines = blocks.flat()
  const { height } = options
  if (height === undefined || lines.length <= height) return lines
  const shown = Math.max(0, height - 1)
  return [...lines.slice(0, shown), paint(`… ${lines.length - shown} more lines: connect status`.slice(0, options.width), 'dim')]
}

type Paint = (text: string, tone?: Tone) => string

const painter =
  (color: boolean): Paint =>
  (text, tone = 'plain') =>
    color && tone !== 'plain' ? `\u001b[${CODES[tone]}m${text}\u001b[0m` : text

function headline({ pipelines, started_at, now, flows }: Status, width: number, paint: Paint): string {
  const failed = flows.filter(f => f.state === 'failed').length
  const waiting = flows.filter(f => f.state === 'waiting' || f.state === 'restarting').length
  const health = failed > 0 ? `${failed} failed` : waiting > 0 ? `${waiting} waiting` : 'all well'
  const tone: Tone = failed > 0 ? 'bad' : waiting > 0 ? 'warn' : 'good'
  const what = `up ${watch(now - started_at)}, ${flows.length} flow(s), `
  const names = shortened(pipelines.map(p => p.name).join(', '), Math.max(3, width - what.length - health.length - 2))
  const room = width - names.length - 2
  if (room < what.length + health.length) return `${names}  ${what}${health}`.slice(0, width)
  return `${paint(names, 'bold')}  ${what}${paint(health, tone)}`
}

/** Rows of a table with its header. `name` takes the width that the other columns leave; reasons follow the row they explain. */
function table<T>(
  items: readonly T[],
  first: { readonly title: string; readonly of: (item: T) => string; readonly group: (item: T) => string | null },
  columns: readonly Column<T>[],
  reason: (item: T) => Problem | null,
  { now, width, paint }: { readonly now: number; readonly width: number; readonly paint: Paint },
): readonly string[] {
  if (items.length === 0) return []
  const taken = columns.reduce((n, c) => n + c.width + 1, 0)
  const longest = Math.max(first.title.length, ...items.map(i => first.of(i).length + (first.group(i) === null ? 0 : 2)))
  const nameWidth = Math.max(3, Math.min(longest, width - taken))
  const padded = (text: string, { width: w, left }: Column<T>): string => (left ? text.padEnd(w) : text.padStart(w))
  const fits = (line: string): string => line.trimEnd().slice(0, width)
  const lines = ['', paint(fits([first.title.padEnd(nameWidth), ...columns.map(c => padded(c.title, c))].join(' ')), 'dim')]
  let group: string | null = null
  for (const item of items) {
    const of = first.group(item)
    if (of !== null && of !== group) lines.push(paint(shortened(of, width), 'bold'))
    group = of
    const indent = of === null ? '' : '  '
    const name = indent + shortened(first.of(item), nameWidth - indent.length)
    let line = name.padEnd(nameWidth)
    // a terminal too narrow for the columns shows those that fit
    let used = nameWidth
    for (const column of columns) {
      used += column.width + 1
      if (used > width) break
      const cell = column.cell(item, now)
      const { text, tone } = typeof cell === 'string' ? { text: cell, tone: undefined } : cell
      line += ` ${paint(padded(shortened(text, column.width), column), tone)}`
    }
    lines.push(line.trimEnd())
    const problem = reason(item)
    if (problem) lines.push(paint(`${indent}  ! ${oneLine(`${problem.code}: ${problem.message}`)}`.slice(0, width), 'bad'))
  }
  return lines
}

const stateCell = (state: FlowState): Cell => {
  const tone: Tone = state === 'failed' ? 'bad' : state === 'waiting' || state === 'restarting' ? 'warn' : 'good'
  return { text: STATES[state], tone: state === 'finished' || state === 'stopped' || state === 'starting' ? 'dim' : tone }
}

const figure = (n: number, width: number, tone: Tone): Cell => ({ text: count(n, width), tone: n > 0 ? tone : 'dim' })

const FLOW_COLUMNS: readonly Column<FlowStatus>[] = [
  { title: 'state', means: Object.values(STATES).join(', '), width: 5, left: true, cell: f => stateCell(f.state) },
  { title: 'rows/s', means: 'records read a second, over the last ten', width: 6, cell: f => rate(f.read_per_second) },
  { title: 'lag', means: 'records that wait in the source', width: 6, cell: f => count(f.lag) },
  { title: 'batch', means: 'mean records of the last batches', width: 6, cell: f => count(f.batch_rows) },
  {
    title: 'p50',
    means: "from a record's own time to its durable write: half of the last minute's took less",
    width: 5,
    cell: f => span(f.latency_ms.p50),
  },
  {
    title: 'p99',
    means: 'and 99 of 100 of them; records older than the run are left out',
    width: 5,
    cell: f => span(f.latency_ms.p99),
  },
  { title: 'written', means: 'records written since the start', width: 7, cell: f => count(f.written, 7) },
  { title: 'dead', means: 'records set aside as dead letters', width: 5, cell: f => figure(f.dead_lettered, 5, 'warn') },
]

/** Where something has an end. */
const PROGRESS: Column<FlowStatus> = {
  title: 'progress',
  means: 'share read of an input that ends, and the time that is left',
  width: 9,
  left: true,
  cell: progressText,
}

function flowBlock({ flows, now }: Status, several: boolean, width: number, paint: Paint): readonly string[] {
  const columns = flows.some(f => f.progress) ? [...FLOW_COLUMNS, PROGRESS] : FLOW_COLUMNS
  const first = { title: 'flow', of: (f: FlowStatus) => f.flow, group: (f: FlowStatus) => (several ? f.pipeline : null) }
  return table(flows, first, columns, f => f.problem, { now, width, paint })
}

/** `62% 1.2m`: how much has been read, and the time that is left. */
function progressText({ progress, state }: FlowStatus): string {
  if (!progress) return ''
  // the last percent only when there is nothing left
  const percent = progress.records_left === 0 ? 100 : Math.min(99, Math.floor(progress.share * 100))
  const left = state === 'running' && progress.records_left > 0 ? ` ${span(progress.time_left_ms)}` : ''
  return `${percent}%${left}`
}

const VIEW_COLUMNS: readonly Column<ViewStatus>[] = [
  { title: 'state', means: 'as of flows', width: 5, left: true, cell: v => stateCell(v.state) },
  {
    title: 'watermark',
    means: 'windows that end up to this event time (UTC) are closed',
    width: 16,
    left: true,
    cell: (v, now) => moment(v.watermark_ms, now),
  },
  { title: 'behind', means: 'how far the clock is ahead of the watermark', width: 6, cell: v => span(v.behind_ms) },
  { title: 'windows', means: 'windows closed since the start, each once for all keys', width: 7, cell: v => count(v.windows, 7) },
  { title: 'revised', means: 'windows counted again because of late records', width: 7, cell: v => count(v.revised, 7) },
  { title: 'late', means: 'records too late to count', width: 6, cell: v => figure(v.late, 6, 'warn') },
  { title: 'took', means: 'what the last closing took in ClickHouse', width: 5, cell: v => span(v.closing_ms) },
]

function viewBlock({ views, now }: Status, several: boolean, width: number, paint: Paint): readonly string[] {
  const first = { title: 'view', of: (v: ViewStatus) => v.view, group: (v: ViewStatus) => (several ? v.pipeline : null) }
  return table(views, first, VIEW_COLUMNS, v => v.problem, { now, width, paint })
}

const DETECTOR_COLUMNS: readonly Column<DetectorStatus>[] = [
  { title: 'type', means: 'as in the file', width: 16, left: true, cell: d => d.type },
  { title: 'scores', means: 'windows or records scored since the start', width: 8, cell: d => count(d.scores, 8) },
  { title: 'anomalies', means: 'alerts raised', width: 9, cell: d => figure(d.raised, 9, 'warn') },
  { title: 'suppressed', means: 'alerts soon after another of the same key', width: 10, cell: d => count(d.suppressed, 10) },
  {
    title: 'last',
    means: 'when the last alert was raised',
    width: 9,
    cell: (d, now) => (d.last_raised_at === null ? '-' : `${span(Math.max(0, now - d.last_raised_at))} ago`),
  },
]

function detectorBlock({ detectors, now }: Status, several: boolean, width: number, paint: Paint): readonly string[] {
  const of = (d: DetectorStatus): string => `${d.flow}/${d.detector}`
  const first = { title: 'detector', of, group: (d: DetectorStatus) => (several ? d.pipeline : null) }
  return table(detectors, first, DETECTOR_COLUMNS, () => null, { now, width, paint })
}

const serviceColumns = (width: number): readonly Column<ServiceStatus>[] => [
  {
    title: 'state',
    means: 'up, or AWAY: it does not answer',
    width: 5,
    left: true,
    cell: s =>
      s.state === 'unreachable' ? { text: 'AWAY', tone: 'bad' } : { text: s.state === 'up' ? 'up' : '-', tone: 'good' },
  },
  {
    title: 'address',
    means: 'HOST:PORT or URL',
    width: Math.max(10, width - 24),
    left: true,
    cell: s => `${s.address}${s.embedded ? ' (embedded)' : ''}`,
  },
]

function serviceBlock({ services, now }: Status, width: number, paint: Paint): readonly string[] {
  const first = { title: 'service', of: (s: ServiceStatus) => s.service, group: () => null }
  return table(services, first, serviceColumns(width), s => s.problem, { now, width, paint })
}

export interface LegendBlock {
  readonly of: string
  readonly columns: readonly { readonly title: string; readonly means: string }[]
}

/** What the columns mean, for help and documentation. `-` stands for what is not known. */
export const LEGEND: readonly LegendBlock[] = [
  { of: 'flow', columns: [...FLOW_COLUMNS, PROGRESS] },
  { of: 'view', columns: VIEW_COLUMNS },
  { of: 'detector', columns: DETECTOR_COLUMNS },
  { of: 'service', columns: serviceColumns(80) },
]

export const legendText = (): string =>
  LEGEND.map(({ of, columns }) => [`  ${of}`, ...columns.map(c => `    ${c.title.padEnd(11)}${c.means}`)].join('\n')).join('\n')

/** A line for each flow, where there is no terminal to draw on. */
export function plainLines({ flows, pipelines }: Status): readonly string[] {
  return flows.map(f => {
    const name = pipelines.length > 1 ? `${f.pipeline}/${f.flow}` : f.flow
    const at = f.state === 'running' ? `${rate(f.read_per_second)} rows/s, lag ${f.lag ?? '-'}` : f.state
    const done = f.progress ? ` (${progressText(f)})` : ''
    return `${name}: ${at}${done}, read ${f.read}, written ${f.written}, filtered ${f.filtered}, dead-lettered ${f.dead_lettered}`
  })
}
