import type { Api } from './api'
import { FENCED_SINCE, refusal } from './refusal'

export const addOffsetsToTxn: Api = {
  key: 25,
  name: 'AddOffsetsToTxn',
  versions: [0, 3],
  flexibleFrom: 3,
  handle: async ({ body, reply, version, broker }) => {
    const transactionalId = body.string()
    const producerId = body.int64()
    const epoch = body.int16()
    const group = body.string()
    body.tags()
    const refused = refusal(version >= FENCED_SINCE, () =>
      broker.transactions.addGroup(transactionalId, { producerId, epoch }, group),
    )
    reply.int32(0)
    reply.int16(refused)
    reply.tags()
    return 'reply'
  },
}
