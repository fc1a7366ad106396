import { AnomalyList, type AnomalyRow, anomalyOf, MOST_ANOMALIES } from '../../../../cli/page/anomalies'
import { rulesOf } from '../../../../cli/page/anomaly_feed'
import type { FlowSpec } from '../../../../runtime/spec'

const json = (more: object = {}): string =>
  JSON.stringify({
    id: 'v|level|a|60000',
    pipeline: 'p',
    flow: 'detect',
    view: 'v',
    detector: 'level',
    key: { device: 'a' },
    window_start: '1970-01-01T00:00:00.000Z',
    window_end: '1970-01-01T00:01:00.000Z',
    features: { mean: { value: 1, expected: null, lower: null, upper: 2, contribution: null } },
    score: 4.5,
    severity: 'warning',
    model: null,
    model_version: null,
    rev: 7,
    status: 'raised',
    detected_at: '1970-01-01T00:01:05.000Z',
    _key: 'v|level|a|60000',
    _offset: 3,
    ...more,
  })
const row = (more: object = {}): AnomalyRow => anomalyOf(json(more)) as AnomalyRow

test('a record of the topic becomes a row with moments in milliseconds', () => {
  expect(row()).toMatchObject({
    id: 'v|level|a|60000',
    window_end: 60_000,
    detected_at: 65_000,
    rev: 7,
    feature: 'mean',
    what: 'mean 1 (usual is at most 2; level, score 4.5)',
  })
})

test('a rule is told with its expression, of this pipeline and flow only', () => {
  const flow = {
    name: 'detect',
    transforms: [{ type: 'score', config: { detectors: { level: RULE, other: { type: 'ewma', config: {} } } } }],
  }
  const pipeline = { name: 'p', flows: [flow as unknown as FlowSpec] }
  const ruleOf = rulesOf(pipeline, text => text)
  const features = { core: { value: 99.9, expected: null, lower: null, upper: null, contribution: null } }
  const what = (more: object) => anomalyOf(json({ features, ...more }), ruleOf)?.what
  expect(what({})).toBe('core 99.9 (rule level: core > 90.0)')
  expect(what({ features: {} })).toBe('rule level: core > 90.0')
  for (const more of [{ pipeline: 'q' }, { flow: 'else' }]) expect(what(more)).toBe('core 99.9 (rule level)')
  expect(what({ detector: 'other' })).toBe('core 99.9 (rule other)')
  const secret = rulesOf(pipeline, text => text.replace('90.0', '***'))
  expect(secret({ pipeline: 'p', flow: 'detect', detector: 'level' })).toBe('core > ***')
})
const RULE = { type: 'threshold', config: { if: 'core > 90.0' } }

test('a record that is no anomaly is left out', () => {
  expect(anomalyOf('{"device":"a"}')).toBeNull()
})

test('a later verdict replaces the one before; one read again changes nothing', () => {
  const list = new AnomalyList()
  for (const status of ['raised', 'revised', 'revised']) list.add(row({ status, rev: status === 'raised' ? 7 : 8 }))
  list.add(row({ rev: 7 }))
  expect(list.latest().map(a => [a.status, a.rev])).toEqual([['revised', 8]])
})

test('verdicts on normal windows are no rows, but take an alarm back', () => {
  const list = new AnomalyList()
  list.add(row({ id: 'x', status: 'normal' }))
  expect(list.latest()).toEqual([])
  list.add(row())
  list.add(row({ status: 'normal', rev: 8 }))
  expect(list.latest().map(a => a.status)).toEqual(['normal'])
})

test('the latest windows are kept, whatever the order they come in, and memory is bounded', () => {
  const list = new AnomalyList()
  const heard: string[] = []
  list.onChange(a => heard.push(a.id))
  const minute = (n: number) => new Date(n * 60_000).toISOString()
  const all = Array.from({ length: 3 * MOST_ANOMALIES }, (_, n) => row({ id: `a${n}`, window_end: minute((n * 7919) % 3_000) }))
  for (const a of all) list.add(a)
  const latest = list.latest()
  expect(latest).toHaveLength(MOST_ANOMALIES)
  expect(latest[0].window_end).toBe(2_999 * 60_000)
  expect(Math.min(...latest.map(a => a.window_end))).toBe(2_000 * 60_000)
  // those that could not matter any more were told to nobody
  expect(heard.length).toBeLessThan(all.length)
})
