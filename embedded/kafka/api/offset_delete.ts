import { ErrorCode } from '../errors'
import type { Api } from './api'

/** Deletes committed offsets of a group that has no members. (Kafka also allows it for topics the members do not subscribe to.) */
export const offsetDelete: Api = {
  key: 47,
  name: 'OffsetDelete',
  versions: [0, 0],
  flexibleFrom: Infinity,
  handle: async ({ body, reply, broker }) => {
    const groupId = body.string()
    const topics = body.array(() => ({ name: body.string(), partitions: body.array(() => body.int32()) }))
    const group = broker.groups.get(groupId)
    const busy = group !== undefined && group.state !== 'Empty'
    const error = group === undefined ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.NONE
    if (group !== undefined && !busy) {
      const all = topics.flatMap(({ name, partitions }) => partitions.map(partition => ({ topic: name, partition })))
      broker.groups.offsets.delete(groupId, all)
    }
    reply.int16(error)
    reply.int32(0)
    reply.array(error === ErrorCode.NONE ? topics : [], ({ name, partitions }) => {
      reply.string(name)
      reply.array(partitions, partition => {
        reply.int32(partition)
        reply.int16(busy ? ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC : ErrorCode.NONE)
      })
    })
    return 'reply'
  },
}
