import { ErrorCode } from '../errors'
import type { Api } from './api'

/** Stands for the end of the log. */
const HIGH_WATERMARK = -1

export const deleteRecords: Api = {
  key: 21,
  name: 'DeleteRecords',
  versions: [0, 2],
  flexibleFrom: 2,
  handle: async ({ body, reply, broker }) => {
    const topics = body.array(() => {
      const name = body.string()
      const partitions = body.array(() => {
        const entry = { partition: body.int32(), offset: body.int64() }
        body.tags()
        return entry
      })
      body.tags()
      return { name, partitions }
    })
    body.int32() // timeout
    body.tags()
    reply.int32(0)
    reply.array(topics, ({ name, partitions }) => {
      reply.string(name)
      reply.array(partitions, ({ partition, offset }) => {
        const log = broker.topics.partition(name, partition)
        const before = offset === HIGH_WATERMARK ? (log?.endOffset ?? 0) : offset
        const inRange = log !== undefined && before >= 0 && before <= log.endOffset
        if (inRange) broker.topics.deleteRecords(name, partition, before)
        reply.int32(partition)
        reply.int64(inRange ? log.startOffset : -1)
        if (log === undefined) reply.int16(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        else reply.int16(inRange ? ErrorCode.NONE : ErrorCode.OFFSET_OUT_OF_RANGE)
        reply.tags()
      })
      reply.tags()
    })
    reply.tags()
    return 'reply'
  },
}
