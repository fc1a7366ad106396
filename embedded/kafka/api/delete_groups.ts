import type { Api } from './api'

export const deleteGroups: Api = {
  key: 42,
  name: 'DeleteGroups',
  versions: [0, 2],
  flexibleFrom: 2,
  handle: async ({ body, reply, broker }) => {
    const ids = body.array(() => body.string())
    body.tags()
    reply.int32(0)
    reply.array(ids, id => {
      reply.string(id)
      reply.int16(broker.groups.delete(id))
      reply.tags()
    })
    reply.tags()
    return 'reply'
  },
}
