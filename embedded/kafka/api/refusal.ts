import { ErrorCode, ProtocolError } from '../errors'

/** First version of AddPartitionsToTxn, AddOffsetsToTxn and EndTxn that knows PRODUCER_FENCED. */
export const FENCED_SINCE = 2

/** KIP-588: clients that do not know PRODUCER_FENCED are told INVALID_PRODUCER_EPOCH instead. */
export const fencedCode = (error: ProtocolError, knowsFenced: boolean): ErrorCode => {
  return error.code === ErrorCode.PRODUCER_FENCED && !knowsFenced ? ErrorCode.INVALID_PRODUCER_EPOCH : error.code
}

/** Does what a transactional producer asks for. The code of why it was refused, NONE where it was done. */
export function refusal(knowsFenced: boolean, act: () => void): ErrorCode {
  try {
    act()
    return ErrorCode.NONE
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return fencedCode(error, knowsFenced)
  }
}
