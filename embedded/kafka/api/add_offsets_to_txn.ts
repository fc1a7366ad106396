import { ErrorCode, ProtocolError } from '../errors'
import type { Api } from './api'
import { fencedCode } from './fenced_code'

/** First version that knows PRODUCER_FENCED. */
const FENCED_SINCE = 2

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
    let error: ErrorCode = ErrorCode.NONE
    try {
      broker.transactions.addGroup(transactionalId, { producerId, epoch }, group)
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
