import type { Api } from './api'
import { FENCED_SINCE, refusal } from './refusal'

export const endTxn: Api = {
  key: 26,
  name: 'EndTxn',
  versions: [0, 3],
  flexibleFrom: 3,
  handle: async ({ body, reply, version, broker }) => {
    const transactionalId = body.string()
    const producerId = body.int64()
    const epoch = body.int16()
    const commit = body.boolean()
    body.tags()
    const refused = refusal(version >= FENCED_SINCE, () =>
      broker.transactions.end(transactionalId, { producerId, epoch }, commit ? 'commit' : 'abort'),
    )
    reply.int32(0)
    reply.int16(refused)
    reply.tags()
    return 'reply'
  },
}
