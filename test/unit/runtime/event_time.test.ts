import fc from 'fast-check'
import type { Batch } from '../../../runtime/batch'
import { createColumn, type I64Column } from '../../../runtime/column'
import { EventTime } from '../../../runtime/event_time'
import { field, type Schema, timestamp } from '../../../runtime/schema'
import { STRIPE } from '../../../runtime/stripes'

const schema: Schema = { fields: [field('ts', timestamp('ms'))] }

/** Rows of one batch: [partition, event time, record timestamp]. */
function batch(rows: readonly (readonly [number, number, number])[]): Batch {
  const ts = createColumn(schema.fields[0], rows.length) as I64Column
  for (const [i, [, t]] of rows.entries()) ts.setNumber(i, t)
  ts.length = rows.length
  const partitions = [0, 1, 2]
  return {
    schema,
    columns: [ts],
    length: rows.length,
    selection: null,
    origin: { lane: 0, ranges: partitions.map(partition => ({ topic: 't', partition, from: 0, to: 99 })) },
    rows: {
      range: Int32Array.from(rows, r => r[0]),
      offset: Float64Array.from(rows, (_, i) => i),
      timestamp: Float64Array.from(rows, r => r[2]),
    },
    rejected: [],
    raw: row => ({ topic: 't', partition: rows[row][0], offset: row, timestamp: -1, key: null, value: null, headers: [] }),
  }
}

test('_behind depends on the log alone: the same however the stream is cut into batches', () => {
  const row = fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 1_000_000 }), fc.constant(-1))
  fc.assert(
    fc.property(fc.array(row, { maxLength: 60 }), fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (rows, cuts) => {
      const time = new EventTime(schema, { column: 'ts', maxAhead: null })
      // plain statement of the rule
      const largest = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
      const expected = rows.map(([p, t]) => {
        largest[p] = Math.max(largest[p], t)
        return largest[p] - t
      })
      let marks: ReadonlyMap<string, number> = new Map()
      const got: number[] = []
      for (let from = 0, k = 0; from < rows.length; k++) {
        const to = Math.min(rows.length, from + cuts[k % cuts.length])
        const timed = time.judge(batch(rows.slice(from, to)), marks, 'sink')
        got.push(...(timed.behind ?? []))
        marks = timed.watermarks
        from = to
      }
      expect(got).toEqual(expected)
      expect([0, 1, 2].map(p => marks.get(`t|${p}`) ?? Number.NEGATIVE_INFINITY)).toEqual(largest)
    }),
    { numRuns: 200, seed: 3 },
  )
})

test('a batch of several stripes is judged like its rows one by one', () => {
  const time = new EventTime(schema, { column: 'ts', maxAhead: 50_000 })
  // every 1,000th row lies too far ahead, so that those after it change their places
  const rows = Array.from({ length: 3 * STRIPE + 5 }, (_, i) => {
    const recorded = 1_700_000_000_000 + i * 10
    return [i % 3, i % 1000 === 999 ? recorded + 60_000 : recorded - ((i * 7919) % 30_000), recorded] as const
  })
  const kept = rows.filter(([, t, recorded]) => t - recorded <= 50_000)
  const largest = [0, 0, 0]
  const expected = kept.map(([p, t]) => {
    largest[p] = Math.max(largest[p], t)
    return largest[p] - t
  })
  const { batch: judged, behind, earliest } = time.judge(batch(rows), new Map(), 'sink')
  expect([...(behind ?? [])]).toEqual(expected)
  expect(earliest).toBe(Math.min(...kept.map(r => r[1])))
  expect(judged.rejected.map(r => r.record.offset)).toEqual(rows.flatMap((_, i) => (i % 1000 === 999 ? [i] : [])))
  expect(judged.rejected[0].error.message).toContain(new Date(rows[999][1]).toISOString())
})

test('a row too far ahead of its own record is rejected and moves no watermark; a record without a timestamp is not judged', () => {
  const time = new EventTime(schema, { column: 'ts', maxAhead: 1000 })
  const {
    batch: judged,
    behind,
    watermarks,
  } = time.judge(
    batch([
      [0, 5_000, 5_000],
      [0, 9_000, 5_000],
      [0, 4_000, 5_000],
      [1, 9_000, -1],
    ]),
    new Map(),
    'sink',
  )
  expect(judged.rejected.map(r => [r.error.code, r.record.offset])).toEqual([['D009_TOO_FAR_AHEAD', 1]])
  expect(judged.length).toBe(3)
  expect([...(behind ?? [])]).toEqual([0, 1000, 0])
  expect([...watermarks]).toEqual([
    ['t|0', 5_000],
    ['t|1', 9_000],
  ])
})

test.each([
  ['a column that is not there', 'other', 'C015_UNKNOWN_COLUMN'],
  ['a number', 'n', 'C020_TYPE_MISMATCH'],
  ['a nullable time', 'maybe', 'C020_TYPE_MISMATCH'],
])('refuses %s', (_, column, code) => {
  const wide: Schema = { fields: [...schema.fields, field('n', 'i64'), field('maybe', timestamp('ms'), true)] }
  expect(() => new EventTime(wide, { column, maxAhead: null })).toThrow(expect.objectContaining({ code }))
})

test.each([
  ['s', 1_700_000_000, 1_700_000_000_000],
  ['us', 1_700_000_000_123_456, 1_700_000_000_123],
  ['us', -1, -1],
] as const)('a timestamp in %s counts in whole milliseconds, rounded down', (unit, ticks, ms) => {
  const typed: Schema = { fields: [field('ts', timestamp(unit))] }
  const one = batch([[0, 0, -1]])
  const column = createColumn(typed.fields[0], 1) as I64Column
  column.setNumber(0, ticks)
  column.length = 1
  const { watermarks } = new EventTime(typed, { column: 'ts', maxAhead: null }).judge(
    { ...one, schema: typed, columns: [column] },
    new Map(),
    'sink',
  )
  expect(watermarks.get('t|0')).toBe(ms)
})
