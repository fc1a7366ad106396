import { ErrorCode, ProtocolError } from '../errors'
import { LEADER_EPOCH } from '../log/partition_log'
import type { Topic } from '../topics/topics'
import type { Api, Call } from './api'

const NO_ID = '0'.repeat(32)
/** Authorised operations were not asked for. */
const NOT_ASKED = -2_147_483_648

type Answer = { readonly name: string | null; readonly id: string; readonly error: ErrorCode; readonly topic?: Topic }

interface Asked {
  readonly id: string
  readonly name: string | null
}

const answer = (call: Call, { id, name }: Asked, mayCreate: boolean): Answer => {
  const { topics, options } = call.broker
  const known = name === null ? topics.byId(id) : topics.get(name)
  if (known !== undefined) return { name: known.name, id: known.id, error: ErrorCode.NONE, topic: known }
  if (name === null || !mayCreate || !options.autoCreateTopics) return { name, id, error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }
  try {
    const topic = topics.create(name, options.defaultPartitions, {})
    return { name, id: topic.id, error: ErrorCode.NONE, topic }
  } catch (error) {
    if (error instanceof ProtocolError) return { name, id, error: error.code }
    throw error
  }
}

export const metadata: Api = {
  key: 3,
  name: 'Metadata',
  versions: [0, 12],
  flexibleFrom: 9,
  handle: async call => {
    const { body, reply, version, broker } = call
    const asked = body.nullableArray((): Asked => {
      const id = version >= 10 ? body.uuid() : NO_ID
      const name = version >= 10 ? body.nullableString() : body.string()
      body.tags()
      return { id, name }
    })
    const mayCreate = version < 4 || body.boolean()
    if (version >= 8 && version <= 10) body.boolean()
    if (version >= 8) body.boolean()
    body.tags()
    // version 0 had no null array: an empty one meant all topics
    const all = asked === null || (version === 0 && asked.length === 0)
    const answers = all
      ? broker.topics.all().map((topic): Answer => ({ name: topic.name, id: topic.id, error: ErrorCode.NONE, topic }))
      : (asked ?? []).map(one => answer(call, one, mayCreate))

    if (version >= 3) reply.int32(0)
    reply.array([broker.node], node => {
      reply.int32(node.id)
      reply.string(node.host)
      reply.int32(node.port)
      if (version >= 1) reply.string(null)
      reply.tags()
    })
    if (version >= 2) reply.string(broker.clusterId)
    if (version >= 1) reply.int32(broker.node.id)
    reply.array(answers, ({ name, id, error, topic }) => {
      reply.int16(error)
      reply.string(version >= 12 ? name : (name ?? ''))
      if (version >= 10) reply.uuid(id)
      if (version >= 1) reply.boolean(false)
      reply.array([...(topic?.partitions.keys() ?? [])], partition => {
        reply.int16(ErrorCode.NONE)
        reply.int32(partition)
        reply.int32(broker.node.id)
        if (version >= 7) reply.int32(LEADER_EPOCH)
        reply.array([broker.node.id], id => reply.int32(id))
        reply.array([broker.node.id], id => reply.int32(id))
        if (version >= 5) reply.arrayLength(0)
        reply.tags()
      })
      if (version >= 8) reply.int32(NOT_ASKED)
      reply.tags()
    })
    if (version >= 8 && version <= 10) reply.int32(NOT_ASKED)
    reply.tags()
    return 'reply'
  },
}
