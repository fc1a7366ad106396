import { ErrorCode, type ProtocolError } from '../errors'

/** KIP-588: clients that do not know PRODUCER_FENCED are told INVALID_PRODUCER_EPOCH instead. */
export const fencedCode = (error: ProtocolError, knowsFenced: boolean): ErrorCode => {
  return error.code === ErrorCode.PRODUCER_FENCED && !knowsFenced ? ErrorCode.INVALID_PRODUCER_EPOCH : error.code
}
