import fc from 'fast-check'
import { systemClock } from '../../../runtime/clock'
import { LaneBuffer } from '../../../runtime/lane_buffer'
import type { Chunk } from '../../../runtime/plugin'

const T = [
  { topic: 't', partition: 0 },
  { topic: 't', partition: 1 },
  { topic: 't', partition: 2 },
]
const never = new AbortController().signal

/** Offsets from..from+count-1, each record one byte; `hole` offsets after them without a record. */
function chunk(partition: number, from: number, count: number, hole = 0): Chunk {
  const starts = Int32Array.from({ length: count }, (_, i) => i)
  const ends = Int32Array.from({ length: count }, (_, i) => i + 1)
  const zero = new Int32Array(count)
  return {
    topic: 't',
    partition,
    from,
    next: from + count + hole,
    bytes: count,
    block:
      count === 0
        ? null
        : {
            kind: 'records',
            topic: 't',
            partition,
            count,
            buffer: Buffer.alloc(count),
            keyStart: starts,
            keyEnd: ends,
            valueStart: starts,
            valueEnd: ends,
            headersStart: zero,
            headersEnd: zero,
            offset: Float64Array.from({ length: count }, (_, i) => from + i),
            timestamp: new Float64Array(count),
          },
  }
}

const start = () => new LaneBuffer(T, new Map(T.map(p => [`t|${p.partition}`, 0])), systemClock)

test('whatever is added and however it is cut, every record comes once, in partition and offset order, in contiguous ranges', () => {
  const chunks = fc.array(
    fc.record({
      partition: fc.integer({ min: 0, max: 2 }),
      count: fc.integer({ min: 0, max: 9 }),
      hole: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(chunks, fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }), (parts, sizes) => {
      const buffer = start()
      const read = [0, 0, 0]
      const expected: string[][] = [[], [], []]
      for (const { partition, count, hole } of parts) {
        if (count + hole === 0) continue
        buffer.add(chunk(partition, read[partition], count, hole))
        for (let i = 0; i < count; i++) expected[partition].push(`${partition}:${read[partition] + i}`)
        read[partition] += count + hole
      }
      const got: string[][] = [[], [], []]
      const position = [0, 0, 0]
      for (let k = 0; buffer.rows > 0; k++) {
        const cut = buffer.cut(sizes[k % sizes.length])
        expect(cut.ranges.length).toBeGreaterThan(0)
        for (const r of cut.ranges) {
          expect(r.from).toBe(position[r.partition])
          position[r.partition] = r.to + 1
        }
        for (const b of cut.blocks) for (let i = 0; i < b.count; i++) got[b.partition].push(`${b.partition}:${b.offset[i]}`)
      }
      expect(got).toEqual(expected)
      expect(buffer.bytes).toBe(0)
    }),
    { numRuns: 300, seed: 7 },
  )
})

test('an exact cut takes the named ranges and nothing else', () => {
  const buffer = start()
  buffer.add(chunk(0, 0, 10))
  buffer.add(chunk(1, 0, 4))
  const ranges = [
    { key: 't|0', from: 0, to: 6 },
    { key: 't|1', from: 0, to: 3 },
  ]
  expect(buffer.holds(ranges)).toBe(true)
  const cut = buffer.cutExactly(ranges)
  expect(cut.rows).toBe(11)
  expect(buffer.position('t|0')).toBe(7)
  expect(buffer.rows).toBe(3)
  expect(() => buffer.cutExactly([{ key: 't|0', from: 0, to: 6 }])).toThrow('cannot cut')
})

test('rows that come once more are counted apart, however they are cut', () => {
  const buffer = start()
  buffer.add({ ...chunk(0, 0, 9), repeated: 4 })
  buffer.add(chunk(1, 0, 3))
  expect([buffer.rows, buffer.fresh]).toEqual([12, 8])
  let [rows, repeated] = [0, 0]
  while (buffer.rows > 0) {
    const cut = buffer.cut(4)
    rows += cut.rows
    repeated += cut.repeated
    expect(buffer.fresh).toBe(8 - (rows - repeated))
  }
  expect([rows, repeated]).toEqual([12, 4])
})

test('a jump in the offsets is an error, not a gap', () => {
  const buffer = start()
  buffer.add(chunk(0, 0, 3))
  expect(() => buffer.add(chunk(0, 5, 1))).toThrow(expect.objectContaining({ code: 'K002_OFFSET_JUMP' }))
})

test('a batch is due by rows, by bytes, by age or at the end of the input; an empty end is no batch', async () => {
  const flush = { rows: 5, bytes: 1000, interval: 60_000 }
  const byRows = start()
  const waiting = byRows.due(flush, never)
  byRows.add(chunk(0, 0, 5))
  await expect(waiting).resolves.toBe(true)

  const byAge = start()
  byAge.add(chunk(0, 0, 1))
  await expect(byAge.due({ ...flush, interval: 1 }, never)).resolves.toBe(true)

  const atEnd = start()
  atEnd.add(chunk(0, 0, 1))
  atEnd.end()
  await expect(atEnd.due(flush, never)).resolves.toBe(true)
  atEnd.cut(10)
  await expect(atEnd.due(flush, never)).resolves.toBe(false)
})

test('waiting obeys its signal', async () => {
  const stop = new AbortController()
  const waiting = start().due({ rows: 1, bytes: 1, interval: 1 }, stop.signal)
  stop.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
})

test('a source that expects no more for now does not wait for the age of a batch', async () => {
  const flush = { rows: 1_000, bytes: 1_000_000, interval: 3_600_000 }
  const buffer = new LaneBuffer(T, new Map(), systemClock)
  buffer.add(chunk(0, 0, 3))
  expect(buffer.isDue(flush)).toBe(false)
  buffer.add({ ...chunk(0, 3, 2), urgent: true })
  await buffer.due(flush, never)
  expect(buffer.cut(2).rows).toBe(2)
  await buffer.due(flush, never)
  expect(buffer.cut(10).rows).toBe(3)
  buffer.add(chunk(0, 5, 1))
  expect(buffer.isDue(flush)).toBe(false)
})

describe('ranges without rows', () => {
  const flush = { rows: 10, bytes: 1000, interval: 50 }
  const alone = (quiet: number | null, now: () => number) =>
    new LaneBuffer(T.slice(0, 1), new Map([['t|0', 0]]), { ...systemClock, monotonic: now }, quiet)

  test('wait for rows, or are due by themselves after a while where others look at the position', () => {
    let now = 0
    for (const quiet of [null, 500]) {
      now = 0
      const buffer = alone(quiet, () => now)
      expect(buffer.isDue(flush)).toBe(false)
      buffer.add(chunk(0, 0, 0, 2))
      now = 499
      expect(buffer.isDue(flush)).toBe(false)
      now = 500
      expect(buffer.isDue(flush)).toBe(quiet !== null)
      if (quiet === null) continue
      expect(buffer.cut(10)).toMatchObject({ ranges: [{ from: 0, to: 1 }], rows: 0 })
      now = 5000
      expect(buffer.isDue(flush)).toBe(false)
    }
  })

  test('take the room of one, however many there are', async () => {
    const buffer = alone(null, () => 0)
    buffer.add(chunk(0, 0, 3))
    for (let i = 0; i < 1_000; i++) buffer.add({ ...chunk(0, 3 + i, 0, 1), bytes: 64 })
    expect(buffer.bytes).toBe(3 + 64)
    await buffer.room(100, flush, never, () => false)
    buffer.add(chunk(0, 1_003, 2))
    expect(buffer.cut(3)).toMatchObject({ ranges: [{ from: 0, to: 2 }], rows: 3 })
    expect(buffer.cut(10)).toMatchObject({ ranges: [{ from: 3, to: 1_004 }], rows: 2 })
    expect(buffer.bytes).toBe(0)
  })

  test('are due at the end of the input where others look at the position', async () => {
    for (const quiet of [null, 500]) {
      const buffer = alone(quiet, () => 0)
      buffer.add(chunk(0, 0, 0, 2))
      buffer.end()
      expect(await buffer.due(flush, never)).toBe(quiet !== null)
      if (quiet === null) continue
      buffer.cut(10)
      expect(await buffer.due(flush, never)).toBe(false)
    }
  })
})
