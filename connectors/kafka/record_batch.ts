import { crc32c } from '@node-rs/crc32'
import { CODEC_NUMBER, type CodecName, compress } from './codecs'

/** A record to be written. */
export interface OutgoingRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
}

export interface BatchOptions {
  readonly codec: CodecName
  readonly producerId: bigint
  readonly epoch: number
  /** Sequence number of the first record in its partition. */
  readonly sequence: number
  readonly transactional: boolean
}

const HEADER = 61
const TRANSACTIONAL = 16

/** One record batch of format 2 (https://kafka.apache.org/documentation/#recordbatch), base offset 0. */
export function encodeRecordBatch(records: readonly OutgoingRecord[], options: BatchOptions): Buffer {
  const first = records[0].timestamp
  let largest = first
  for (const { timestamp } of records) if (timestamp > largest) largest = timestamp
  const body = compress(options.codec, encodeRecords(records, first))
  const batch = Buffer.allocUnsafe(HEADER + body.length)
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt32BE(-1, 12) // leader epoch: the broker's
  batch[16] = 2
  batch.writeInt16BE(CODEC_NUMBER[options.codec] | (options.transactional ? TRANSACTIONAL : 0), 21)
  batch.writeInt32BE(records.length - 1, 23)
  batch.writeBigInt64BE(BigInt(first), 27)
  batch.writeBigInt64BE(BigInt(largest), 35)
  batch.writeBigInt64BE(options.producerId, 43)
  batch.writeInt16BE(options.epoch, 51)
  batch.writeInt32BE(options.sequence, 53)
  batch.writeInt32BE(records.length, 57)
  body.copy(batch, HEADER)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

/** Bytes a record takes at most, uncompressed: to fill batches by size before they are encoded. */
export function recordSize(record: OutgoingRecord): number {
  const bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0)
  return 32 + bytes + record.headers.reduce((sum, [name, value]) => sum + 10 + Buffer.byteLength(name) + (value?.length ?? 0), 0)
}

function encodeRecords(records: readonly OutgoingRecord[], firstTimestamp: number): Buffer {
  const sizes = records.map((r, i) => bodySize(r, i, r.timestamp - firstTimestamp))
  const out = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + varintSize(size) + size, 0))
  let p = 0
  records.forEach((r, i) => {
    p = writeVarint(out, p, sizes[i])
    out[p++] = 0 // attributes of a record: none are defined
    p = writeVarlong(out, p, r.timestamp - firstTimestamp)
    p = writeVarint(out, p, i)
    p = writeBytes(out, p, r.key)
    p = writeBytes(out, p, r.value)
    p = writeVarint(out, p, r.headers.length)
    for (const [name, value] of r.headers) {
      p = writeBytes(out, p, Buffer.from(name))
      p = writeBytes(out, p, value)
    }
  })
  return out
}

function bodySize({ key, value, headers }: OutgoingRecord, index: number, timestampDelta: number): number {
  let size = 1 + varlongSize(timestampDelta) + varintSize(index) + bytesSize(key) + bytesSize(value) + varintSize(headers.length)
  for (const [name, v] of headers) {
    const length = Buffer.byteLength(name)
    size += varintSize(length) + length + bytesSize(v)
  }
  return size
}

const bytesSize = (bytes: Buffer | null): number => (bytes === null ? 1 : varintSize(bytes.length) + bytes.length)

const zigzag = (n: number): number => ((n << 1) ^ (n >> 31)) >>> 0

function varintSize(n: number): number {
  let left = zigzag(n) >>> 7
  let size = 1
  for (; left !== 0; left >>>= 7) size++
  return size
}

function writeVarint(out: Buffer, at: number, n: number): number {
  let p = at
  let left = zigzag(n)
  for (; left > 127; left >>>= 7) out[p++] = (left & 127) | 128
  out[p++] = left
  return p
}

const isInt32 = (n: number): boolean => n === (n | 0)
const zigzag64 = (n: number): bigint => BigInt.asUintN(64, (BigInt(n) << 1n) ^ (BigInt(n) >> 63n))

function varlongSize(n: number): number {
  if (isInt32(n)) return varintSize(n)
  let left = zigzag64(n) >> 7n
  let size = 1
  for (; left !== 0n; left >>= 7n) size++
  return size
}

function writeVarlong(out: Buffer, at: number, n: number): number {
  if (isInt32(n)) return writeVarint(out, at, n)
  let p = at
  let left = zigzag64(n)
  for (; left > 127n; left >>= 7n) out[p++] = Number(left & 127n) | 128
  out[p++] = Number(left)
  return p
}

function writeBytes(out: Buffer, at: number, bytes: Buffer | null): number {
  if (bytes === null) return writeVarint(out, at, -1)
  const p = writeVarint(out, at, bytes.length)
  bytes.copy(out, p)
  return p + bytes.length
}
