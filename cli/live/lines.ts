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
  readonly width: number
  readonly left?: boolean
  readonly cell: (item: T) => Cell | string
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
    serviceBlock(status.services, options.width, paint),
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
  width: number,
  paint: Paint,
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
      const cell = column.cell(item)
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

function flowBlock({ flows }: Status, several: boolean, width: number, paint: Paint): readonly string[] {
  const columns: Column<FlowStatus>[] = [
    { title: 'state', width: 5, left: true, cell: f => stateCell(f.state) },
    { title: 'rows/s', width: 6, cell: f => rate(f.read_per_second) },
    { title: 'lag', width: 6, cell: f => count(f.lag) },
    { title: 'batch', width: 6, cell: f => count(f.batch_rows) },
    { title: 'p50', width: 5, cell: f => span(f.latency_ms.p50) },
    { title: 'p99', width: 5, cell: f => span(f.latency_ms.p99) },
    { title: 'written', width: 7, cell: f => count(f.written, 7) },
    { title: 'dead', width: 5, cell: f => figure(f.dead_lettered, 5, 'warn') },
  ]
  if (flows.some(f => f.progress)) columns.push({ title: 'progress', width: 9, left: true, cell: progressText })
  const first = { title: 'flow', of: (f: FlowStatus) => f.flow, group: (f: FlowStatus) => (several ? f.pipeline : null) }
  return table(flows, first, columns, f => f.problem, width, paint)
}

/** `62% 1.2m`: how much has been read, and the time that is left. */
function progressText({ progress, state }: FlowStatus): string {
  if (!progress) return ''
  // the last percent only when there is nothing left
  const percent = progress.records_left === 0 ? 100 : Math.min(99, Math.floor(progress.share * 100))
  const left = state === 'running' && progress.records_left > 0 ? ` ${span(progress.time_left_ms)}` : ''
  return `${percent}%${left}`
}

function viewBlock({ views, now }: Status, several: boolean, width: number, paint: Paint): readonly string[] {
  const columns: readonly Column<ViewStatus>[] = [
    { title: 'state', width: 5, left: true, cell: v => stateCell(v.state) },
    { title: 'watermark', width: 16, left: true, cell: v => moment(v.watermark_ms, now) },
    { title: 'behind', width: 6, cell: v => span(v.behind_ms) },
    { title: 'windows', width: 7, cell: v => count(v.windows, 7) },
    { title: 'revised', width: 7, cell: v => count(v.revised, 7) },
    { title: 'late', width: 6, cell: v => figure(v.late, 6, 'warn') },
    { title: 'took', width: 5, cell: v => span(v.closing_ms) },
  ]
  const first = { title: 'view', of: (v: ViewStatus) => v.view, group: (v: ViewStatus) => (several ? v.pipeline : null) }
  return table(views, first, columns, v => v.problem, width, paint)
}

function detectorBlock({ detectors, now }: Status, several: boolean, width: number, paint: Paint): readonly string[] {
  const columns: readonly Column<DetectorStatus>[] = [
    { title: 'type', width: 16, left: true, cell: d => d.type },
    { title: 'scores', width: 8, cell: d => count(d.scores, 8) },
    { title: 'anomalies', width: 9, cell: d => figure(d.raised, 9, 'warn') },
    { title: 'suppressed', width: 10, cell: d => count(d.suppressed, 10) },
    {
      title: 'last',
      width: 9,
      cell: d => (d.last_raised_at === null ? '-' : `${span(Math.max(0, now - d.last_raised_at))} ago`),
    },
  ]
  const of = (d: DetectorStatus): string => `${d.flow}/${d.detector}`
  const first = { title: 'detector', of, group: (d: DetectorStatus) => (several ? d.pipeline : null) }
  return table(detectors, first, columns, () => null, width, paint)
}

function serviceBlock(services: readonly ServiceStatus[], width: number, paint: Paint): readonly string[] {
  const columns: readonly Column<ServiceStatus>[] = [
    {
      title: 'state',
      width: 5,
      left: true,
      cell: s =>
        s.state === 'unreachable' ? { text: 'AWAY', tone: 'bad' } : { text: s.state === 'up' ? 'up' : '-', tone: 'good' },
    },
    {
      title: 'address',
      width: Math.max(10, width - 24),
      left: true,
      cell: s => `${s.address}${s.embedded ? ' (embedded)' : ''}`,
    },
  ]
  const first = { title: 'service', of: (s: ServiceStatus) => s.service, group: () => null }
  return table(services, first, columns, s => s.problem, width, paint)
}

/** One line for a log, where there is no terminal to draw on. */
export function plainLine({ flows, pipelines }: Status): string {
  const name = (f: FlowStatus): string => (pipelines.length > 1 ? `${f.pipeline}/${f.flow}` : f.flow)
  const parts = flows.map(f => {
    const at = f.state === 'running' ? `${rate(f.read_per_second)} rows/s, lag ${f.lag ?? '-'}` : f.state
    const done = f.progress ? ` (${progressText(f)})` : ''
    return `${name(f)}: ${at}${done}, read ${f.read}, written ${f.written}, filtered ${f.filtered}, dead-lettered ${f.dead_lettered}`
  })
  return parts.join('; ')
}
