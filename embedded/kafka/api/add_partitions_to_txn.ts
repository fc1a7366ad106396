import { ErrorCode } from '../errors'
import type { Api } from './api'
import { FENCED_SINCE, refusal } from './refusal'

export const addPartitionsToTxn: Api = {
  key: 24,
  name: 'AddPartitionsToTxn',
  versions: [0, 3],
  flexibleFrom: 3,
  handle: async ({ body, reply, version, broker }) => {
    const transactionalId = body.string()
    const producerId = body.int64()
    const epoch = body.int16()
    const topics = body.array(() => {
      const entry = { topic: body.string(), partitions: body.array(() => body.int32()) }
      body.tags()
      return entry
    })
    body.tags()
    const all = topics.flatMap(({ topic, partitions }) => partitions.map(partition => ({ topic, partition })))
    const missing = (topic: string, partition: number): boolean => broker.topics.partition(topic, partition) === undefined
    const anyMissing = all.some(({ topic, partition }) => missing(topic, partition))
    // all or nothing: beside a partition that does not exist the others are not added either
    const add = (): void => broker.transactions.addPartitions(transactionalId, { producerId, epoch }, all)
    const refused = anyMissing ? ErrorCode.OPERATION_NOT_ATTEMPTED : refusal(version >= FENCED_SINCE, add)
    reply.int32(0)
    reply.array(topics, ({ topic, partitions }) => {
      reply.string(topic)
      reply.array(partitions, partition => {
        reply.int32(partition)
        if (missing(topic, partition)) reply.int16(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        else reply.int16(refused)
        reply.tags()
      })
      reply.tags()
    })
    reply.tags()
    return 'reply'
  },
}
