import { ErrorCode } from '../errors'
import type { Api, Call } from './api'
import { brokerEntries, type ConfigEntry, configEntries } from './config_entries'
import { ResourceType } from './resource_type'

const describe = (
  { broker }: Call,
  type: number,
  name: string,
): { readonly error: ErrorCode; readonly entries: readonly ConfigEntry[] } => {
  if (type === ResourceType.topic) {
    const topic = broker.topics.get(name)
    if (topic === undefined) return { error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, entries: [] }
    return { error: ErrorCode.NONE, entries: configEntries(topic.configs) }
  }
  const known = type === ResourceType.broker && (name === '' || name === String(broker.node.id))
  return known
    ? { error: ErrorCode.NONE, entries: brokerEntries(broker.describeOptions()) }
    : { error: ErrorCode.INVALID_REQUEST, entries: [] }
}

export const describeConfigs: Api = {
  key: 32,
  name: 'DescribeConfigs',
  versions: [1, 4],
  flexibleFrom: 4,
  handle: async call => {
    const { body, reply, version } = call
    const resources = body.array(() => {
      const resource = { type: body.int8(), name: body.string(), keys: body.nullableArray(() => body.string()) }
      body.tags()
      return resource
    })
    const withSynonyms = body.boolean()
    if (version >= 3) body.boolean() // documentation, which is not held
    body.tags()
    reply.int32(0)
    reply.array(resources, ({ type, name, keys }) => {
      const { error, entries } = describe(call, type, name)
      reply.int16(error)
      reply.string(null)
      reply.int8(type)
      reply.string(name)
      const asked = keys === null || keys.length === 0 ? entries : entries.filter(entry => keys.includes(entry.name))
      reply.array(asked, entry => {
        reply.string(entry.name)
        reply.string(entry.value)
        reply.boolean(type === ResourceType.broker)
        reply.int8(entry.source)
        reply.boolean(false)
        reply.array(withSynonyms ? [entry] : [], synonym => {
          reply.string(synonym.name)
          reply.string(synonym.value)
          reply.int8(synonym.source)
          reply.tags()
        })
        if (version >= 3) {
          reply.int8(entry.type)
          reply.string(null)
        }
        reply.tags()
      })
      reply.tags()
    })
    reply.tags()
    return 'reply'
  },
}
