import { ErrorCode, ProtocolError } from '../errors'
import type { BatchHeader } from './record_batch'

/** Batches remembered per producer to recognise a repeated one; Kafka's own number (max.in.flight.requests.per.connection <= 5). */
const REMEMBERED_BATCHES = 5
const MAX_SEQUENCE = 0x7fffffff

interface WrittenBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
}

interface ProducerState {
  epoch: number
  batches: WrittenBatch[]
  /** First offset of the open transaction in this partition. */
  transactionStart: number | undefined
  lastTimestamp: number
}

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  /** Offset of the abort marker. */
  readonly lastOffset: number
}

/**
 * What one partition knows about its idempotent and transactional producers. Everything here is derived from the log and rebuilt
 * from it on start, so nothing of it is stored beside the log.
 */
export class Producers {
  readonly #states = new Map<number, ProducerState>()
  #aborted: AbortedTransaction[] = []
  #firstOpen: number | undefined

  /** Offset of the earliest open transaction; undefined where none is open. */
  get firstOpenOffset(): number | undefined {
    return this.#firstOpen
  }

  hasOpenTransaction(producerId: number, epoch: number): boolean {
    const state = this.#states.get(producerId)
    return state !== undefined && state.epoch === epoch && state.transactionStart !== undefined
  }

  /** Base offset under which the same batch was written before; undefined for a batch that is new. */
  duplicateOf(batch: BatchHeader): number | undefined {
    const state = this.#states.get(batch.producerId)
    if (state === undefined || state.epoch !== batch.producerEpoch) return undefined
    const last = lastSequence(batch)
    return state.batches.find(known => known.firstSequence === batch.baseSequence && known.lastSequence === last)?.baseOffset
  }

  /**
   * The rules of Kafka's ProducerAppendInfo: an older epoch is fenced; a new epoch starts at sequence 0; otherwise sequences follow
   * on, except for a producer of which nothing is left in the log.
   */
  check(batch: BatchHeader): void {
    const state = this.#states.get(batch.producerId)
    if (state === undefined) return
    const { epoch, batches } = state
    if (batch.producerEpoch < epoch) {
      throw new ProtocolError(
        ErrorCode.INVALID_PRODUCER_EPOCH,
        `epoch ${batch.producerEpoch} of producer ${batch.producerId} is behind ${epoch}`,
      )
    }
    const expected = batch.producerEpoch > epoch ? 0 : followingSequence(batches.at(-1)?.lastSequence ?? -1)
    if (batch.baseSequence !== expected) {
      const told = `producer ${batch.producerId} sent sequence ${batch.baseSequence}, expected ${expected}`
      throw new ProtocolError(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, told)
    }
  }

  /** Takes in a data batch that is in the log. */
  appended(batch: BatchHeader): void {
    const state = this.#stateFor(batch)
    if (batch.producerEpoch !== state.epoch) {
      state.epoch = batch.producerEpoch
      state.batches = []
    }
    state.batches.push({ firstSequence: batch.baseSequence, lastSequence: lastSequence(batch), baseOffset: batch.baseOffset })
    if (state.batches.length > REMEMBERED_BATCHES) state.batches.shift()
    if (batch.transactional && state.transactionStart === undefined) {
      state.transactionStart = batch.baseOffset
      this.#findFirstOpen()
    }
  }

  /** Takes in the control batch that ends the producer's transaction here. */
  ended(batch: BatchHeader, commit: boolean): void {
    const state = this.#stateFor(batch)
    if (batch.producerEpoch !== state.epoch) {
      state.epoch = batch.producerEpoch
      state.batches = []
    }
    if (state.transactionStart === undefined) return
    if (!commit)
      this.#aborted.push({ producerId: batch.producerId, firstOffset: state.transactionStart, lastOffset: batch.baseOffset })
    state.transactionStart = undefined
    this.#findFirstOpen()
  }

  #stateFor(batch: BatchHeader): ProducerState {
    let state = this.#states.get(batch.producerId)
    if (state === undefined) {
      state = { epoch: batch.producerEpoch, batches: [], transactionStart: undefined, lastTimestamp: 0 }
      this.#states.set(batch.producerId, state)
    }
    state.lastTimestamp = Date.now()
    return state
  }

  #findFirstOpen(): void {
    this.#firstOpen = undefined
    for (const { transactionStart } of this.#states.values()) {
      if (transactionStart !== undefined && transactionStart < (this.#firstOpen ?? Infinity)) this.#firstOpen = transactionStart
    }
  }

  /** Aborted transactions that overlap [from, to), ordered by first offset as readers expect. */
  abortedIn(from: number, to: number): AbortedTransaction[] {
    const overlapping = this.#aborted.filter(aborted => aborted.lastOffset >= from && aborted.firstOffset < to)
    return overlapping.sort((a, b) => a.firstOffset - b.firstOffset)
  }

  /** Forgets aborted transactions below the log's start and producers silent since `idleSince` (ms), as `producer.id.expiration.ms` does. */
  forget(logStartOffset: number, idleSince: number): void {
    this.#aborted = this.#aborted.filter(aborted => aborted.lastOffset >= logStartOffset)
    for (const [id, state] of this.#states) {
      if (state.transactionStart === undefined && state.lastTimestamp < idleSince) this.#states.delete(id)
    }
  }
}

/** Sequences run from 0 to 2^31 - 1 and start again at 0. */
const lastSequence = (batch: BatchHeader): number => (batch.baseSequence + batch.lastOffsetDelta) % (MAX_SEQUENCE + 1)

const followingSequence = (last: number): number => (last === MAX_SEQUENCE ? 0 : last + 1)
