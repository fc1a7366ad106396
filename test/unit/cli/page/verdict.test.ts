import type { AnomalyRow } from '../../../../cli/page/anomalies'
import { strangest, whatOf } from '../../../../cli/page/anomaly_text'
import { RecentLetters } from '../../../../cli/page/recent_letters'
import { LATELY_MS, type Observed, verdictOf } from '../../../../cli/page/verdict'
import type { FlowStatus, Status, ViewStatus } from '../../../../runtime/status'
import { flowStatus, statusOf, viewStatus } from '../../../support/status'

const NOW = Date.UTC(2026, 0, 1, 12)
const MINUTE = 60_000

const flow = (more: Partial<FlowStatus> = {}): FlowStatus => flowStatus({ lag: 0, written_per_second: 10, ...more })
const view = (more: Partial<ViewStatus> = {}): ViewStatus =>
  viewStatus({ view: 'cpu_1m', size_ms: MINUTE, slide_ms: MINUTE, watermark_ms: NOW, ...more })
const status = (more: Partial<Status> = {}): Status =>
  statusOf({ started_at: NOW - MINUTE, now: NOW, flows: [flow()], views: [view()], ...more })

const anomaly = (more: Partial<Omit<AnomalyRow, 'what' | 'feature'>> = {}): AnomalyRow => {
  const row = { ...ANOMALY, ...more }
  return { ...row, what: whatOf(row), feature: strangest(row.features)?.[0] ?? null }
}
const ANOMALY: Omit<AnomalyRow, 'what' | 'feature'> = {
  rule: null,
  id: 'a',
  pipeline: 'p',
  flow: 'detect',
  view: 'cpu_1m',
  detector: 'level',
  key: { device: 'i-3' },
  window_start: NOW - 2 * MINUTE,
  window_end: NOW - MINUTE,
  features: { mean: { value: 89.24, expected: 36, lower: 31, upper: 41, contribution: 1 } },
  score: 5,
  severity: 'warning',
  status: 'raised',
  rev: 1,
  detected_at: NOW,
}

const judge = (more: Partial<Observed> = {}) =>
  verdictOf({ status: status(), anomalies: [], feeds: [], deadLetters: new Map(), ...more })

test('nothing wrong is said in words', () => {
  expect(judge()).toMatchObject({ level: 'ok', headline: 'All is well', findings: [] })
})

test('nothing is called well while anomalies are being read, and what is known is said at once', () => {
  const feeds = [{ pipeline: 'p', flow: 'detect', topic: 't', state: 'reading' as const, error: null }]
  expect(judge({ feeds })).toMatchObject({ level: 'unknown', headline: 'Reading anomalies', findings: [] })
  expect(judge({ feeds, anomalies: [anomaly()] })).toMatchObject({ level: 'warning', headline: 'i-3 looks wrong' })
})

test('an anomaly names its key, what was seen and what was expected', () => {
  const { level, headline, detail } = judge({ anomalies: [anomaly()] })
  expect({ level, headline, detail }).toEqual({
    level: 'warning',
    headline: 'i-3 looks wrong',
    detail: 'i-3 in cpu_1m: mean was 89.2 at 2026-01-01T11:59:00.000Z, expected 31 to 41',
  })
})

test('the feature that lies outside is told, and where none does, the detector', () => {
  const inside = { value: 44, expected: 45, lower: 39, upper: 92, contribution: 0.9 }
  const outside = { value: 120, expected: 45, lower: 39, upper: 92, contribution: 0.1 }
  const detail = (features: AnomalyRow['features']) => judge({ anomalies: [anomaly({ features, window_end: NOW })] }).detail
  expect(detail({ mean: inside, peak: outside })).toBe('i-3 in cpu_1m: peak is 120, expected 39 to 92')
  expect(detail({ mean: inside })).toBe('i-3 in cpu_1m: mean is 44 (usual is 39 to 92; level, score 5.0)')
  expect(detail({ mean: { ...inside, lower: null, upper: null } })).toBe('i-3 in cpu_1m: mean is 44 (rule level)')
  expect(detail({ mean: { ...outside, lower: null } })).toContain('expected at most 92')
  expect(detail({})).toBe('i-3 in cpu_1m: rule level')
})

test('a key that is strange in several views is told once, with where else', () => {
  const rows = ['cpu_1m', 'cpu_5m', 'cpu_10m'].map((view, i) => anomaly({ id: view, view, score: 5 + i, window_end: NOW }))
  const { detail, findings } = judge({ anomalies: rows })
  expect(detail).toBe('i-3 in cpu_10m: mean is 89.2, expected 31 to 41, also in 2 other views')
  expect(findings.map(f => [f.name, f.also])).toEqual([['cpu_10m', ['cpu_1m', 'cpu_5m']]])
})

test('one finding a key, the latest first and then the strangest; critical ones make the verdict critical', () => {
  const { level, headline, findings } = judge({
    anomalies: [
      anomaly({ id: '1' }),
      anomaly({ id: '2', window_end: NOW - 3 * MINUTE, score: 4 }),
      anomaly({ id: '3', key: { device: 'i-7' }, score: 9, severity: 'critical' }),
    ],
  })
  expect(level).toBe('critical')
  expect(headline).toBe('i-7 and i-3 look wrong')
  expect(findings.map(f => f.key?.device)).toEqual(['i-7', 'i-3'])
  const keys = ['a', 'b'].map((device, i) =>
    anomaly({ id: device, key: { device }, score: 9 - i, window_end: NOW - (1 - i) * MINUTE }),
  )
  expect(judge({ anomalies: keys }).headline).toBe('b and a look wrong')
})

test('the latest of a key is told, not the worst, and in the past once its window is no longer the newest', () => {
  const mean = (value: number) => ({ mean: { ...ANOMALY.features.mean, value } })
  const latest = anomaly({ id: '1', score: 4, window_end: NOW, features: mean(50) })
  const worst = anomaly({ id: '2', score: 9, window_end: NOW - 5 * MINUTE, features: mean(99) })
  expect(judge({ anomalies: [latest, worst] }).detail).toBe('i-3 in cpu_1m: mean is 50, expected 31 to 41')
  expect(judge({ anomalies: [worst] }).detail).toBe('i-3 in cpu_1m: mean was 99 at 2026-01-01T11:55:00.000Z, expected 31 to 41')
  expect(judge({ anomalies: [worst] }).findings[0].feature).toBe('mean')
})

test('what is over is not counted with what is wrong now, and is no alarm alone', () => {
  const at = (device: string, minutes: number) =>
    anomaly({ id: device, key: { device }, window_end: NOW - minutes * MINUTE, severity: 'critical' })
  const over = [at('b', 3), at('c', 10)]
  const verdict = judge({ anomalies: [at('a', 1), ...over] })
  expect(verdict).toMatchObject({ level: 'critical', headline: 'a looks wrong' })
  expect(verdict.findings.map(f => [f.now, f.level])).toEqual([
    [true, 'critical'],
    [false, 'warning'],
    [false, 'warning'],
  ])
  expect(judge({ anomalies: over })).toMatchObject({ level: 'warning', headline: 'b and c looked wrong' })
})

test('what is not told one by one is counted: of what, and whether it is over', () => {
  const at = (device: string, minutes: number) => anomaly({ id: device, key: { device }, window_end: NOW - minutes * MINUTE })
  const now = ['a', 'b', 'c', 'd', 'e', 'f'].map(device => at(device, 0))
  const over = ['g', 'h'].map(device => at(device, 9))
  expect(judge({ anomalies: [...now, ...over] })).toMatchObject({
    headline: 'a, b and 4 more keys look wrong',
    rest: '2 more keys look wrong now; 2 more keys looked wrong, over now',
  })
  expect(judge({ anomalies: [...now.slice(0, 4), ...over.slice(1)] }).rest).toBe('1 more key looked wrong, over now')
  expect(judge({ anomalies: now.slice(0, 4) }).rest).toBe('')
  const flows = now.map(({ id }) => flow({ flow: id, state: 'failed' }))
  expect(judge({ status: status({ flows }) }).rest).toBe('2 more things are wrong now')
})

test('a detector that reads and scores nothing is named', () => {
  const detector = {
    pipeline: 'p',
    flow: 'detect',
    detector: 'level',
    type: 'ewma',
    raised: 0,
    revised: 0,
    retracted: 0,
    suppressed: 0,
  }
  const of = (scores: number, read: number) =>
    judge({
      status: status({ flows: [flow({ flow: 'detect', read })], detectors: [{ ...detector, scores, last_raised_at: null }] }),
    })
  expect(of(0, 9).detail).toContain('level has scored nothing yet')
  for (const [scores, read] of [
    [1, 9],
    [0, 0],
  ] as const)
    expect(of(scores, read).detail).not.toContain('scored nothing')
})

test('in data that was read to its end nothing gets old', () => {
  const writer = (state: FlowStatus['state']) =>
    flow({ flow: 'ingest', state, sink: { type: 'clickhouse', connection: 'clickhouse', names: ['clickhouse:cpu'] } })
  const of = (more: readonly FlowStatus[]) =>
    judge({ status: status({ flows: [flow(), ...more] }), anomalies: [anomaly({ window_end: NOW - 3 * 24 * 60 * MINUTE })] })
  expect(of([writer('finished')])).toMatchObject({
    level: 'warning',
    headline: 'i-3 looked wrong',
    findings: [{ now: false, text: 'i-3 in cpu_1m: mean was 89.2 at 2025-12-29T12:00:00.000Z, expected 31 to 41' }],
  })
  // and the worst of a key is told, not the latest
  const rows = [anomaly({ id: '1', score: 3 }), anomaly({ id: '2', score: 9, window_end: NOW - 60 * MINUTE })]
  const flows = [flow(), writer('finished')]
  const ended = [view({ watermark_ms: NOW + 60 * MINUTE })]
  expect(judge({ status: status({ flows, views: ended }), anomalies: rows }).detail).toContain('2026-01-01T11:00:00.000Z')
  // more may come
  for (const flows of [[], [writer('running')], [writer('finished'), writer('running')]])
    expect(of(flows)).toMatchObject({
      level: 'ok',
      findings: [],
      detail: expect.stringMatching(
        /nothing strange in the last 15 minutes of the data · before that i-3, last at 2025-12-29T12:00:00.000Z$/,
      ),
    })
})

test('what goes on is wrong now, also while its alerts are suppressed', () => {
  const raised = anomaly({ id: '1', window_end: NOW - 5 * MINUTE })
  const suppressed = anomaly({ id: '2', window_end: NOW, status: 'suppressed' })
  expect(judge({ anomalies: [suppressed, raised] })).toMatchObject({
    headline: 'i-3 looks wrong',
    detail: 'i-3 in cpu_1m: mean is 89.2, expected 31 to 41',
  })
})

test.each([
  ['retracted', anomaly({ status: 'retracted' })],
  ['suppressed', anomaly({ status: 'suppressed' })],
  ['long ago', anomaly({ window_end: NOW - LATELY_MS - 1 })],
])('an anomaly that is %s is nothing wrong now', (_, a) => {
  expect(judge({ anomalies: [a] }).level).toBe('ok')
})

test('a day that is replayed is judged by its own clock', () => {
  const long = NOW - 30 * 24 * 60 * MINUTE
  const replayed = status({ views: [view({ watermark_ms: long })] })
  expect(judge({ status: replayed, anomalies: [anomaly({ window_end: long - MINUTE })] }).headline).toBe('i-3 looks wrong')
})

test('what stops data comes before what the data says', () => {
  const services = [
    {
      service: 'clickhouse',
      address: 'http://127.0.0.1:1',
      embedded: false,
      state: 'unreachable' as const,
      problem: null,
      since: NOW,
      pipelines: ['p'],
    },
  ]
  const failed = flow({ state: 'failed', problem: { code: 'S001_STORE_ERROR', message: 'no' } })
  const verdict = judge({
    status: status({ services, flows: [failed] }),
    anomalies: [anomaly({ severity: 'critical', score: 16 })],
  })
  expect(verdict).toMatchObject({ level: 'critical', headline: 'ClickHouse does not answer' })
  expect(verdict.findings.map(f => f.kind)).toEqual(['service', 'flow', 'anomaly'])
  expect(verdict.findings[1].text).toContain('S001_STORE_ERROR')
})

test('what is critical comes before what is not, whatever it is about', () => {
  const late = flow({ state: 'restarting', problem: { code: 'K006_FENCED', message: 'fenced' } })
  const verdict = judge({ status: status({ flows: [late] }), anomalies: [anomaly({ severity: 'critical', score: 16 })] })
  expect(verdict).toMatchObject({ level: 'critical', headline: 'i-3 looks wrong' })
  expect(verdict.findings.map(f => f.kind)).toEqual(['anomaly', 'flow'])
})

test('a flow that waits is told, unless its service is or everything has just begun', () => {
  const flows = [flow({ state: 'waiting', problem: { code: 'K005_UNKNOWN_TOPIC', message: 'there is no t' } })]
  expect(judge({ status: status({ flows }) })).toMatchObject({
    level: 'warning',
    headline: 'Look at ingest',
    detail: 'flow ingest waits: there is no t (K005_UNKNOWN_TOPIC)',
  })
  expect(judge({ status: status({ flows, started_at: NOW - 5_000 }) }).level).toBe('ok')
})

test('a backlog counts by the time it takes, not by its size', () => {
  const behind = (lag: number, written_per_second: number) =>
    judge({ status: status({ flows: [flow({ lag, written_per_second })] }) })
  expect(behind(1_000_000, 100_000).level).toBe('ok')
  expect(behind(1_000_000, 1_000)).toMatchObject({ level: 'warning', headline: 'Look at ingest' })
  expect(behind(1_000_000, 1_000).detail).toContain('17 min')
  expect(behind(5_000, 0).detail).toContain('writes nothing')
  expect(behind(10, 0).level).toBe('ok')
})

test('dead letters of the last minutes are something to look at, older ones are not', () => {
  const letters = new RecentLetters()
  const at = (minutes: number, dead_lettered: number) => {
    const s = status({ now: NOW + minutes * MINUTE, flows: [flow({ dead_lettered })] })
    return judge({ status: s, deadLetters: letters.of(s) })
  }
  expect(at(0, 3)).toMatchObject({ level: 'warning', detail: 'flow ingest set 3 records aside lately' })
  expect(at(14, 3).level).toBe('warning')
  expect(at(16, 3).level).toBe('ok')
  expect(at(17, 4).level).toBe('warning')
})
