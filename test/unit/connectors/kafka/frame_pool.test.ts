import { readFileSync } from 'node:fs'
import path from 'node:path'
import { loadCodecs } from '../../../../connectors/kafka/codecs'
import { FramePool } from '../../../../connectors/kafka/frame_pool'
import { encodeRecordBatch } from '../../../../connectors/kafka/record_batch'
import { readRecordSet } from '../../../../connectors/kafka/record_set'
import type { RecordBlock } from '../../../../runtime/batch'

const KB = 1024

const held = (pool: FramePool, length: number) => {
  const frame = pool.take(length)
  if (!frame) throw new Error('too short for the pool')
  return frame
}

test('a frame comes back when its last holder releases it, not before', () => {
  const pool = new FramePool()
  const frame = held(pool, 100 * KB)
  frame.retain()
  frame.release()
  expect(held(pool, 100 * KB)).not.toBe(frame)
  frame.release()
  expect(held(pool, 100 * KB)).toBe(frame)
})

test('a frame is used for what fills a good part of it; short answers have memory of their own', () => {
  const pool = new FramePool()
  const frame = held(pool, 4096 * KB)
  frame.release()
  expect(held(pool, 200 * KB)).not.toBe(frame)
  expect(held(pool, 2048 * KB)).toBe(frame)
  expect(pool.take(KB)).toBeNull()
})

test('what is kept is bounded', () => {
  const pool = new FramePool()
  const frames = Array.from({ length: 40 }, () => held(pool, 4096 * KB))
  for (const frame of frames) frame.release()
  const again = new Set(Array.from({ length: 40 }, () => held(pool, 4096 * KB)))
  expect(frames.filter(f => again.has(f))).toHaveLength(16)
})

const records = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    offset: i,
    timestamp: 1_700_000_000_000 + i,
    key: null,
    value: Buffer.from(`value ${i} ${'x'.repeat(60)}`),
    headers: [],
  }))

const textsOf = ({ buffer, count, valueStart, valueEnd }: RecordBlock) =>
  Array.from({ length: count }, (_, i) => buffer.toString('utf8', valueStart[i], valueEnd[i]))

test.each(['none', 'gzip', 'snappy', 'lz4'] as const)(
  'records of a fetch hold its frame while they lie in it (%s)',
  async codec => {
    await loadCodecs()
    const set = encodeRecordBatch(records(2_000), {
      producerId: -1n,
      epoch: -1,
      sequence: -1,
      transactional: false,
      codec,
    })
    const pool = new FramePool()
    const frame = held(pool, Math.max(set.length, 64 * KB))
    const bytes = Buffer.from(frame.buffer, 0, set.length)
    set.copy(bytes)
    const { chunks } = readRecordSet({
      topic: 't',
      partition: 0,
      records: bytes,
      fetchOffset: 0,
      highWatermark: 2_000,
      aborted: [],
      frame,
    })
    frame.release()
    expect(chunks.flatMap(c => (c.block?.kind === 'records' ? [c.block] : [])).map(textsOf)).toEqual([
      records(2_000).map(r => String(r.value)),
    ])
    const inFrame = codec === 'none'
    expect(chunks.map(c => c.lease ?? null)).toEqual([inFrame ? frame : null])
    expect(chunks[0].block?.kind === 'records' && chunks[0].block.buffer.buffer === frame.buffer).toBe(inFrame)
    expect(pool.take(frame.buffer.byteLength) === frame).toBe(!inFrame)
  },
)

test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
  'what a Java producer wrote is read out of lent memory as out of any (%s)',
  async codec => {
    await loadCodecs()
    const set = readFileSync(path.resolve(__dirname, `../../../golden/kafka/java-${codec}.bin`))
    const lent = Buffer.from(held(new FramePool(), 64 * KB).buffer, 0, set.length)
    set.copy(lent)
    const read = (records: Buffer) => {
      const fetched = { topic: 't', partition: 0, records, fetchOffset: 0, highWatermark: 1_000_000, aborted: [] }
      return readRecordSet(fetched).chunks.flatMap(c => (c.block?.kind === 'records' ? textsOf(c.block) : []))
    }
    expect(read(lent).length).toBeGreaterThan(0)
    expect(read(lent)).toEqual(read(set))
  },
)
