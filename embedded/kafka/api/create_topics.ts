import { ErrorCode, ProtocolError } from '../errors'
import { TOPIC_CONFIGS } from '../topics/topic_config'
import type { Api, Call } from './api'
import { configEntries } from './config_entries'

interface NewTopic {
  readonly name: string
  readonly partitions: number
  readonly replicas: number
  /** Brokers by partition, where the client assigned them by hand. */
  readonly assignments: readonly (readonly number[])[]
  readonly configs: Readonly<Record<string, string>>
}

type Result = NewTopic & {
  readonly error: ErrorCode
  readonly message: string | null
  readonly id: string
  readonly count: number
}

const NO_ID = '0'.repeat(32)

const create = ({ broker }: Call, topic: NewTopic, validateOnly: boolean): Result => {
  const { name, configs, assignments, replicas } = topic
  const assigned = assignments.length > 0
  const count = assigned ? assignments.length : topic.partitions === -1 ? broker.options.defaultPartitions : topic.partitions
  try {
    if (assigned && assignments.some(brokers => brokers.length !== 1 || brokers[0] !== broker.node.id)) {
      throw new ProtocolError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, `the only broker is ${broker.node.id}`)
    }
    if (!assigned && replicas !== -1 && replicas !== 1) {
      throw new ProtocolError(ErrorCode.INVALID_REPLICATION_FACTOR, `replication factor ${replicas} with one broker`)
    }
    broker.topics.checkNew(name, count, configs)
    const id = validateOnly ? NO_ID : broker.topics.create(name, count, configs).id
    return { ...topic, error: ErrorCode.NONE, message: null, id, count }
  } catch (error) {
    if (error instanceof ProtocolError) return { ...topic, error: error.code, message: error.message, id: NO_ID, count: -1 }
    throw error
  }
}

export const createTopics: Api = {
  key: 19,
  name: 'CreateTopics',
  versions: [2, 7],
  flexibleFrom: 5,
  handle: async call => {
    const { body, reply, version } = call
    const topics = body.array((): NewTopic => {
      const name = body.string()
      const partitions = body.int32()
      const replicas = body.int16()
      const assignments = body.array(() => {
        body.int32()
        const brokers = body.array(() => body.int32())
        body.tags()
        return brokers
      })
      const configs: Record<string, string> = {}
      body.array(() => {
        const key = body.string()
        configs[key] = body.nullableString() ?? TOPIC_CONFIGS[key]?.default ?? ''
        body.tags()
      })
      body.tags()
      return { name, partitions, replicas, assignments, configs }
    })
    body.int32() // timeout
    const validateOnly = body.boolean()
    body.tags()
    reply.int32(0)
    reply.array(topics, topic => {
      const result = create(call, topic, validateOnly)
      reply.string(result.name)
      if (version >= 7) reply.uuid(result.id)
      reply.int16(result.error)
      reply.string(result.message)
      if (version >= 5) {
        reply.int32(result.count)
        reply.int16(result.error === ErrorCode.NONE ? 1 : -1)
        reply.array(result.error === ErrorCode.NONE ? configEntries(result.configs) : [], entry => {
          reply.string(entry.name)
          reply.string(entry.value)
          reply.boolean(false)
          reply.int8(entry.source)
          reply.boolean(false)
          reply.tags()
        })
      }
      reply.tags()
    })
    reply.tags()
    return 'reply'
  },
}
