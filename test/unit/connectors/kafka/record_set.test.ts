import { readFileSync } from 'node:fs'
import path from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { type CodecName, loadCodecs } from '../../../../connectors/kafka/codecs'
import { encodeRecordBatch, type OutgoingRecord } from '../../../../connectors/kafka/record_batch'
import { DAMAGED_BYTES, type FetchedSet, readRecordSet } from '../../../../connectors/kafka/record_set'
import { expectContiguous, recordsOf } from '../../../support/kafka'

const golden = (name: string): Buffer => readFileSync(path.resolve(__dirname, `../../../golden/kafka/${name}.bin`))

const setOf = (records: Buffer, more: Partial<FetchedSet> = {}): FetchedSet => ({
  topic: 't',
  partition: 0,
  records,
  fetchOffset: 0,
  highWatermark: 1_000_000,
  aborted: [],
  ...more,
})

const plain = { codec: 'none', producerId: -1n, epoch: -1, sequence: -1, transactional: false } as const

const record = (i: number, more: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  key: Buffer.from(`k${i}`),
  value: Buffer.from(`v${i}`),
  timestamp: 1_700_000_000_000 + i,
  headers: [],
  ...more,
})

/** A batch whose first record has this offset. */
const batch = (base: number, count: number, codec: CodecName = 'none', more: Partial<OutgoingRecord> = {}): Buffer => {
  const encoded = encodeRecordBatch(
    Array.from({ length: count }, (_, i) => record(base + i, more)),
    { ...plain, codec },
  )
  encoded.writeBigInt64BE(BigInt(base), 0)
  return encoded
}

const withCrc = (encoded: Buffer): Buffer => {
  encoded.writeUInt32BE(crc32c(encoded.subarray(21)), 17)
  return encoded
}

const flip = (encoded: Buffer, at: number): Buffer => {
  const copy = Buffer.from(encoded)
  copy[at < 0 ? copy.length + at : at] ^= 1
  return copy
}

const offsets = (chunks: Parameters<typeof recordsOf>[0]): number[] => recordsOf(chunks).map(r => r.offset)
const upTo = (from: number, next: number): number[] => Array.from({ length: next - from }, (_, i) => from + i)

beforeAll(loadCodecs)

describe('record sets of others', () => {
  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('Java, %s', codec => {
    const { chunks, error } = readRecordSet(setOf(golden(`java-${codec}`)))
    expect(error).toBeNull()
    expectContiguous(chunks)
    const records = recordsOf(chunks)
    expect(records.map(r => r.offset)).toEqual(upTo(0, 60))
    records.forEach((r, i) => {
      expect(r.timestamp).toBe(1_700_000_000_000 - i * 100_000_000)
      expect(r.key && String(r.key)).toBe(i % 5 === 0 ? null : `key ${i}`)
      expect(r.value && String(r.value)).toBe(i % 7 === 0 ? null : `value ${i} `.repeat(i % 11))
      const headers = r.headers.map(([n, v]) => [n, v && String(v)])
      expect(headers).toEqual(
        i % 3 === 0
          ? [
              ['h', `header ${i}`],
              ['none', null],
            ]
          : [],
      )
    })
  })

  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('librdkafka, %s', codec => {
    const { chunks, error } = readRecordSet(setOf(golden(`librdkafka-${codec}`)))
    expect(error).toBeNull()
    const records = recordsOf(chunks)
    expect(records.map(r => String(r.key))).toEqual(upTo(0, 20).map(i => `key${i}`))
    expect(records.map(r => String(r.value))).toEqual(upTo(0, 20).map(i => `value number ${i} value number ${i}`))
    expect(records[19].headers.map(([n, v]) => [n, String(v)])).toEqual([
      ['h1', 'one'],
      ['h2', 'two'],
    ])
  })

  test('Java’s transactions: committed ones only, control records are holes', () => {
    const set = golden('java-transactions')
    const all = recordsOf(readRecordSet(setOf(set)).chunks)
    expect(all).toHaveLength(8)
    const second = set.subarray(12 + set.readInt32BE(8))
    const aborted = [{ producerId: second.readBigInt64BE(43), firstOffset: Number(second.readBigInt64BE(0)) }]
    const { chunks } = readRecordSet(setOf(set, { aborted }))
    const ends = expectContiguous(chunks)
    expect(recordsOf(chunks).map(r => r.timestamp)).toEqual([0, 1, 2, 4].map(i => 1_700_000_000_000 - i * 100_000_000))
    expect(ends.get('t|0')).toBe(11)
  })
})

test('uncompressed batches become one block over the fetched bytes', () => {
  const set = Buffer.concat([batch(0, 3), batch(3, 2), batch(5, 4)])
  const { chunks } = readRecordSet(setOf(set))
  expect(chunks).toHaveLength(1)
  expect(chunks[0]).toMatchObject({ from: 0, next: 9, bytes: set.length })
  expect(chunks[0].block?.kind === 'records' && chunks[0].block.buffer === set).toBe(true)
})

test('a key or headers of a late record stay its own, however many records had none before', () => {
  const bare = { key: null, headers: [] }
  const named: OutgoingRecord['headers'] = [['h', Buffer.from('x')]]
  // the small batch first: its size makes the arrays too short for what follows
  const set = Buffer.concat([
    batch(0, 1, 'none', { ...bare, value: Buffer.alloc(4000) }),
    batch(1, 30, 'none', bare),
    batch(31, 2, 'none', { headers: named }),
    batch(33, 40, 'none', bare),
  ])
  const records = recordsOf(readRecordSet(setOf(set)).chunks)
  expect(records.map(r => r.key && String(r.key))).toEqual(upTo(0, 73).map(i => (i === 31 || i === 32 ? `k${i}` : null)))
  expect(records.filter(r => r.headers.length > 0).map(r => r.offset)).toEqual([31, 32])
  expect(records.map(r => r.offset)).toEqual(upTo(0, 73))
})

test.each(['none', 'gzip'] as const)('records before the wanted offset are left out, %s', codec => {
  const { chunks } = readRecordSet(setOf(Buffer.concat([batch(0, 5, codec), batch(5, 5, codec)]), { fetchOffset: 3 }))
  expect(chunks[0].from).toBe(3)
  expect(offsets(chunks)).toEqual(upTo(3, 10))
})

test('offsets that compaction removed are holes inside the chunk', () => {
  const { chunks } = readRecordSet(setOf(Buffer.concat([batch(4, 2), batch(20, 2, 'gzip')])))
  const ends = expectContiguous(chunks)
  expect(chunks[0].from).toBe(0)
  expect(ends.get('t|0')).toBe(22)
  expect(offsets(chunks)).toEqual([4, 5, 20, 21])
})

test('a batch cut by the size limit is left for the next fetch', () => {
  const whole = batch(0, 3)
  const { chunks, error } = readRecordSet(setOf(Buffer.concat([whole, batch(3, 3).subarray(0, -1)])))
  expect(error).toBeNull()
  expect(offsets(chunks)).toEqual([0, 1, 2])
  expect(readRecordSet(setOf(whole.subarray(0, 40)))).toEqual({ chunks: [], error: null })
})

test('the time of appending replaces that of the records', () => {
  const encoded = batch(0, 3)
  encoded.writeInt16BE(8, 21)
  encoded.writeBigInt64BE(1_800_000_000_000n, 35)
  const { chunks } = readRecordSet(setOf(withCrc(encoded)))
  expect(recordsOf(chunks).map(r => r.timestamp)).toEqual([1.8e12, 1.8e12, 1.8e12])
})

describe('damage', () => {
  test.each(['none', 'gzip'] as const)('a batch with a wrong checksum is a damaged chunk of exactly its offsets, %s', codec => {
    const bad = flip(batch(3, 4, codec), -2)
    const { chunks, error } = readRecordSet(setOf(Buffer.concat([batch(0, 3, codec), bad, batch(7, 2, codec)])))
    expect(error).toBeNull()
    expectContiguous(chunks)
    const damaged = chunks.filter(c => c.damaged)
    expect(damaged).toHaveLength(1)
    expect(damaged[0]).toMatchObject({ from: 3, next: 7, block: null })
    expect(damaged[0].damaged?.error).toMatchObject({ code: 'D010_CORRUPT_BATCH', retriable: false })
    expect(damaged[0].damaged?.raw.value).toEqual(bad)
    expect(offsets(chunks)).toEqual([0, 1, 2, 7, 8])
  })

  test('a damaged count of offsets is corrected by the batch that follows', () => {
    const bad = batch(3, 4)
    bad.writeInt32BE(1_000_000, 23)
    const { chunks } = readRecordSet(setOf(Buffer.concat([batch(0, 3), bad, batch(7, 2)])))
    expect(chunks.find(c => c.damaged)).toMatchObject({ from: 3, next: 7 })
    expect(offsets(chunks)).toEqual([0, 1, 2, 7, 8])
  })

  test('where a damaged batch ends cannot be told, what comes before it is delivered and reading stops there', () => {
    const bad = batch(3, 4)
    bad.writeInt32BE(1_000_000, 23)
    const first = readRecordSet(setOf(Buffer.concat([batch(0, 3), bad]), { highWatermark: 7 }))
    expect(offsets(first.chunks)).toEqual([0, 1, 2])
    const again = readRecordSet(setOf(bad, { fetchOffset: 3, highWatermark: 7 }))
    expect(again).toMatchObject({ chunks: [], error: { code: 'D010_CORRUPT_BATCH' } })
  })

  test('bytes that do not decompress, and records that run past their batch, are damaged batches', () => {
    const broken = batch(0, 3, 'gzip')
    broken.fill(0, 61, 70)
    const overrun = batch(3, 2)
    overrun[61] = 0x7f
    const manyMore = batch(5, 2)
    manyMore.writeInt32BE(1_000_000_000, 57)
    const set = Buffer.concat([withCrc(broken), withCrc(overrun), withCrc(manyMore), batch(7, 1)])
    const { chunks } = readRecordSet(setOf(set))
    expectContiguous(chunks)
    expect(chunks.filter(c => c.damaged).map(c => [c.from, c.next])).toEqual([
      [0, 3],
      [3, 5],
      [5, 7],
    ])
    expect(offsets(chunks)).toEqual([7])
  })

  test('a compressed batch that would take too much memory says so', () => {
    // snappy's length field claims 4 GiB less one byte
    const bomb = Buffer.concat([batch(0, 1, 'snappy').subarray(0, 61), Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0])])
    bomb.writeInt32BE(bomb.length - 12, 8)
    const { chunks } = readRecordSet(setOf(Buffer.concat([withCrc(bomb), batch(1, 1)])))
    expect(chunks[0].damaged?.error).toMatchObject({
      code: 'D011_TOO_LARGE',
      message: expect.stringContaining('t/0, offsets 0 to 0'),
    })
    expect(offsets(chunks)).toEqual([1])
  })

  test('a large damaged batch is carried in part', () => {
    const bad = flip(batch(0, 2, 'none', { value: Buffer.alloc(DAMAGED_BYTES) }), -2)
    const { chunks } = readRecordSet(setOf(bad))
    expect(chunks[0].damaged?.raw.value?.length).toBe(DAMAGED_BYTES)
  })

  test('another format is refused with what to do', () => {
    const old = batch(0, 1)
    old[16] = 1
    expect(readRecordSet(setOf(old))).toMatchObject({ chunks: [], error: { code: 'K003_KAFKA_ERROR', retriable: false } })
  })

  test('no byte of a set can be turned such that wrong records pass or reading throws', () => {
    const set = Buffer.concat([batch(0, 3), batch(3, 3, 'gzip')])
    const good = new Map(recordsOf(readRecordSet(setOf(set)).chunks).map(r => [r.offset, String(r.value)]))
    for (let i = 0; i < set.length; i++) {
      // base offset, length, leader epoch and format stand before what the checksum covers
      const start = i < set.readInt32BE(8) + 12 ? 0 : set.readInt32BE(8) + 12
      if (i - start < 17) continue
      for (const r of recordsOf(readRecordSet(setOf(flip(set, i))).chunks)) expect(String(r.value)).toBe(good.get(r.offset))
    }
  })
})

test.each(['none', 'gzip', 'snappy', 'lz4'] as const)('what the sink encodes is read back, %s', codec => {
  const records = [
    record(0, {
      key: null,
      headers: [
        ['a', null],
        ['b', Buffer.from('x')],
      ],
    }),
    record(1, { value: null, timestamp: 1 }),
    record(2, { timestamp: 4_000_000_000_000, value: Buffer.alloc(100_000, 'abc') }),
  ]
  const { chunks } = readRecordSet(setOf(encodeRecordBatch(records, { ...plain, codec })))
  const seen = recordsOf(chunks).map(({ key, value, timestamp, headers }) => ({ key, value, timestamp, headers }))
  expect(seen).toEqual(records)
})
