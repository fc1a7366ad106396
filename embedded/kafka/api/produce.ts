import { ErrorCode, ProtocolError } from '../errors'
import { type BatchHeader, crcMatches, HEADER_BYTES, MAGIC, readHeader, stampAppendTime, ZSTD } from '../log/record_batch'
import type { PartitionRef } from '../state'
import type { TopicSettings } from '../topics/topic_config'
import type { Api, Call } from './api'

interface PartitionResult {
  readonly partition: number
  readonly error: ErrorCode
  readonly message: string | null
  readonly baseOffset: number
  readonly appendTime: number
  readonly startOffset: number
}

/** From this version on zstd may be used. */
const ZSTD_SINCE = 7

const refuse = (code: ErrorCode, message: string): never => {
  throw new ProtocolError(code, message)
}

/** Everything that can be told from the header and the CRC; the records themselves are stored as they came. */
const checkBatch = (records: Buffer | null, settings: TopicSettings, version: number, now: number): BatchHeader => {
  if (records === null || records.length === 0) return refuse(ErrorCode.INVALID_RECORD, 'no record batch')
  if (records.length < HEADER_BYTES) return refuse(ErrorCode.CORRUPT_MESSAGE, `${records.length} bytes are no record batch`)
  const header = readHeader(records)
  if (header.magic !== MAGIC)
    refuse(ErrorCode.INVALID_RECORD, `record batches of magic ${header.magic} are not accepted, only ${MAGIC}`)
  if (header.size < HEADER_BYTES || header.size > records.length)
    refuse(ErrorCode.CORRUPT_MESSAGE, `a batch of ${header.size} bytes in ${records.length}`)
  if (header.size < records.length) refuse(ErrorCode.INVALID_RECORD, 'more than one record batch for a partition')
  if (header.size > settings.maxMessageBytes) {
    refuse(ErrorCode.MESSAGE_TOO_LARGE, `a batch of ${header.size} bytes, max.message.bytes is ${settings.maxMessageBytes}`)
  }
  if (!crcMatches(records)) refuse(ErrorCode.CORRUPT_MESSAGE, 'the CRC32C of the batch is wrong')
  if (header.control) refuse(ErrorCode.INVALID_RECORD, 'clients may not write control batches')
  if (header.count < 1 || header.lastOffsetDelta !== header.count - 1)
    refuse(ErrorCode.INVALID_RECORD, `${header.count} records up to offset delta ${header.lastOffsetDelta}`)
  if (header.transactional && header.producerId < 0) refuse(ErrorCode.INVALID_RECORD, 'a transactional batch without producer id')
  if (header.producerId >= 0 && header.baseSequence < 0) refuse(ErrorCode.INVALID_RECORD, 'a producer id without sequence')
  if (header.compression > ZSTD) refuse(ErrorCode.INVALID_RECORD, `compression ${header.compression} is unknown`)
  if (header.compression === ZSTD && version < ZSTD_SINCE)
    refuse(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, `zstd needs Produce v${ZSTD_SINCE}`)
  const late = header.maxTimestamp > now + settings.timestampAfterMaxMs
  const early = header.baseTimestamp >= 0 && header.baseTimestamp < now - settings.timestampBeforeMaxMs
  if (!settings.logAppendTime && (late || early)) refuse(ErrorCode.INVALID_TIMESTAMP, `timestamps are outside the topic's limits`)
  return header
}

const append = (call: Call, transactionalId: string | null, at: PartitionRef, records: Buffer | null): PartitionResult => {
  const { topics, transactions } = call.broker
  const topic = topics.get(at.topic)
  const log = topic?.partitions[at.partition]
  const refused = (error: ErrorCode, message: string): PartitionResult => {
    return { partition: at.partition, error, message, baseOffset: -1, appendTime: -1, startOffset: log?.startOffset ?? -1 }
  }
  if (topic === undefined || log === undefined)
    return refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `no partition ${at.topic}-${at.partition}`)
  try {
    const now = Date.now()
    const header = checkBatch(records, topic.settings, call.version, now)
    const batch = records ?? Buffer.alloc(0)
    if (header.transactional && !log.hasOpenTransaction(header.producerId, header.producerEpoch)) {
      transactions.checkWrite(transactionalId ?? '', { producerId: header.producerId, epoch: header.producerEpoch }, at)
    }
    if (topic.settings.logAppendTime) stampAppendTime(batch, now)
    const baseOffset = log.append(batch, header)
    const appendTime = topic.settings.logAppendTime ? now : -1
    return { partition: at.partition, error: ErrorCode.NONE, message: null, baseOffset, appendTime, startOffset: log.startOffset }
  } catch (error) {
    // PRODUCER_FENCED is younger than the versions served here: Kafka answers a produce of a fenced producer with the older code
    if (error instanceof ProtocolError) {
      return refused(error.code === ErrorCode.PRODUCER_FENCED ? ErrorCode.INVALID_PRODUCER_EPOCH : error.code, error.message)
    }
    call.broker.log(`append to ${at.topic}-${at.partition} failed: ${String(error)}`)
    return refused(ErrorCode.KAFKA_STORAGE_ERROR, 'the log cannot be written')
  }
}

export const produce: Api = {
  key: 0,
  name: 'Produce',
  versions: [3, 9],
  flexibleFrom: 9,
  handle: async call => {
    const { body, reply, version } = call
    const transactionalId = body.nullableString()
    const acks = body.int16()
    body.int32() // timeout: nothing to wait for with one replica
    const topics = body.array(() => {
      const name = body.string()
      const partitions = body.array(() => {
        const entry = { partition: body.int32(), records: body.nullableBytes() }
        body.tags()
        return entry
      })
      body.tags()
      return { name, partitions }
    })
    body.tags()
    const legalAcks = acks === 0 || acks === 1 || acks === -1
    const results = topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partition, records }): PartitionResult => {
        if (legalAcks) return append(call, transactionalId, { topic: name, partition }, records)
        return {
          partition,
          error: ErrorCode.INVALID_REQUIRED_ACKS,
          message: null,
          baseOffset: -1,
          appendTime: -1,
          startOffset: -1,
        }
      }),
    }))
    // a producer that wants no answer learns of a failure by losing its connection
    if (acks === 0)
      return results.some(topic => topic.partitions.some(({ error }) => error !== ErrorCode.NONE)) ? 'close' : 'no reply'
    reply.array(results, topic => {
      reply.string(topic.name)
      reply.array(topic.partitions, result => {
        reply.int32(result.partition)
        reply.int16(result.error)
        reply.int64(result.baseOffset)
        reply.int64(result.appendTime)
        if (version >= 5) reply.int64(result.startOffset)
        if (version >= 8) {
          reply.arrayLength(0)
          reply.string(result.message)
        }
        reply.tags()
      })
      reply.tags()
    })
    reply.int32(0)
    reply.tags()
    return 'reply'
  },
}
