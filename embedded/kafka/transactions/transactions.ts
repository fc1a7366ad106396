import { ErrorCode, ProtocolError } from '../errors'
import type { GroupOffsets } from '../groups/offsets'
import type { OpenTransaction, PartitionRef, StateEvent, TransactionOutcome } from '../state'
import type { Topics } from '../topics/topics'
import { ProducerIds } from './producer_ids'

/** `transaction.max.timeout.ms` of Apache Kafka. */
const MAX_TIMEOUT_MS = 900_000
/** A producer at the last epoch gets a new id; the very last one is kept for fencing it. */
const LAST_EPOCH = 0x7fff - 1

export interface ProducerIdentity {
  readonly producerId: number
  readonly epoch: number
}

interface Transaction extends ProducerIdentity {
  readonly id: string
  readonly timeoutMs: number
  readonly last?: TransactionOutcome
  readonly open?: OpenTransaction
}

export interface TransactionsParts {
  readonly topics: Topics
  readonly offsets: GroupOffsets
  readonly record: (event: StateEvent) => void
}

/**
 * The transaction coordinator. A transaction ends in three recorded steps: its outcome is decided (`prepared`), markers and group
 * offsets are written, it is complete. A restart finishes what was decided; writing a marker twice does no harm.
 */
export class Transactions {
  readonly #parts: TransactionsParts
  readonly #ids: ProducerIds
  readonly #transactions = new Map<string, Transaction>()
  readonly #timers = new Map<string, NodeJS.Timeout>()

  constructor(parts: TransactionsParts) {
    this.#parts = parts
    this.#ids = new ProducerIds(parts.record)
  }

  restore(event: StateEvent): void {
    if (event.kind === 'transaction') {
      const { kind: _, ...transaction } = event
      this.#transactions.set(event.id, transaction)
    }
    this.#ids.restore(event)
  }

  *snapshot(): Iterable<StateEvent> {
    yield* this.#ids.snapshot()
    for (const transaction of this.#transactions.values()) yield { kind: 'transaction', ...transaction }
  }

  /** Finishes transactions whose outcome was decided and starts the timeouts of those still open; the logs must be open. */
  open(): void {
    for (const transaction of [...this.#transactions.values()]) {
      if (transaction.open?.prepared !== undefined) this.#finish(transaction, transaction.open, transaction.open.prepared)
      else if (transaction.open !== undefined) this.#startTimeout(transaction, transaction.open)
    }
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #store(transaction: Transaction): Transaction {
    this.#parts.record({ kind: 'transaction', ...transaction })
    this.#transactions.set(transaction.id, transaction)
    return transaction
  }

  /** A producer that is idempotent and nothing more. */
  newProducer(): ProducerIdentity {
    return { producerId: this.#ids.next(), epoch: 0 }
  }

  /**
   * InitProducerId: gives the transactional id to the caller. A transaction its predecessor left open is aborted, and the epoch
   * rises, so that the predecessor is fenced. `expected` (KIP-360) is the identity of a caller that wants to go on as itself.
   */
  initialise(id: string, timeoutMs: number, expected: ProducerIdentity | undefined): ProducerIdentity {
    if (timeoutMs <= 0 || timeoutMs > MAX_TIMEOUT_MS) {
      throw new ProtocolError(ErrorCode.INVALID_TRANSACTION_TIMEOUT, `${timeoutMs} ms, allowed are 1 to ${MAX_TIMEOUT_MS}`)
    }
    const known = this.#transactions.get(id)
    if (known === undefined) return this.#store({ id, producerId: this.#ids.next(), epoch: 0, timeoutMs })
    if (expected !== undefined && (expected.producerId !== known.producerId || expected.epoch !== known.epoch)) {
      throw new ProtocolError(
        ErrorCode.PRODUCER_FENCED,
        `transactional id ${id} belongs to producer ${known.producerId} epoch ${known.epoch}`,
      )
    }
    if (known.open !== undefined) this.#fence(known, known.open)
    const current = this.#transactions.get(id) ?? known
    const exhausted = current.epoch >= LAST_EPOCH
    const identity = exhausted ? this.newProducer() : { producerId: current.producerId, epoch: current.epoch + 1 }
    return this.#store({ id, timeoutMs, ...identity })
  }

  /** Aborts with the next epoch, so that the markers themselves fence whoever held the transaction. */
  #fence(transaction: Transaction, open: OpenTransaction): void {
    this.#end({ ...transaction, epoch: transaction.epoch + 1 }, open, 'abort')
  }

  #check(id: string, { producerId, epoch }: ProducerIdentity): Transaction {
    const transaction = this.#transactions.get(id)
    if (transaction === undefined || transaction.producerId !== producerId) {
      throw new ProtocolError(
        ErrorCode.INVALID_PRODUCER_ID_MAPPING,
        `transactional id ${id} does not belong to producer ${producerId}`,
      )
    }
    if (transaction.epoch !== epoch) {
      throw new ProtocolError(ErrorCode.PRODUCER_FENCED, `epoch ${epoch} of transactional id ${id} is not ${transaction.epoch}`)
    }
    return transaction
  }

  /** AddPartitionsToTxn: begins the transaction where it is the first one. The partitions must exist. */
  addPartitions(id: string, producer: ProducerIdentity, partitions: readonly PartitionRef[]): void {
    this.#add(id, producer, partitions, [])
  }

  /** AddOffsetsToTxn */
  addGroup(id: string, producer: ProducerIdentity, group: string): void {
    this.#add(id, producer, [], [group])
  }

  #add(id: string, producer: ProducerIdentity, partitions: readonly PartitionRef[], groups: readonly string[]): void {
    const transaction = this.#check(id, producer)
    const open = transaction.open ?? { startedAt: Date.now(), partitions: [], groups: [] }
    const newPartitions = partitions.filter(at => !holds(open, at))
    const newGroups = groups.filter(group => !open.groups.includes(group))
    if (transaction.open !== undefined && newPartitions.length + newGroups.length === 0) return
    const next = { ...open, partitions: [...open.partitions, ...newPartitions], groups: [...open.groups, ...newGroups] }
    this.#store({ ...transaction, open: next })
    if (transaction.open === undefined) this.#startTimeout(transaction, next)
  }

  #startTimeout(transaction: Transaction, open: OpenTransaction): void {
    const left = Math.max(0, open.startedAt + transaction.timeoutMs - Date.now())
    const expire = (): void => {
      const now = this.#transactions.get(transaction.id)
      if (now?.open !== undefined) this.#fence(now, now.open)
    }
    clearTimeout(this.#timers.get(transaction.id))
    this.#timers.set(transaction.id, setTimeout(expire, left))
  }

  /** Throws unless the producer may write to the partition now: its transaction is open and holds it. */
  checkWrite(id: string, producer: ProducerIdentity, at: PartitionRef): void {
    const { open } = this.#check(id, producer)
    if (open === undefined || !holds(open, at)) {
      throw new ProtocolError(
        ErrorCode.INVALID_TXN_STATE,
        `${at.topic}-${at.partition} was not added to the transaction of ${id}`,
      )
    }
  }

  /** Throws unless the producer's open transaction was told of the group (TxnOffsetCommit). */
  checkGroup(id: string, producer: ProducerIdentity, group: string): void {
    const { open } = this.#check(id, producer)
    if (open?.groups.includes(group) !== true) {
      throw new ProtocolError(ErrorCode.INVALID_TXN_STATE, `group ${group} was not added to the transaction of ${id}`)
    }
  }

  /** EndTxn. A repeated request for the outcome that is already complete succeeds. */
  end(id: string, producer: ProducerIdentity, outcome: TransactionOutcome): void {
    const transaction = this.#check(id, producer)
    if (transaction.open === undefined) {
      if (transaction.last === outcome) return
      throw new ProtocolError(ErrorCode.INVALID_TXN_STATE, `no transaction of ${id} is open`)
    }
    this.#end(transaction, transaction.open, outcome)
  }

  #end(transaction: Transaction, open: OpenTransaction, outcome: TransactionOutcome): void {
    clearTimeout(this.#timers.get(transaction.id))
    this.#timers.delete(transaction.id)
    const prepared = { ...open, prepared: outcome }
    this.#finish(this.#store({ ...transaction, open: prepared }), prepared, outcome)
  }

  #finish(transaction: Transaction, open: OpenTransaction, outcome: TransactionOutcome): void {
    const { producerId, epoch: producerEpoch, id, timeoutMs } = transaction
    const marker = { producerId, producerEpoch, commit: outcome === 'commit', timestamp: Date.now() }
    for (const { topic, partition } of open.partitions) this.#parts.topics.partition(topic, partition)?.endTransaction(marker)
    for (const group of open.groups) this.#parts.offsets.endPending(group, producerId, outcome)
    this.#store({ id, producerId, epoch: producerEpoch, timeoutMs, last: outcome })
  }
}

const holds = (open: OpenTransaction, at: PartitionRef): boolean => {
  return open.partitions.some(({ topic, partition }) => topic === at.topic && partition === at.partition)
}
