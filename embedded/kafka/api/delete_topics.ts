import { ErrorCode } from '../errors'
import type { Api } from './api'

export const deleteTopics: Api = {
  key: 20,
  name: 'DeleteTopics',
  versions: [1, 6],
  flexibleFrom: 4,
  handle: async ({ body, reply, version, broker }) => {
    const readTopic = (): { name: string | null; id: string | undefined } => {
      const topic = { name: body.nullableString(), id: body.uuid() }
      body.tags()
      return topic
    }
    const asked = version >= 6 ? body.array(readTopic) : body.array(() => ({ name: body.string(), id: undefined }))
    body.int32() // timeout
    body.tags()
    reply.int32(0)
    reply.array(asked, ({ name, id }) => {
      const topic = name === null ? broker.topics.byId(id ?? '') : broker.topics.get(name)
      if (topic !== undefined) broker.deleteTopic(topic.name)
      reply.string(topic?.name ?? name)
      if (version >= 6) reply.uuid(topic?.id ?? id ?? '0'.repeat(32))
      reply.int16(topic === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.NONE)
      if (version >= 5) reply.string(topic === undefined ? 'This server does not host this topic-partition.' : null)
      reply.tags()
    })
    reply.tags()
    return 'reply'
  },
}
