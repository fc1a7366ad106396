import { ErrorCode } from '../errors'
import type { PartitionRef } from '../state'
import type { Api, Call } from './api'

interface AskedGroup {
  readonly id: string
  /** null: all partitions that have an offset. */
  readonly partitions: readonly PartitionRef[] | null
}

const readPartitions = ({ body }: Call): PartitionRef[] | null => {
  const topics = body.nullableArray(() => {
    const topic = body.string()
    const partitions = body.array(() => body.int32())
    body.tags()
    return partitions.map(partition => ({ topic, partition }))
  })
  return topics?.flat() ?? null
}

const byTopic = (partitions: readonly PartitionRef[]): (readonly [string, readonly number[]])[] => {
  const topics = new Map<string, number[]>()
  for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition])
  return [...topics]
}

const writeTopics = ({ reply, version, broker }: Call, group: AskedGroup, requireStable: boolean): void => {
  const { offsets } = broker.groups
  reply.array(byTopic(group.partitions ?? offsets.all(group.id)), ([topic, partitions]) => {
    reply.string(topic)
    reply.array(partitions, partition => {
      const at = { topic, partition }
      const unstable = requireStable && offsets.isPending(group.id, at)
      const known = unstable ? undefined : offsets.get(group.id, at)
      reply.int32(partition)
      reply.int64(known?.offset ?? -1)
      if (version >= 5) reply.int32(known?.leaderEpoch ?? -1)
      reply.string(known?.metadata ?? '')
      reply.int16(unstable ? ErrorCode.UNSTABLE_OFFSET_COMMIT : ErrorCode.NONE)
      reply.tags()
    })
    reply.tags()
  })
}

export const offsetFetch: Api = {
  key: 9,
  name: 'OffsetFetch',
  versions: [1, 8],
  flexibleFrom: 6,
  handle: async call => {
    const { body, reply, version } = call
    const readGroup = (): AskedGroup => ({ id: body.string(), partitions: readPartitions(call) })
    const readTaggedGroup = (): AskedGroup => {
      const group = readGroup()
      body.tags()
      return group
    }
    // version 8 asks for several groups at once
    const groups = version >= 8 ? body.array(readTaggedGroup) : [readGroup()]
    const requireStable = version >= 7 && body.boolean()
    body.tags()
    if (version >= 3) reply.int32(0)
    if (version >= 8) {
      reply.array(groups, group => {
        reply.string(group.id)
        writeTopics(call, group, requireStable)
        reply.int16(ErrorCode.NONE)
        reply.tags()
      })
    } else {
      for (const group of groups) writeTopics(call, group, requireStable)
      if (version >= 2) reply.int16(ErrorCode.NONE)
    }
    reply.tags()
    return 'reply'
  },
}
