import { ErrorCode } from '../errors'
import { LEADER_EPOCH, type PartitionLog } from '../log/partition_log'
import { firstRecordAtTime } from '../log/record_times'
import type { Api } from './api'

const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const READ_COMMITTED = 1

interface Found {
  readonly offset: number
  readonly timestamp: number
}

const NOT_FOUND: Found = { offset: -1, timestamp: -1 }

const lookUp = (log: PartitionLog, timestamp: number, committedOnly: boolean): Found => {
  if (timestamp === LATEST) return { offset: log.readableEnd(committedOnly), timestamp: -1 }
  if (timestamp === EARLIEST) return { offset: log.startOffset, timestamp: -1 }
  const wanted = timestamp === MAX_TIMESTAMP ? log.maxTimestamp : timestamp
  const batch = wanted < 0 ? undefined : log.batchAtTime(wanted)
  const found = batch === undefined ? undefined : firstRecordAtTime(batch.bytes, batch.header, wanted, log.startOffset)
  return found !== undefined && found.offset < log.readableEnd(committedOnly) ? found : NOT_FOUND
}

export const listOffsets: Api = {
  key: 2,
  name: 'ListOffsets',
  versions: [1, 7],
  flexibleFrom: 6,
  handle: async ({ body, reply, version, broker }) => {
    body.int32() // replica id
    const committedOnly = version >= 2 && body.int8() === READ_COMMITTED
    const topics = body.array(() => {
      const name = body.string()
      const partitions = body.array(() => {
        const partition = body.int32()
        if (version >= 4) body.int32() // current leader epoch
        const timestamp = body.int64()
        body.tags()
        return { partition, timestamp }
      })
      body.tags()
      return { name, partitions }
    })
    if (version >= 2) reply.int32(0)
    reply.array(topics, ({ name, partitions }) => {
      reply.string(name)
      reply.array(partitions, ({ partition, timestamp }) => {
        const log = broker.topics.partition(name, partition)
        const found = log === undefined ? NOT_FOUND : lookUp(log, timestamp, committedOnly)
        reply.int32(partition)
        reply.int16(log === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.NONE)
        reply.int64(found.timestamp)
        reply.int64(found.offset)
        if (version >= 4) reply.int32(found.offset < 0 ? -1 : LEADER_EPOCH)
        reply.tags()
      })
      reply.tags()
    })
    reply.tags()
    return 'reply'
  },
}
