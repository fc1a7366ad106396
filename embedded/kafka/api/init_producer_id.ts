import { ErrorCode, ProtocolError } from '../errors'
import type { ProducerIdentity } from '../transactions/transactions'
import type { Api } from './api'
import { fencedCode } from './refusal'

type Result = ProducerIdentity & { readonly error: ErrorCode }

/** First version that knows PRODUCER_FENCED. */
const FENCED_SINCE = 4

export const initProducerId: Api = {
  key: 22,
  name: 'InitProducerId',
  versions: [0, 4],
  flexibleFrom: 2,
  handle: async ({ body, reply, version, broker }) => {
    const transactionalId = body.nullableString()
    const timeoutMs = body.int32()
    const producerId = version >= 3 ? body.int64() : -1
    const epoch = version >= 3 ? body.int16() : -1
    body.tags()
    const initialise = (): Result => {
      if (transactionalId === null) return { error: ErrorCode.NONE, ...broker.transactions.newProducer() }
      if (transactionalId === '') return { error: ErrorCode.INVALID_REQUEST, producerId: -1, epoch: -1 }
      try {
        const expected = producerId >= 0 ? { producerId, epoch } : undefined
        return { error: ErrorCode.NONE, ...broker.transactions.initialise(transactionalId, timeoutMs, expected) }
      } catch (error) {
        if (error instanceof ProtocolError)
          return { error: fencedCode(error, version >= FENCED_SINCE), producerId: -1, epoch: -1 }
        throw error
      }
    }
    const result = initialise()
    reply.int32(0)
    reply.int16(result.error)
    reply.int64(result.producerId)
    reply.int16(result.epoch)
    reply.tags()
    return 'reply'
  },
}
