import { gunzipSync } from 'node:zlib'
import { type BatchHeader, HEADER_BYTES } from './record_batch'

export interface RecordTime {
  readonly offset: number
  readonly timestamp: number
}

const NONE = 0
const GZIP = 1

/** The records of a batch as plain bytes; undefined for codecs that Node has not built in. */
const plainRecords = (batch: Buffer, compression: number): Buffer | undefined => {
  const records = batch.subarray(HEADER_BYTES)
  if (compression === NONE) return records
  return compression === GZIP ? gunzipSync(records) : undefined
}

/** Zigzag varint, up to 64 bits: exact to 2^53. */
const varint = (buffer: Buffer, at: number): { readonly value: number; readonly next: number } => {
  let raw = 0
  let next = at
  for (let scale = 1; ; scale *= 128) {
    const byte = buffer.readUInt8(next++)
    raw += (byte & 0x7f) * scale
    if (byte < 0x80) break
  }
  return { value: raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2, next }
}

/**
 * The first record of a batch at or after `timestamp` (ms) and not before offset `from`. Under snappy, lz4 and zstd the batch is not
 * opened: its first offset is the answer, which is at most one batch early and never late.
 */
export const firstRecordAtTime = (
  batch: Buffer,
  header: BatchHeader,
  timestamp: number,
  from: number,
): RecordTime | undefined => {
  if (header.logAppendTime) return { offset: Math.max(header.baseOffset, from), timestamp: header.maxTimestamp }
  const records = plainRecords(batch, header.compression)
  if (records === undefined) return { offset: Math.max(header.baseOffset, from), timestamp: header.maxTimestamp }
  let at = 0
  for (let i = 0; i < header.count; i++) {
    const length = varint(records, at)
    const delta = varint(records, length.next + 1)
    const offsetDelta = varint(records, delta.next)
    const found = { offset: header.baseOffset + offsetDelta.value, timestamp: header.baseTimestamp + delta.value }
    if (found.timestamp >= timestamp && found.offset >= from) return found
    at = length.next + length.value
  }
  return undefined
}
