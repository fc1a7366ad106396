import type { Batch } from '../../../../runtime/batch'
import type { Transform } from '../../../../runtime/plugin'
import type { Schema } from '../../../../runtime/schema'
import { detectors } from '../../../../transforms/score/detectors'
import { score } from '../../../../transforms/score/score'
import { applyContext, batchOf, type Row, rowsOf, schemaOf } from '../../../support/batches'
import { normals, seeded } from '../../../support/seeded'
import { pluginContext } from '../../../support/transforms'

const MINUTE = 60_000
const START = 1_700_000_000_000

/** An instance as the engine makes it; detectors in their YAML form. */
function create(schema: Schema, config: Readonly<Record<string, unknown>>, lanes = 1): Transform {
  const loaded = Object.fromEntries(
    Object.entries(config.detectors as Record<string, { type: string }>).map(([name, { type, ...options }]) => {
      const declaration = detectors.find(d => d.name === type)
      if (!declaration) throw new Error(`no detector ${type}`)
      return [name, { type, config: declaration.config.parse(options) }]
    }),
  )
  const context = { ...pluginContext(), pipeline: 'p', flow: 'detect', lanes }
  const transform = score.create(score.config.parse({ ...config, detectors: loaded }), context)
  transform.bind(schema)
  return transform
}

const apply = (transform: Transform, batch: Batch): Batch => transform.apply(batch, applyContext('score')) as Batch
/** The same rows at offsets behind all of the other tests' batches. */
const later = (batch: Batch): Batch => ({ ...batch, rows: { ...batch.rows, offset: batch.rows.offset.map(o => o + 10_000) } })
const given = (transform: Transform, batch: Batch) => rowsOf(apply(transform, batch))

// ------------------------------------------------------------------------------------------------------------- windows

const VIEW: Schema = {
  ...schemaOf({
    window_start: 'timestamp(s)',
    window_end: 'timestamp(s)',
    device: 'utf8',
    mean: 'f64?',
    _rev: 'i64',
    _kind: 'dictionary',
  }),
  name: 'cpu_5m',
  key: ['device'],
}

const windowRow = (kind: string, n: number, mean: number | null, rev = 1, device = 'a'): Row => ({
  window_start: START / 1000 + 60 * n,
  window_end: START / 1000 + 60 * (n + 1),
  device,
  mean,
  _rev: rev,
  _kind: kind,
})

/** Forty quiet windows, closed and final. */
const quiet = (device = 'a'): Row[] =>
  Array.from({ length: 40 }, (_, n) => [
    windowRow('close', n, 10 + (n % 5) * 0.1, 1, device),
    windowRow('final', n, 10 + (n % 5) * 0.1, 1, device),
  ]).flat()

const LEVEL = { detectors: { level: { type: 'ewma', features: ['mean'], warmup: 20 } } }

describe('windows of a view', () => {
  test('an alert has the form of an anomaly record', () => {
    const transform = create(VIEW, LEVEL)
    expect(given(transform, batchOf(VIEW, quiet()))).toEqual([])
    const [anomaly, ...others] = given(transform, later(batchOf(VIEW, [windowRow('close', 40, 50, 3)], { timestamp: 1234 })))
    expect(others).toEqual([])
    const feature = (anomaly.features as Map<string, Record<string, number>>).get('mean')!
    expect(feature).toMatchObject({ value: 50, contribution: 1 })
    expect(feature.expected).toBeCloseTo(10.2, 1)
    expect(anomaly).toMatchObject({
      id: `cpu_5m|level|a|${START + 41 * MINUTE}`,
      pipeline: 'p',
      flow: 'detect',
      view: 'cpu_5m',
      detector: 'level',
      key: new Map([['device', 'a']]),
      window_start: START + 40 * MINUTE,
      window_end: START + 41 * MINUTE,
      severity: 'critical',
      model: null,
      rev: 3,
      status: 'raised',
      detected_at: 1234,
    })
    expect(anomaly.score).toBeGreaterThan(6)
  })

  test('what is learned does not depend on what a window looked like when it closed', () => {
    const random = normals(seeded(3))
    const windows = Array.from({ length: 200 }, (_, n) => ({ n, mean: 10 + random() }))
    const of = (first: (mean: number) => number): Buffer => {
      const transform = create(VIEW, LEVEL)
      const rows = windows.flatMap(({ n, mean }) => [
        windowRow('close', n, first(mean)),
        // the horizon: one more window closes before the last one is final
        ...(n > 0 ? [windowRow('final', n - 1, windows[n - 1].mean, 2)] : []),
      ])
      apply(transform, batchOf(VIEW, rows))
      return transform.snapshot!(0)
    }
    expect(of(mean => mean).equals(of(mean => mean * 0.99))).toBe(true)
  })

  test('a revision revises an alert, withdraws it, raises it again', () => {
    const transform = create(VIEW, LEVEL)
    apply(transform, batchOf(VIEW, quiet()))
    const verdicts = given(
      transform,
      later(
        batchOf(VIEW, [
          windowRow('close', 40, 50, 1),
          windowRow('revise', 40, 60, 2),
          // once more, for late records of another key
          windowRow('revise', 40, 60, 2),
          windowRow('revise', 40, 10, 3),
          windowRow('revise', 40, 10.1, 4),
          windowRow('revise', 40, 70, 5),
          windowRow('final', 40, 70, 5),
        ]),
      ),
    )
    expect(verdicts.map(v => [v.status, v.rev])).toEqual([
      ['raised', 1],
      ['revised', 2],
      ['retracted', 3],
      ['raised', 5],
    ])
    expect(new Set(verdicts.map(v => v.id)).size).toBe(1)
  })

  test('a revision that comes again is given again: nobody knows whether the first went out', () => {
    const transform = create(VIEW, LEVEL)
    apply(transform, batchOf(VIEW, quiet()))
    apply(transform, later(batchOf(VIEW, [windowRow('close', 40, 50)])))
    const revision = batchOf(VIEW, [windowRow('revise', 40, 60, 2)], { offset: 20_000 })
    for (let time = 0; time < 2; time++) expect(given(transform, revision).map(v => [v.status, v.rev])).toEqual([['revised', 2]])
  })

  test('an alert stays what it is when a late record of another key revises its window', () => {
    const transform = create(VIEW, LEVEL)
    apply(transform, batchOf(VIEW, [...quiet('a'), ...quiet('b')]))
    const closed = (n: number, a: number) => [windowRow('close', n, a), windowRow('close', n, 10.2, 1, 'b')]
    const learnt = (n: number, a: number) => [windowRow('final', n, a), windowRow('final', n, 10.2, 1, 'b')]
    // what is learnt in between makes the first alert look like less: scored again it would be none
    const rows = [...closed(40, 12), ...[41, 42, 43].flatMap(n => [...closed(n, 14), ...learnt(n, 14)])]
    const first = given(transform, later(batchOf(VIEW, rows)))
    expect(first[0]).toMatchObject({ id: `cpu_5m|level|a|${START + 41 * MINUTE}`, status: 'raised' })
    const revise = (rev: number) => [windowRow('revise', 40, 12, rev), windowRow('revise', 40, 10.3, 2, 'b')]
    const judged = (rows: readonly Row[], offset: number) => given(transform, batchOf(VIEW, rows, { offset }))
    expect(judged(revise(1), 30_000)).toEqual([])
    expect(judged(revise(2), 40_000).map(v => [v.status, v.rev])).toEqual([['retracted', 2]])
  })

  test('a window is learned once, when it is final', () => {
    const state = (rows: readonly Row[]): string => {
      const transform = create(VIEW, { ...LEVEL, emit: 'all' })
      apply(transform, batchOf(VIEW, [...quiet(), ...rows]))
      const [next] = given(transform, later(batchOf(VIEW, [windowRow('close', 60, 10.3)])))
      return JSON.stringify([...(next.features as Map<string, unknown>)])
    }
    const once = state([windowRow('close', 40, 11), windowRow('final', 40, 11)])
    expect(state([windowRow('close', 40, 11), windowRow('revise', 40, 11, 2), windowRow('final', 40, 11)])).toBe(once)
    expect(state([windowRow('close', 40, 11), windowRow('final', 40, 11), windowRow('final', 40, 11)])).toBe(once)
    expect(state([windowRow('close', 40, 11)])).not.toBe(once)
  })

  test('a window that is final without having been closed is scored', () => {
    const transform = create(VIEW, LEVEL)
    apply(transform, batchOf(VIEW, quiet()))
    expect(given(transform, later(batchOf(VIEW, [windowRow('final', 40, 50)])))).toHaveLength(1)
  })

  test('what the refractory hides is emitted as suppressed, more severe alerts are raised', () => {
    const transform = create(VIEW, { detectors: { limit: { type: 'threshold', score: 'mean' } }, refractory: '10m', critical: 2 })
    const scores = [4.5, 5, 7, 5, 0, 7, 4.5]
    const rows = [...scores.entries()].map(([i, mean]) => windowRow('close', i * 3, mean))
    const verdicts = given(transform, batchOf(VIEW, rows)).map(v => [v.score, v.severity, v.status])
    expect(verdicts).toEqual([
      [4.5, 'warning', 'raised'],
      [5, 'warning', 'suppressed'],
      [7, 'critical', 'raised'],
      [5, 'warning', 'suppressed'],
      [7, 'critical', 'suppressed'],
      [4.5, 'warning', 'raised'],
    ])
  })

  test('a rule is an alarm wherever it holds', () => {
    const transform = create(VIEW, {
      detectors: { rule: { type: 'threshold', if: 'mean > 20.0', features: ['mean'] } },
      threshold: 9,
    })
    const verdicts = given(
      transform,
      batchOf(VIEW, [windowRow('close', 0, 21), windowRow('close', 1, 19), windowRow('close', 2, null)]),
    )
    expect(verdicts.map(v => [v.score, v.status])).toEqual([[9, 'raised']])
  })
})

// ------------------------------------------------------------------------------------------------------------- records

const RECORDS = schemaOf({ ts: 'timestamp(ms)', device: 'utf8?', cpu: 'f64?', n: 'i32' })

/** A seeded flow of records of several devices with some outliers and nulls. */
function records(count: number, seed: number, devices = 6): Row[] {
  const random = seeded(seed)
  const normal = normals(random)
  return Array.from({ length: count }, (_, i) => ({
    ts: START + i * 1000 + Math.floor(random() * 5000),
    device: random() < 0.05 ? null : `d${Math.floor(random() * devices)}`,
    cpu: random() < 0.03 ? null : 50 + 5 * normal() + (random() < 0.01 ? 80 : 0),
    n: Math.floor(random() * 10),
  }))
}

const RECORD_CONFIG = {
  keys: ['device'],
  time: 'ts',
  detectors: {
    level: { type: 'ewma', features: ['cpu', 'n'], warmup: 5, half_life: 20 },
    rule: { type: 'threshold', if: 'n == 9 && cpu > 55.0' },
  },
  alarms: '300/hour',
  refractory: '30s',
}

const texts = (rows: readonly object[]): string[] => rows.map(r => JSON.stringify(r, (_, v) => (v instanceof Map ? [...v] : v)))

describe('records', () => {
  test.each([1, 2, 3])('cuts and snapshots do not matter (seed %i)', seed => {
    const rows = records(1500, seed)
    for (const limits of [{}, { expire: '2m' }, { max_keys: 8, expire: '20m' }]) {
      const config = { ...RECORD_CONFIG, ...limits, emit: 'all' }
      const all = batchOf(RECORDS, records(1500, seed, 'max_keys' in limits ? 20 : 6))
      const whole = texts(given(create(RECORDS, config), all))
      expect(whole.length).toBeGreaterThan(100)
      const random = seeded(seed + 100)
      let transform = create(RECORDS, config)
      const cut: string[] = []
      for (let from = 0; from < rows.length; ) {
        const to = Math.min(rows.length, from + 1 + Math.floor(random() * 200))
        const selection = Int32Array.from({ length: to - from }, (_, i) => from + i)
        cut.push(...texts(given(transform, { ...all, selection })))
        if (random() < 0.5) {
          const bytes = transform.snapshot!(0)
          transform = create(RECORDS, config)
          expect(transform.restore!(0, bytes)).toBe(true)
          // the same state gives the same bytes
          expect(transform.snapshot!(0).equals(bytes)).toBe(true)
        }
        from = to
      }
      expect(cut).toEqual(whole)
    }
  })

  test('a time far ahead of its own record makes nobody be forgotten', () => {
    const config = { ...RECORD_CONFIG, detectors: { level: RECORD_CONFIG.detectors.level }, expire: '10m', emit: 'all' }
    const rows = records(600, 5)
    const at = (n: number): number => Number(rows[n].ts)
    const astray = { ts: at(300) + 365 * 24 * 60 * MINUTE, device: 'astray', cpu: 1, n: 1 }
    const scoresOf = (all: readonly Row[]) => {
      const batch = batchOf(RECORDS, all)
      // each record is stamped when it is sent, a little after what it tells of
      const stamps = Float64Array.from(all, (r, i) => (r === astray ? at(300) : Number(r.ts)) + (i % 7))
      const timed: Batch = { ...batch, rows: { ...batch.rows, timestamp: stamps } }
      // the id without the offset, which one record more moves
      return given(create(RECORDS, config), timed).map(r => `${String(r.id).replace(/\|\d+$/, '')} ${r.score}`)
    }
    const undisturbed = scoresOf(rows)
    expect(undisturbed.length).toBeGreaterThan(100)
    expect(scoresOf([...rows.slice(0, 300), astray, ...rows.slice(300)])).toEqual(undisturbed)
  })

  test('verdicts on records of one time, and on keys that look alike when joined, have ids of their own', () => {
    const schema = schemaOf({ ts: 'timestamp(ms)', a: 'utf8?', b: 'utf8?' })
    const pairs = [
      ['x,y', 'z'],
      ['x', 'y,z'],
      ['x|', 'z'],
      ['x\\', ',z'],
      [null, 'z'],
      ['', 'z'],
      ['', 'z'],
    ] as const
    const rows = pairs.map(([a, b]) => ({ ts: START, a, b }))
    const transform = create(schema, {
      keys: ['a', 'b'],
      time: 'ts',
      detectors: { any: { type: 'threshold', if: 'b != "other"' } },
      refractory: '1h',
    })
    const verdicts = given(transform, batchOf(schema, rows))
    expect(verdicts.map(v => v.status)).toEqual([...Array(6).fill('raised'), 'suppressed'])
    expect(verdicts[0].id).toBe(`detect|any|x\\,y,z|${START}|in|0|100`)
    expect(new Set(verdicts.map(v => v.id)).size).toBe(7)
    expect(new Set(verdicts.map(v => String(v.id).replace(/\|\d+$/, ''))).size).toBe(6)
  })

  test('rows in, replaced, rejected and given out add up', () => {
    const transform = create(RECORDS, { ...RECORD_CONFIG, detectors: { r: { type: 'threshold', if: '100 / n > 30' } } })
    const rows = [3, 0, 1, 50].map((n, i) => ({ ts: START + i, device: 'a', cpu: 1, n }))
    const out = apply(transform, batchOf(RECORDS, rows, { selection: [0, 1, 2] }))
    expect(out.rejected.map(r => [r.error.code, r.record.offset])).toEqual([['D012_EXPRESSION', 101]])
    expect(Array.from(out.rows.offset)).toEqual([100, 102])
    expect(out.raw(1).offset).toBe(102)
    expect(out.replaced).toBe(3 - 1 - 2)
  })

  test('records that come again are scored again but learned once', () => {
    const all = batchOf(RECORDS, records(900, 4))
    const part = (from: number, to: number): Batch => ({
      ...all,
      selection: Int32Array.from({ length: to - from }, (_, i) => from + i),
    })
    const once = create(RECORDS, RECORD_CONFIG)
    apply(once, part(0, 600))
    const last = texts(given(once, part(600, 900)))
    const twice = create(RECORDS, RECORD_CONFIG)
    apply(twice, part(0, 400))
    const first = given(twice, part(400, 600))
    const again = given(twice, part(400, 600))
    // what was raised is given again: nobody knows whether the first went out
    const raised = (rows: readonly Record<string, unknown>[]) => rows.filter(r => r.detector === 'rule').map(r => r.id)
    expect(raised(first)).not.toEqual([])
    expect(raised(again)).toEqual(raised(first))
    expect(texts(given(twice, part(600, 900)))).toEqual(last)
  })

  test('lanes know nothing of each other', () => {
    const rows = records(400, 5)
    const together = create(RECORDS, RECORD_CONFIG, 1)
    const alone = create(RECORDS, RECORD_CONFIG, 1)
    const expected = texts(given(alone, batchOf(RECORDS, rows)))
    apply(together, batchOf(RECORDS, records(400, 6), { lane: 1 }))
    expect(texts(given(together, batchOf(RECORDS, rows)))).toEqual(expected)
  })

  test('a snapshot of other detectors is not taken, one with another threshold is', () => {
    const bytes = create(RECORDS, RECORD_CONFIG).snapshot!(0)
    const { alarms, ...rest } = RECORD_CONFIG
    expect(create(RECORDS, { ...rest, threshold: 5 }).restore!(0, bytes)).toBe(true)
    const other = { ...RECORD_CONFIG, detectors: { level: { type: 'ewma', features: ['cpu'] } } }
    expect(create(RECORDS, other).restore!(0, bytes)).toBe(false)
  })

  test('alarms: 1/hour gives about one alarm an hour on normal data', () => {
    const normal = normals(seeded(9))
    const devices = 20
    const seconds = 10 * 3600
    const rows = Array.from({ length: (seconds / 60) * devices }, (_, i) => ({
      ts: START + Math.floor(i / devices) * MINUTE,
      device: `d${i % devices}`,
      cpu: normal(),
      n: 0,
    }))
    const transform = create(RECORDS, {
      keys: ['device'],
      time: 'ts',
      detectors: { level: { type: 'ewma', features: ['cpu'] } },
      alarms: '10/hour',
    })
    const alarms = given(transform, batchOf(RECORDS, rows)).length
    expect(alarms).toBeGreaterThan(40)
    expect(alarms).toBeLessThan(200)
  })

  test.each([
    ['keys', { time: 'ts' }, 'C004_MISSING_KEY'],
    ['time', { keys: ['device'] }, 'C004_MISSING_KEY'],
    ['a key column', { keys: ['devise'], time: 'ts' }, 'C015_UNKNOWN_COLUMN'],
    ['a time column of a time type', { keys: [], time: 'cpu' }, 'C020_TYPE_MISMATCH'],
  ])('need %s', (_, options, code) => {
    const detectors = { level: { type: 'ewma', features: ['cpu'] } }
    expect(() => create(RECORDS, { detectors, ...options })).toThrow(expect.objectContaining({ code }))
  })
})
