import type { FlowStatus, Status, ViewStatus } from '../../runtime/status'
import { type AnomalyRow, stands } from './anomalies'
import type { FeedState } from './anomaly_feed'
import { sentenceOf } from './anomaly_text'

/** `unknown`: what would be wrong is still being read. */
export type VerdictLevel = 'ok' | 'warning' | 'critical' | 'unknown'

/** One thing that is wrong, and where. */
export interface Finding {
  readonly level: Exclude<VerdictLevel, 'ok' | 'unknown'>
  readonly kind: 'flow' | 'view' | 'service' | 'anomaly' | 'feed'
  readonly pipeline: string
  /** Name of the flow, view or service. */
  readonly name: string
  /** Key columns of an anomaly as text, else null. */
  readonly key: AnomalyRow['key'] | null
  /** Other views in which the same key is strange. */
  readonly also: readonly string[]
  /** Column that an anomaly is about; null: none. */
  readonly feature: string | null
  /** False: it was so in the last 15 minutes, or anywhere in data that has been read to its end. */
  readonly now: boolean
  /** One sentence. Moments stand in it as ISO 8601. */
  readonly text: string
}

export interface Verdict {
  readonly level: VerdictLevel
  /** A few words: what is wrong, or that nothing is. */
  readonly headline: string
  readonly detail: string
  /** The worst first. */
  readonly findings: readonly Finding[]
  /** What there is beyond the first TOLD findings, in words; empty: nothing. */
  readonly rest: string
}

/** Findings that are told one by one. */
export const TOLD = 4

export interface Observed {
  readonly status: Status
  /** Latest first. */
  readonly anomalies: readonly AnomalyRow[]
  readonly feeds: readonly FeedState[]
  /** Records set aside lately, by `pipeline/flow`. */
  readonly deadLetters: ReadonlyMap<string, number>
}

/** How long an anomaly or a dead letter is told. */
export const LATELY_MS = 15 * 60_000
/** An anomaly is wrong now while it is among so many of the latest windows of its view, and at least for so long. */
const NOW_WINDOWS = 2
const LEAST_NOW_MS = 30_000
/** A backlog that takes longer than this to read, at the rate of the moment, is worth a word. */
const SLOW_MS = 60_000
/** So long flows of one start may wait for what others of it make. */
const START_MS = 20_000
/** A backlog below this is what lies between two batches. */
const LEAST_LAG = 1_000

/** What a person must know first. Pure: the same observations give the same verdict. */
export function verdictOf(observed: Observed): Verdict {
  const { status } = observed
  const findings = [
    ...flowFindings(observed),
    ...status.views.flatMap((v): Finding[] =>
      v.state === 'failed'
        ? [finding('critical', 'view', v.pipeline, v.view, `view ${v.view} has stopped${because(v.problem)}`)]
        : [],
    ),
    ...status.services.flatMap((s): Finding[] =>
      s.state === 'unreachable'
        ? [
            finding(
              'critical',
              'service',
              s.pipelines[0] ?? '',
              s.service,
              `${serviceName(s.service)} at ${s.address} does not answer`,
            ),
          ]
        : [],
    ),
    ...anomalyFindings(observed),
    ...observed.feeds.flatMap((f): Finding[] =>
      f.state === 'waiting' && status.flows.some(x => x.pipeline === f.pipeline && x.flow === f.flow && x.state === 'running')
        ? [finding('warning', 'feed', f.pipeline, f.flow, `anomalies of ${f.flow} cannot be read from ${f.topic} at the moment`)]
        : [],
    ),
  ].sort((a, b) => rank(a) - rank(b))
  const [worst] = findings
  if (!worst) return quiet(observed)
  return { level: worst.level, headline: headlineOf(findings), detail: worst.text, findings, rest: moreOf(findings.slice(TOLD)) }
}

/** Findings that are not told one by one: how many of what, and whether they are over. Empty for none. */
function moreOf(findings: readonly Finding[]): string {
  const now = findings.filter(f => f.now)
  const over = findings.length - now.length
  const keys = now.every(f => f.kind === 'anomaly')
  const parts = [
    ...(now.length > 0
      ? [
          `${count(now.length)} more ${plural(now.length, keys ? 'key looks' : 'thing is', keys ? 'keys look' : 'things are')} wrong now`,
        ]
      : []),
    ...(over > 0 ? [`${count(over)} more ${plural(over, 'key', 'keys')} looked wrong, over now`] : []),
  ]
  return parts.join('; ')
}

const plural = (n: number, one: string, many: string): string => (n === 1 ? one : many)

const finding = (level: Finding['level'], kind: Finding['kind'], pipeline: string, name: string, text: string): Finding => ({
  level,
  kind,
  pipeline,
  name,
  text,
  key: null,
  also: [],
  feature: null,
  now: true,
})

/** What stops data comes before what is slow, and both before what the data says; what is over comes last. */
const rank = ({ level, kind, now }: Finding): number =>
  (now ? 0 : 20) + (level === 'critical' ? 0 : 10) + ['service', 'flow', 'view', 'anomaly', 'feed'].indexOf(kind)

function headlineOf(findings: readonly Finding[]): string {
  const [worst] = findings
  const same = findings.filter(f => f.kind === worst.kind && f.level === worst.level)
  switch (worst.kind) {
    case 'service':
      return `${listed(same.map(f => serviceName(f.name)))} ${same.length === 1 ? 'does' : 'do'} not answer`
    case 'flow':
    case 'view': {
      const names = listed(same.map(f => f.name))
      return worst.level === 'critical' ? `${names} ${same.length === 1 ? 'has' : 'have'} stopped` : `Look at ${names}`
    }
    case 'anomaly': {
      const all = findings.filter(f => f.kind === 'anomaly' && f.now === worst.now)
      const names = [...new Set(all.map(f => keyText(f.key) || f.name))]
      const look = !worst.now ? 'looked' : names.length === 1 ? 'looks' : 'look'
      return `${listed(names, 'keys')} ${look} wrong`
    }
    case 'feed':
      return 'Anomalies cannot be read'
  }
}

function flowFindings({ status, deadLetters }: Observed): readonly Finding[] {
  return status.flows.flatMap(f => {
    const found = (level: Finding['level'], text: string): Finding => finding(level, 'flow', f.pipeline, f.flow, text)
    const out: Finding[] = []
    if (f.state === 'failed') out.push(found('critical', `flow ${f.flow} has stopped${because(f.problem)}`))
    if (f.state === 'restarting') out.push(found('warning', `flow ${f.flow} starts again${because(f.problem)}`))
    // what it waits for may be told by its service already, or be made by another flow of the same start
    const told = status.services.some(s => s.state === 'unreachable' && s.pipelines.includes(f.pipeline))
    if (f.state === 'waiting' && !told && status.now - status.started_at > START_MS)
      out.push(found('warning', `flow ${f.flow} waits${because(f.problem)}`))
    const waited = slowness(f)
    if (waited !== null) out.push(found('warning', waited))
    const letters = deadLetters.get(`${f.pipeline}/${f.flow}`) ?? 0
    if (letters > 0)
      out.push(found('warning', `flow ${f.flow} set ${count(letters)} record${letters === 1 ? '' : 's'} aside lately`))
    return out
  })
}

function slowness(f: FlowStatus): string | null {
  if (f.state !== 'running' || f.lag === null || f.lag < LEAST_LAG) return null
  const ms = f.written_per_second > 0 ? (f.lag / f.written_per_second) * 1000 : Number.POSITIVE_INFINITY
  if (ms < SLOW_MS) return null
  const when = Number.isFinite(ms) ? `, ${duration(ms)} at the present rate` : ' and writes nothing'
  return `flow ${f.flow} is ${count(f.lag)} records behind${when}`
}

/** One finding a key, for what belongs to the last minutes: the latest of it, whether that is so now, and where else it is seen. */
function anomalyFindings({ status, anomalies }: Observed): readonly Finding[] {
  const keys = new Map<string, AnomalyRow[]>()
  const read = viewsAtTheirEnd(status)
  for (const a of anomalies) {
    if (!stands(a) && a.status !== 'suppressed') continue
    if (ageOf(a, status) >= LATELY_MS && !read.has(viewOf(a, status))) continue
    const id = JSON.stringify([a.pipeline, a.key])
    const rows = keys.get(id)
    if (rows) rows.push(a)
    else keys.set(id, [a])
  }
  return (
    [...keys.values()]
      // a suppressed one says that what was raised goes on, and nothing alone
      .filter(rows => rows.some(stands))
      .map(rows => {
        const now = rows.filter(a => ageOf(a, status) < nowMs(a, status))
        const told = now.length > 0 ? now : rows
        // of what is over for good the worst is worth a look
        const first = now.length === 0 && read.has(viewOf(told[0], status)) ? isWorse : isLater
        return { rows, now, latest: told.reduce((a, b) => (first(b, a) ? b : a)) }
      })
      // as the cards: what is wrong at this moment before what was
      .sort((a, b) => b.latest.window_end - a.latest.window_end || b.latest.score - a.latest.score)
      .map(({ rows, now, latest }): Finding => {
        const level = now.some(a => a.severity === 'critical') ? 'critical' : 'warning'
        const also = [...new Set(rows.filter(stands).map(a => a.view))].filter(name => name !== latest.view)
        const text = findingText(latest, ageOf(latest, status) < slideOf(latest, status), also.length)
        const base = finding(level, 'anomaly', latest.pipeline, latest.view, text)
        return { ...base, key: latest.key, also, feature: latest.feature, now: now.length > 0 }
      })
  )
}

/** Views of tables of which all that is to come has come, such as files that were read: nothing there gets old. */
function viewsAtTheirEnd({ flows, views }: Status): ReadonlySet<ViewStatus | undefined> {
  return new Set(
    views.filter(({ pipeline, connection, from }) => {
      const writers = flows.filter(
        f => f.pipeline === pipeline && f.sink.connection === connection && f.sink.names.some(n => n.endsWith(`:${from}`)),
      )
      return writers.length > 0 && writers.every(f => f.state === 'finished')
    }),
  )
}

const isWorse = (a: AnomalyRow, b: AnomalyRow): boolean => a.score > b.score
const isLater = (a: AnomalyRow, b: AnomalyRow): boolean =>
  a.window_end > b.window_end || (a.window_end === b.window_end && a.score > b.score)

const viewOf = (a: AnomalyRow, { views }: Status) => views.find(v => v.pipeline === a.pipeline && v.view === a.view)
/** Milliseconds from one window to the next; where the view runs in another worker, that of a window that does not slide. */
const slideOf = (a: AnomalyRow, status: Status): number => viewOf(a, status)?.slide_ms ?? a.window_end - a.window_start
const nowMs = (a: AnomalyRow, status: Status): number => Math.max(NOW_WINDOWS * slideOf(a, status), LEAST_NOW_MS)
const ageOf = (a: AnomalyRow, status: Status): number => nowOf(a, status) - a.window_end

/** Event time up to which the data has come, so that a replayed day is judged by its own clock. */
function nowOf(a: AnomalyRow, status: Status): number {
  const flow = status.flows.find(f => f.pipeline === a.pipeline && f.flow === a.flow)
  return viewOf(a, status)?.watermark_ms ?? flow?.watermark_ms ?? status.now
}

function findingText(a: AnomalyRow, newest: boolean, others: number): string {
  const where = others === 0 ? '' : `, also in ${others} other view${others === 1 ? '' : 's'}`
  return `${keyText(a.key) || 'all records'} in ${a.view}: ${sentenceOf(a, newest ? null : a.window_end)}${where}`
}

function quiet({ status: { flows, views, detectors }, anomalies, feeds }: Observed): Verdict {
  // it learns from windows that are final, and warms up
  const silent = detectors.filter(
    d => d.scores === 0 && flows.some(f => f.pipeline === d.pipeline && f.flow === d.flow && f.read > 0),
  )
  const before = anomalies.filter(stands)
  const reading = feeds.some(f => f.state === 'reading')
  const running = flows.filter(f => f.state === 'running' || f.state === 'waiting').length
  const starting = flows.filter(f => f.state === 'starting').length
  const parts = [
    ...(running > 0 ? [`${running} flow${running === 1 ? '' : 's'} running`] : []),
    ...(starting > 0 ? [`${starting} starting`] : []),
    ...(flows.length > running + starting ? [`${flows.length - running - starting} at their end`] : []),
    ...(views.length > 0 ? [`${views.length} view${views.length === 1 ? '' : 's'}`] : []),
    ...silent.map(d => `${d.detector} has scored nothing yet`),
    reading ? 'their anomalies are being read' : `nothing strange in the last ${LATELY_MS / 60_000} minutes of the data`,
    ...(before.length > 0 && !reading
      ? [
          `before that ${listed([...new Set(before.map(a => keyText(a.key) || a.view))], 'keys')}, last at ${new Date(before[0].window_end).toISOString()}`,
        ]
      : []),
  ]
  const detail = parts.join(' · ')
  return reading
    ? { level: 'unknown', headline: 'Reading anomalies', detail, findings: [], rest: '' }
    : { level: 'ok', headline: 'All is well', detail, findings: [], rest: '' }
}

const keyText = (key: Finding['key']): string =>
  Object.values(key ?? {})
    .map(v => v ?? '')
    .join(' ')
const because = (problem: { readonly code: string; readonly message: string } | null): string =>
  problem === null ? '' : `: ${problem.message} (${problem.code})`

const SERVICES: Readonly<Record<string, string>> = {
  kafka: 'Kafka',
  clickhouse: 'ClickHouse',
  schema_registry: 'The schema registry',
}
const serviceName = (service: string): string => SERVICES[service] ?? service

function listed(names: readonly string[], noun = ''): string {
  if (names.length <= 3)
    return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`
  return `${names.slice(0, 2).join(', ')} and ${count(names.length - 2)} more${noun && ` ${noun}`}`
}

const count = (n: number): string => Math.round(n).toLocaleString('en-US')

function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  if (minutes < 90) return `${minutes} min`
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`
}
