import { ErrorCode, ProtocolError } from '../errors'
import type { Api, Call } from './api'

interface Asked {
  readonly name: string
  readonly count: number
  readonly assignments: readonly (readonly number[])[] | null
}

const grow = (
  { broker }: Call,
  { name, count, assignments }: Asked,
  validateOnly: boolean,
): { readonly error: ErrorCode; readonly message: string | null } => {
  const topic = broker.topics.get(name)
  const current = topic?.partitions.length ?? 0
  if (topic === undefined) return { error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `no topic '${name}'` }
  if (count <= current)
    return { error: ErrorCode.INVALID_PARTITIONS, message: `the topic has ${current} partitions, ${count} is not more` }
  const legal = assignments === null || assignments.every(brokers => brokers.length === 1 && brokers[0] === broker.node.id)
  if (!legal) return { error: ErrorCode.INVALID_REPLICA_ASSIGNMENT, message: `the only broker is ${broker.node.id}` }
  try {
    if (!validateOnly) broker.topics.addPartitions(name, count)
    return { error: ErrorCode.NONE, message: null }
  } catch (error) {
    if (error instanceof ProtocolError) return { error: error.code, message: error.message }
    throw error
  }
}

export const createPartitions: Api = {
  key: 37,
  name: 'CreatePartitions',
  versions: [0, 3],
  flexibleFrom: 2,
  handle: async call => {
    const { body, reply } = call
    const asked = body.array((): Asked => {
      const name = body.string()
      const count = body.int32()
      const assignments = body.nullableArray(() => {
        const brokers = body.array(() => body.int32())
        body.tags()
        return brokers
      })
      body.tags()
      return { name, count, assignments }
    })
    body.int32() // timeout
    const validateOnly = body.boolean()
    body.tags()
    reply.int32(0)
    reply.array(asked, topic => {
      const { error, message } = grow(call, topic, validateOnly)
      reply.string(topic.name)
      reply.int16(error)
      reply.string(message)
      reply.tags()
    })
    reply.tags()
    return 'reply'
  },
}
