import fc from 'fast-check'
import { endOffset, keysIn, type Layout, layoutOf, recordAt } from '../../../../connectors/generate/layout'
import { generateOptions } from '../../../../connectors/generate/options'
import { generateConnector } from '../../../../connectors/generate/plugin'
import type { Clock } from '../../../../runtime/clock'
import { contextIn } from '../../../../runtime/conformance/context'
import { readSource } from '../../../support/local_source'
import { temporaryFolder } from '../../../support/temporary_folder'

const { path: root } = temporaryFolder()
let folders = 0
const fresh = (): string => `${root}/${folders++}`
const start = '2024-01-01T00:00:00Z'
const DAY_MS = 86_400_000

const read = (config: object, options: { dataDir?: string; from?: number; limit?: number; clock?: Clock } = {}) =>
  readSource(generateConnector, config, { dataDir: fresh(), ...options })

const everything = {
  start,
  count: 2000,
  keys: { column: 'device', count: 7, prefix: 'dev-' },
  gaps: { every: '5m', for: '1m', keys: 0.5 },
  fields: {
    id: { type: 'sequence', start: 100, step: 2 },
    one: { type: 'constant', value: 'x' },
    u: { type: 'uniform', min: -1, max: 1, decimals: 3 },
    n: { type: 'normal', mean: 5, sd: 2, min: 0 },
    region: { type: 'choice', of: ['eu', 'us', 'ap'], weights: [2, 1, 0], per: 'key' },
    level: { type: 'choice', of: [1, 2.5] },
    host: { type: 'template', text: '{key}/{key_number}/{record}/{tick}' },
    uid: { type: 'uuid' },
    cpu: {
      type: 'series',
      base: 40,
      spread: 5,
      daily: { amplitude: 10, peak: '14h', spread: '1h' },
      weekly: { amplitude: 2 },
      trend: 1,
      noise: 2,
      burst: { every: '2m', for: '20s', add: 30 },
      shift: { every: '3m', add: 5 },
      min: 0,
      max: 100,
    },
  },
}

describe('the same rows whatever way they are read', () => {
  test('from any offset, over any number of runs', async () => {
    const whole = await read(everything)
    expect(whole.rows.length).toBeGreaterThan(1500)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2000 }), async from => {
        const rest = await read(everything, { from })
        const first = whole.offsets.findIndex(o => o >= from)
        expect(rest.rows).toEqual(first < 0 ? [] : whole.rows.slice(first))
      }),
      { numRuns: 15, seed: 3 },
    )
  })

  test('by key and tick, however the keys are spread over partitions', async () => {
    const byId = (r: Readonly<Record<string, unknown>>, s: Readonly<Record<string, unknown>>): number =>
      Number(r.id) - Number(s.id)
    const one = [...(await read(everything)).rows].sort(byId)
    for (const partitions of [2, 3, 7]) expect([...(await read({ ...everything, partitions })).rows].sort(byId)).toEqual(one)
  })

  test('another seed gives other values; a further field changes none of the others', async () => {
    const config = { start, count: 50, fields: { a: { type: 'uniform' }, b: { type: 'normal' } } }
    const { rows } = await read(config)
    expect((await read({ ...config, seed: 2 })).rows).not.toEqual(rows)
    const wider = (await read({ ...config, fields: { z: { type: 'uuid' }, ...config.fields } })).rows
    expect(wider.map(({ z, ...rest }) => rest)).toEqual(rows)
  })

  test('without a start, the first run decides when time began', async () => {
    const dataDir = fresh()
    const config = { count: 20, history: '1h', fields: {} }
    const first = await read(config, { dataDir })
    expect((await read(config, { dataDir, from: 0 })).rows).toEqual(first.rows)
    for (let i = 0; i < 2; i++) {
      await expect(read(config, { from: 5 })).rejects.toMatchObject({ code: 'P001_POSITION_STOP' })
    }
  })

  test('a change that would renumber the records stops the flow; another pace or length does not', async () => {
    const dataDir = fresh()
    const config = { start, count: 20, keys: { count: 2 }, interval: '1s', fields: { v: { type: 'uniform' } } }
    const { rows } = await read(config, { dataDir })
    for (const change of [{ keys: { count: 3 } }, { interval: '2s' }, { partitions: 2 }, { start: '2024-01-02T00:00:00Z' }]) {
      await expect(read({ ...config, ...change }, { dataDir })).rejects.toMatchObject({ code: 'P001_POSITION_STOP' })
    }
    const longer = await read({ ...config, count: 30 }, { dataDir })
    expect(longer.offsets).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29])
    expect((await read({ ...config, count: 30 }, { dataDir, from: 0 })).rows.slice(0, 20)).toEqual(rows)
  })
})

test('each record has its own place: layout and its inverse', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 0, max: 500 }),
      (a, b, records) => {
        const layout: Layout = { keys: Math.max(a, b), partitions: Math.min(a, b), step: 1, aligned: true, count: null }
        const seen = new Set<number>()
        for (let p = 0; p < layout.partitions; p++) {
          const end = endOffset(layout, p, records)
          for (let o = 0; o < end; o++) {
            const r = recordAt(layout, p, o)
            expect((r % layout.keys) % layout.partitions).toBe(p)
            seen.add(r)
          }
          expect(recordAt(layout, p, end)).toBeGreaterThanOrEqual(records)
          expect(keysIn(layout, p)).toBeGreaterThan(0)
        }
        expect(seen).toEqual(new Set(Array.from({ length: records }, (_, r) => r)))
      },
    ),
    { seed: 5 },
  )
})

describe('values', () => {
  const column = async (spec: object, options: object = {}, count = 20_000): Promise<number[]> =>
    (await read({ start, count, fields: { v: spec }, ...options })).rows.map(r => r.v as number)
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
  const sd = (values: readonly number[]): number => Math.sqrt(mean(values.map(v => (v - mean(values)) ** 2)))

  test('a sequence is unique over keys and partitions', async () => {
    const ids = await column({ type: 'sequence' }, { keys: { count: 30 }, partitions: 4 })
    expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: 20_000 }, (_, i) => i))
  })

  // bounds are five standard errors of the statistic
  test('uniform', async () => {
    const values = await column({ type: 'uniform', min: 10, max: 20 })
    expect(Math.abs(mean(values) - 15)).toBeLessThan((5 * 10) / Math.sqrt(12 * 20_000))
    expect(Math.min(...values)).toBeGreaterThanOrEqual(10)
    expect(Math.max(...values)).toBeLessThan(20)
    expect(new Set(await column({ type: 'uniform', min: 1, max: 6, integer: true }))).toEqual(new Set([1, 2, 3, 4, 5, 6]))
  })

  test('normal, and neighbours do not know of each other', async () => {
    const values = await column({ type: 'normal', mean: 5, sd: 2 })
    expect(Math.abs(mean(values) - 5)).toBeLessThan((5 * 2) / Math.sqrt(20_000))
    expect(Math.abs(sd(values) - 2)).toBeLessThan((5 * 2) / Math.sqrt(2 * 20_000))
    const beyond = values.filter(v => Math.abs(v - 5) > 2 * 1.959964).length / values.length
    expect(Math.abs(beyond - 0.05)).toBeLessThan(5 * Math.sqrt((0.05 * 0.95) / 20_000))
    const products = values.slice(1).map((v, i) => ((v - 5) * (values[i] - 5)) / 4)
    expect(Math.abs(mean(products))).toBeLessThan(5 / Math.sqrt(20_000))
  })

  test('choice follows its weights', async () => {
    const values = await column({ type: 'choice', of: [0, 1, 2], weights: [1, 3, 0] })
    expect(values).not.toContain(2)
    expect(Math.abs(mean(values) - 0.75)).toBeLessThan(5 * Math.sqrt((0.75 * 0.25) / 20_000))
  })

  test('a daily season peaks when it says, an hour apart with keys spread', async () => {
    const { rows } = await read({
      start,
      for: '24h',
      interval: '10m',
      fields: { v: { type: 'series', base: 50, daily: { amplitude: 20, peak: '14h' } } },
    })
    const peak = rows.reduce((a, b) => (Number(b.v) > Number(a.v) ? b : a))
    expect(peak).toEqual({ ts: '2024-01-01T14:00:00.000Z', v: 70 })
    expect(Math.min(...rows.map(r => Number(r.v)))).toBeCloseTo(30)
  })

  test('bursts: one in each stretch, as long as said, and not for keys that take no part', async () => {
    const { rows } = await read({
      start,
      for: '10h',
      interval: '1m',
      keys: { column: 'k', count: 50 },
      fields: { v: { type: 'series', burst: { every: '1h', for: '6m', add: 1, keys: 0.5 } } },
    })
    const perKey = new Map<unknown, number[]>()
    for (const { k, ts, v } of rows) {
      const hours = perKey.get(k) ?? new Array<number>(10).fill(0)
      hours[new Date(String(ts)).getUTCHours()] += Number(v)
      perKey.set(k, hours)
    }
    // ten hours of six minutes each, or nothing at all; a burst begins between two readings, so a minute more or less
    const kinds = [...perKey.values()].map(h =>
      h.every(n => n === 0) ? 'quiet' : h.every(n => n >= 5 && n <= 7) ? 'bursts' : h.join(),
    )
    expect(new Set(kinds)).toEqual(new Set(['quiet', 'bursts']))
  })

  test('a shift stays; a trend rises; both by their time', async () => {
    const shifted = await column({ type: 'series', base: 1, shift: { at: '10s', add: 5 } }, {}, 20)
    expect(shifted).toEqual([...new Array(10).fill(1), ...new Array(10).fill(6)])
    const rising = await column({ type: 'series', trend: 24 }, { interval: '1h' }, 3)
    expect(rising).toEqual([0, 1, 2])
    const levels = new Set(await column({ type: 'series', shift: { every: '10s', add: 5 } }, {}, 40))
    expect(levels.size).toBe(4)
  })

  test('gaps leave records out and offsets with them', async () => {
    const { rows, offsets } = await read({ start, count: 3600, gaps: { every: '20m', for: '5m' }, fields: {} })
    expect(rows.length).toBeGreaterThanOrEqual(2700 - 3)
    expect(rows.length).toBeLessThanOrEqual(2700 + 3)
    const times = rows.map(r => (Date.parse(String(r.ts)) - Date.parse(start)) / 1000)
    expect(times).toEqual(offsets)
    expect(offsets.slice(1).filter((o, i) => o - offsets[i] > 1)).toHaveLength(3)
  })

  test('keys are padded, texts filled in', async () => {
    const { rows } = await read({
      start,
      count: 12,
      keys: { column: 'k', count: 11, prefix: 'd' },
      fields: { t: { type: 'template', text: '{key}:{record}:{tick}' }, u: { type: 'uuid' } },
    })
    expect(rows.map(r => r.t)).toEqual([
      ...Array.from({ length: 11 }, (_, i) => `d${String(i).padStart(2, '0')}:${i}:0`),
      'd00:11:1',
    ])
    for (const { u } of rows) expect(u).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(new Set(rows.map(r => r.u)).size).toBe(12)
  })
})

describe('pace', () => {
  /** A clock that only sleeping moves. */
  const movedBySleep = (): Clock & { time: number } => ({
    time: Date.UTC(2024, 5, 1),
    now() {
      return this.time
    },
    monotonic() {
      return this.time
    },
    async sleep(ms, signal) {
      signal?.throwIfAborted()
      this.time += ms
    },
  })

  test.each([
    ['rate', { rate: '100/s', count: 500 }, 5000],
    ['rate with a start of its own', { rate: '100/s', count: 500, start }, 5000],
    ['rate faster than event time', { rate: '100/s', interval: '5m', count: 500, start }, 5000],
    ['history alone, then the clock', { history: '1h', interval: '10s', keys: { count: 2 }, for: '61m' }, 50_000],
    ['history, then a rate', { history: '1h', rate: '10/s', for: '61m' }, 60_000],
    ['nothing', { count: 500, start }, 0],
  ])('%s', async (_, options, expected) => {
    const clock = movedBySleep()
    const began = clock.time
    await read({ fields: {}, ...options }, { clock })
    const took = clock.time - began
    // the first record is due at once, a nap may be a second too long
    expect(took).toBeGreaterThanOrEqual(expected === 0 ? 0 : expected * 0.9)
    expect(took).toBeLessThanOrEqual(expected + 1000)
  })

  test('live records carry the time at which they appear', async () => {
    const clock = movedBySleep()
    const { blocks } = await read({ history: '10m', rate: '10/s', for: '11m', fields: {} }, { clock })
    const last = blocks.at(-1)!
    expect(Math.abs(last.timestamp[last.count - 1] - clock.time)).toBeLessThanOrEqual(2000)
  })

  test('a wait ends with its signal', async () => {
    const config = generateConnector.config.parse({ rate: '1/d', start, count: 5, fields: {} })
    const source = generateConnector.create(config, contextIn(fresh(), {}))
    const stop = new AbortController()
    await source.open(stop.signal)
    const [lane] = (await source.session(stop.signal)).lanes
    lane.begin(new Map([['generate|0', 1]]))
    const waiting = lane.poll(stop.signal)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await source.close()
  })
})

test.each([
  ['more partitions than keys', { partitions: 3, keys: { count: 2 } }],
  ['count and for', { count: 1, for: '1s' }],
  ['a rate of nothing', { rate: '0/s' }],
  ['two columns of one name', { fields: { ts: { type: 'uuid' } } }],
  ['a burst longer than its stretch', { fields: { v: { type: 'series', burst: { every: '1m', for: '2m', add: 1 } } } }],
  ['a shift that is both', { fields: { v: { type: 'series', shift: { every: '1m', at: '2m', add: 1 } } } }],
  ['an unknown placeholder', { fields: { v: { type: 'template', text: '{who}' } } }],
  ['weights that do not match', { fields: { v: { type: 'choice', of: ['a', 'b'], weights: [1] } } }],
])('refused: %s', (_, options) => {
  expect(generateOptions.safeParse({ fields: {}, ...options }).success).toBe(false)
})

test('a day of rows at a rate ends after that day', () => {
  expect(layoutOf(generateOptions.parse({ rate: '2/s', for: '1d', fields: {} })).count).toBe((2 * DAY_MS) / 1000)
})
