import { crc32c } from '@node-rs/crc32'

/**
 * Layout of a record batch, magic 2 (https://kafka.apache.org/documentation/#recordbatch). Byte offsets from the batch's start.
 * The CRC covers everything from `attributes` on, so base offset and leader epoch can be patched without computing it again.
 */
const AT = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
} as const

/** Base offset and length: what stands before the part that `length` counts. */
export const LOG_OVERHEAD = 12
export const HEADER_BYTES = 61
export const MAGIC = 2

const COMPRESSION_MASK = 0x07
const LOG_APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20
const TWO_32 = 4_294_967_296

export const ZSTD = 4

export interface BatchHeader {
  readonly baseOffset: number
  /** Whole batch in bytes, with base offset and length. */
  readonly size: number
  readonly magic: number
  readonly compression: number
  readonly transactional: boolean
  readonly control: boolean
  readonly logAppendTime: boolean
  readonly lastOffset: number
  readonly lastOffsetDelta: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly count: number
}

const int64 = (buffer: Buffer, at: number): number => buffer.readInt32BE(at) * TWO_32 + buffer.readUInt32BE(at + 4)

const writeInt64 = (buffer: Buffer, value: number, at: number): void => {
  const high = Math.floor(value / TWO_32)
  buffer.writeInt32BE(high, at)
  buffer.writeUInt32BE(value - high * TWO_32, at + 4)
}

/** Reads the header at `at`; the buffer must hold at least HEADER_BYTES from there. Checks nothing. */
export const readHeader = (buffer: Buffer, at = 0): BatchHeader => {
  const attributes = buffer.readInt16BE(at + AT.attributes)
  const baseOffset = int64(buffer, at + AT.baseOffset)
  const lastOffsetDelta = buffer.readInt32BE(at + AT.lastOffsetDelta)
  return {
    baseOffset,
    size: LOG_OVERHEAD + buffer.readInt32BE(at + AT.length),
    magic: buffer.readInt8(at + AT.magic),
    compression: attributes & COMPRESSION_MASK,
    transactional: (attributes & TRANSACTIONAL) !== 0,
    control: (attributes & CONTROL) !== 0,
    logAppendTime: (attributes & LOG_APPEND_TIME) !== 0,
    lastOffset: baseOffset + lastOffsetDelta,
    lastOffsetDelta,
    baseTimestamp: int64(buffer, at + AT.baseTimestamp),
    maxTimestamp: int64(buffer, at + AT.maxTimestamp),
    producerId: int64(buffer, at + AT.producerId),
    producerEpoch: buffer.readInt16BE(at + AT.producerEpoch),
    baseSequence: buffer.readInt32BE(at + AT.baseSequence),
    count: buffer.readInt32BE(at + AT.count),
  }
}

/** Whether the CRC32C of one whole batch is right. */
export const crcMatches = (batch: Buffer): boolean => batch.readUInt32BE(AT.crc) === crc32c(batch.subarray(AT.attributes))

/** Gives a batch its place in the log: base offset and leader epoch, neither of them under the CRC. */
export const place = (batch: Buffer, baseOffset: number, leaderEpoch: number): void => {
  writeInt64(batch, baseOffset, AT.baseOffset)
  batch.writeInt32BE(leaderEpoch, AT.leaderEpoch)
}

/** Marks the batch as stamped by the broker (message.timestamp.type=LogAppendTime) and computes the CRC again. */
export const stampAppendTime = (batch: Buffer, now: number): void => {
  batch.writeInt16BE(batch.readInt16BE(AT.attributes) | LOG_APPEND_TIME, AT.attributes)
  writeInt64(batch, now, AT.maxTimestamp)
  batch.writeUInt32BE(crc32c(batch.subarray(AT.attributes)), AT.crc)
}

export interface Marker {
  readonly producerId: number
  readonly producerEpoch: number
  readonly commit: boolean
  readonly timestamp: number
}

/** The control batch that ends a transaction in one partition: a single record with key {version 0, type} and value {version 0, coordinator epoch}. */
export const controlBatch = (marker: Marker): Buffer => {
  // record: length, attributes, timestamp delta, offset delta, key length 4, key, value length 6, value, no headers (varints are zigzag)
  const record = Buffer.from([0, 0, 0, 8, 0, 0, 0, marker.commit ? 1 : 0, 12, 0, 0, 0, 0, 0, 0, 0])
  const batch = Buffer.alloc(HEADER_BYTES + 1 + record.length)
  batch.writeInt32BE(batch.length - LOG_OVERHEAD, AT.length)
  batch.writeInt8(MAGIC, AT.magic)
  batch.writeInt16BE(TRANSACTIONAL | CONTROL, AT.attributes)
  writeInt64(batch, marker.timestamp, AT.baseTimestamp)
  writeInt64(batch, marker.timestamp, AT.maxTimestamp)
  writeInt64(batch, marker.producerId, AT.producerId)
  batch.writeInt16BE(marker.producerEpoch, AT.producerEpoch)
  batch.writeInt32BE(-1, AT.baseSequence)
  batch.writeInt32BE(1, AT.count)
  batch.writeUInt8(record.length * 2, HEADER_BYTES)
  record.copy(batch, HEADER_BYTES + 1)
  batch.writeUInt32BE(crc32c(batch.subarray(AT.attributes)), AT.crc)
  return batch
}

/** Whether a control batch written by `controlBatch` commits (true) or aborts (false). */
export const isCommit = (batch: Buffer): boolean => batch.readInt16BE(HEADER_BYTES + 1 + 6) === 1
