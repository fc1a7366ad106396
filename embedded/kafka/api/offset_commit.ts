import { ErrorCode } from '../errors'
import type { CommittedOffset } from '../state'
import type { Api, Call } from './api'

/** `offset.metadata.max.bytes` of Apache Kafka, which counts characters. */
const MAX_METADATA = 4096

interface TopicOffsets {
  readonly name: string
  readonly offsets: readonly CommittedOffset[]
}

/** The topics of OffsetCommit (v6 on) and TxnOffsetCommit (v2 on), which differ only in when the leader epoch came. */
export const readOffsets = ({ body }: Call, withLeaderEpoch: boolean): TopicOffsets[] => {
  return body.array(() => {
    const name = body.string()
    const offsets = body.array((): CommittedOffset => {
      const partition = body.int32()
      const offset = body.int64()
      const leaderEpoch = withLeaderEpoch ? body.int32() : -1
      const metadata = body.nullableString()
      body.tags()
      return { topic: name, partition, offset, leaderEpoch, metadata }
    })
    body.tags()
    return { name, offsets }
  })
}

/** Why this one offset cannot be stored while its neighbours can. */
export const checkOffset = ({ broker }: Call, { topic, partition, metadata }: CommittedOffset): ErrorCode => {
  if (broker.topics.partition(topic, partition) === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  return (metadata?.length ?? 0) > MAX_METADATA ? ErrorCode.OFFSET_METADATA_TOO_LARGE : ErrorCode.NONE
}

/** Stores what can be stored and answers per partition; `refusal` refuses all of them, unless a partition has a reason of its own. */
export const writeOffsetResults = (
  call: Call,
  topics: readonly TopicOffsets[],
  refusal: ErrorCode,
  store: (offsets: CommittedOffset[]) => void,
): void => {
  const { reply } = call
  const results = topics.map(({ name, offsets }) => ({
    name,
    offsets: offsets.map(offset => ({ offset, own: checkOffset(call, offset) })),
  }))
  if (refusal === ErrorCode.NONE) {
    store(results.flatMap(({ offsets }) => offsets.filter(({ own }) => own === ErrorCode.NONE).map(({ offset }) => offset)))
  }
  reply.array(results, ({ name, offsets }) => {
    reply.string(name)
    reply.array(offsets, ({ offset, own }) => {
      reply.int32(offset.partition)
      reply.int16(own === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION || refusal === ErrorCode.NONE ? own : refusal)
      reply.tags()
    })
    reply.tags()
  })
}

export const offsetCommit: Api = {
  key: 8,
  name: 'OffsetCommit',
  versions: [2, 8],
  flexibleFrom: 8,
  handle: async call => {
    const { body, reply, version, broker } = call
    const groupId = body.string()
    const generation = body.int32()
    const memberId = body.string()
    const instanceId = version >= 7 ? body.nullableString() : null
    if (version <= 4) body.int64() // retention time of the request
    const topics = readOffsets(call, version >= 6)
    body.tags()

    const { groups } = broker
    // a commit without a generation comes from an admin or a consumer without a group, and makes the group
    const group = generation < 0 ? groups.getOrCreate(groupId) : groups.get(groupId)
    const refusal = group?.checkCommit({ memberId, instanceId, generation, transactional: false }) ?? ErrorCode.ILLEGAL_GENERATION

    if (version >= 3) reply.int32(0)
    writeOffsetResults(call, topics, refusal, offsets => groups.offsets.commit(groupId, offsets))
    reply.tags()
    return 'reply'
  },
}
