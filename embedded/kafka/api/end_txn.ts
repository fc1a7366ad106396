import { ErrorCode, ProtocolError } from '../errors'
import type { Api } from './api'
import { fencedCode } from './fenced_code'

/** First version that knows PRODUCER_FENCED. */
const FENCED_SINCE = 2

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
    let error: ErrorCode = ErrorCode.NONE
    try {
      broker.transactions.end(transactionalId, { producerId, epoch }, commit ? 'commit' : 'abort')
    } catch (refused) {
      if (!(refused instanceof ProtocolError)) throw refused
      error = fencedCode(refused, version >= FENCED_SINCE)
    }
    reply.int32(0)
    reply.int16(error)
    reply.tags()
    return 'reply'
  },
}
