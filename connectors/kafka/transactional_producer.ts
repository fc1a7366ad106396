import { ConnectError } from '../../runtime/errors'
import type { Position } from '../../runtime/plugin'
import type { CodecName } from './codecs'
import { brokerErrorType, kafkaError } from './errors'
import { byTopic } from './group_offsets'
import { type ProduceAnswer, sendProduce } from './produce'
import type { Broker, Cluster } from './protocol'
import { encodeRecordBatch, type OutgoingRecord } from './record_batch'
import { sendTxnOffsetCommit } from './txn_offset_commit'
import { orAbort, pause } from './waiting'

export interface ProducerOptions {
  readonly cluster: Cluster
  readonly transactionalId: string
  /** The broker aborts a transaction that is open longer than this, ms. */
  readonly timeout: number
  readonly codec: CodecName
}

/** Records of one partition that one request may carry; refused as a whole or written as a whole. */
export interface Parcel {
  readonly topic: string
  readonly partition: number
  readonly records: readonly OutgoingRecord[]
}

export interface OffsetsGroup {
  readonly id: string
  readonly memberId: string
  readonly generation: number
}

const FIRST_WAIT_MS = 20
const LONGEST_WAIT_MS = 1_000
const GROUP = 0
const TRANSACTION = 1

/** The coordinator loads, moved, or still writes the markers of the transaction before. */
const TRY_AGAIN: ReadonlySet<string> = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'CONCURRENT_TRANSACTIONS',
  'REQUEST_TIMED_OUT',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'NETWORK_EXCEPTION',
])
const FENCED: ReadonlySet<string> = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'])

/** Codes of an answer to Produce or TxnOffsetCommit (protocol guide). */
const RETRIABLE_CODES: ReadonlySet<number> = new Set([3, 5, 6, 7, 9, 13, 14, 15, 16, 19, 20, 51, 56])
const FENCED_CODES: ReadonlySet<number> = new Set([47, 90])
const SESSION_OVER_CODES: ReadonlySet<number> = new Set([22, 25, 27, 82])
const DUPLICATE_SEQUENCE_NUMBER = 46
const OFFSET_METADATA_TOO_LARGE = 12

/**
 * One transactional producer: `fence` once, then transactions, each `send`..., `sendOffsets`, `commit`. After any thrown error it
 * must be thrown away, because what the broker did is not known; the next one with the same id fences it and finds out.
 *
 * Its own instead of kafkajs's, whose sequence numbers, retries and states after an error cannot be told from outside (a failed
 * commit leaves it where neither abort nor a new transaction is allowed), and whose encoder costs ten times as much.
 */
export class TransactionalProducer {
  readonly #o: ProducerOptions
  #id: { readonly producerId: bigint; readonly epoch: number } | null = null
  #coordinator: number | null = null
  readonly #sequences = new Map<string, number>()
  readonly #enrolled = new Set<string>()
  #withOffsets = false
  /** The last request, also one that nobody waits for any more. Never rejects. */
  #inFlight: Promise<unknown> = Promise.resolve()

  constructor(options: ProducerOptions) {
    this.#o = options
  }

  /** InitProducerId: ends the predecessor's transaction and refuses it from now on. Only then may a position be read. */
  async fence(signal: AbortSignal): Promise<void> {
    const { transactionalId, timeout } = this.#o
    const answer = await this.#coordinated('fencing', signal, broker =>
      broker.initProducerId({ transactionalId, transactionTimeout: timeout }),
    )
    this.#id = { producerId: BigInt(answer.producerId), epoch: answer.producerEpoch }
  }

  /**
   * Writes a parcel within the transaction. Returns 0, or the broker's error code if it refused the records themselves (too
   * large, invalid): then nothing of the parcel was written and it may be sent again in smaller ones.
   */
  async send(parcel: Parcel, signal: AbortSignal): Promise<number> {
    const { topic, partition, records } = parcel
    const key = `${topic}|${partition}`
    await this.enrol(topic, [partition], signal)
    const sequence = this.#sequences.get(key) ?? 0
    const set = encodeRecordBatch(records, { codec: this.#o.codec, ...this.#identity(), sequence, transactional: true })
    const { errorCode } = await this.#produce(topic, partition, set, signal)
    if (errorCode !== 0 && errorCode !== DUPLICATE_SEQUENCE_NUMBER) return errorCode
    // sequences are int32 and begin again at 0
    this.#sequences.set(key, (sequence + records.length) % 2 ** 31)
    return 0
  }

  /** Stores positions in the transaction, under the group's generation where the broker can check it. */
  async sendOffsets(group: OffsetsGroup, positions: readonly Position[], signal: AbortSignal): Promise<void> {
    const { transactionalId } = this.#o
    const { producerId, epoch } = this.#identity()
    if (!this.#withOffsets) {
      await this.#coordinated('positions', signal, broker =>
        broker.addOffsetsToTxn({ transactionalId, producerId: String(producerId), producerEpoch: epoch, groupId: group.id }),
      )
      this.#withOffsets = true
    }
    await this.#retrying('positions', signal, async () => {
      const broker = await this.#o.cluster.findGroupCoordinator({ groupId: group.id, coordinatorType: GROUP })
      if ((broker.versions?.[28]?.maxVersion ?? 0) < 3) {
        const topics = byTopic(positions, p => ({ partition: p.partition, offset: String(p.offset), metadata: p.metadata }))
        await broker.txnOffsetCommit({
          transactionalId,
          producerId: String(producerId),
          producerEpoch: epoch,
          groupId: group.id,
          topics,
        })
        return
      }
      const code = await sendTxnOffsetCommit(broker, { transactionalId, producerId, epoch, group, positions })
      if (code === 0) return
      if (SESSION_OVER_CODES.has(code))
        throw new ConnectError('P005_SESSION_OVER', `the group refused the position (error ${code})`)
      if (FENCED_CODES.has(code)) throw fenced(transactionalId)
      if (code === OFFSET_METADATA_TOO_LARGE)
        throw new ConnectError('P006_POSITION_TOO_LARGE', 'the position is larger than offset.metadata.max.bytes')
      if (!RETRIABLE_CODES.has(code)) throw new ConnectError('K003_KAFKA_ERROR', `positions: error ${code}`)
      throw new ConnectError('K004_KAFKA_BUSY', `positions: error ${code}`)
    })
  }

  async commit(signal: AbortSignal): Promise<void> {
    await this.#end(true, signal)
  }

  /** After the last request was answered: records that arrived behind the abort would hang in a transaction that nobody ends. */
  async abort(signal: AbortSignal): Promise<void> {
    await orAbort(this.#inFlight, signal)
    await this.#end(false, signal)
  }

  async #end(transactionResult: boolean, signal: AbortSignal): Promise<void> {
    if (this.#enrolled.size > 0 || this.#withOffsets) {
      const { transactionalId } = this.#o
      const { producerId, epoch } = this.#identity()
      await this.#coordinated(transactionResult ? 'commit' : 'abort', signal, broker =>
        broker.endTxn({ transactionalId, producerId: String(producerId), producerEpoch: epoch, transactionResult }),
      )
    }
    this.#enrolled.clear()
    this.#withOffsets = false
  }

  /** Takes partitions into the transaction with one request; `send` does it for its own where that is still to be done. */
  async enrol(topic: string, partitions: readonly number[], signal: AbortSignal): Promise<void> {
    const missing = partitions.filter(p => !this.#enrolled.has(`${topic}|${p}`))
    if (missing.length === 0) return
    const { transactionalId } = this.#o
    const { producerId, epoch } = this.#identity()
    const topics = [{ topic, partitions: missing }]
    await this.#coordinated('transaction', signal, broker =>
      broker.addPartitionsToTxn({ transactionalId, producerId: String(producerId), producerEpoch: epoch, topics }),
    )
    for (const p of missing) this.#enrolled.add(`${topic}|${p}`)
  }

  async #produce(topic: string, partition: number, set: Buffer, signal: AbortSignal): Promise<ProduceAnswer> {
    const { cluster, transactionalId, timeout } = this.#o
    return this.#retrying(`write to ${topic}`, signal, async () => {
      const leader = cluster.findTopicPartitionMetadata(topic).find(p => p.partitionId === partition)?.leader ?? -1
      const broker = await cluster.findBroker({ nodeId: leader })
      const answer = await sendProduce(broker, { transactionalId, timeout, topic, partition, set })
      if (FENCED_CODES.has(answer.errorCode)) throw fenced(transactionalId)
      if (!RETRIABLE_CODES.has(answer.errorCode)) return answer
      await cluster.refreshMetadata()
      throw new ConnectError('K004_KAFKA_BUSY', `${topic}/${partition}: error ${answer.errorCode}`)
    })
  }

  /** A request to the coordinator of the transaction; looked up again after an error. */
  #coordinated<T>(what: string, signal: AbortSignal, request: (broker: Broker) => Promise<T>): Promise<T> {
    const { cluster, transactionalId } = this.#o
    return this.#retrying(what, signal, async () => {
      try {
        const broker =
          this.#coordinator === null
            ? await cluster.findGroupCoordinator({ groupId: transactionalId, coordinatorType: TRANSACTION })
            : await cluster.findBroker({ nodeId: this.#coordinator })
        this.#coordinator = broker.nodeId
        return await request(broker)
      } catch (error) {
        this.#coordinator = null
        throw error
      }
    })
  }

  /**
   * Tries again what the broker may have done already: all requests of a transaction are idempotent within one epoch (records by
   * their sequence numbers). Not longer than the transaction itself may take.
   */
  async #retrying<T>(what: string, signal: AbortSignal, request: () => Promise<T>): Promise<T> {
    const { transactionalId, timeout } = this.#o
    const deadline = performance.now() + timeout
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted()
      try {
        const running = request()
        this.#inFlight = running.catch(() => {})
        return await orAbort(running, signal)
      } catch (thrown) {
        signal.throwIfAborted()
        const type = brokerErrorType(thrown)
        if (type !== null && FENCED.has(type)) throw fenced(transactionalId)
        const error = kafkaError(thrown, `${what} of ${transactionalId}`, { stage: 'write' })
        const again = error.retriable || (type !== null && TRY_AGAIN.has(type))
        if (!again || error.code === 'P005_SESSION_OVER' || performance.now() > deadline) throw error
      }
      await pause(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 6)), signal)
    }
  }

  #identity(): { readonly producerId: bigint; readonly epoch: number } {
    if (!this.#id) throw new ConnectError('R001_INTERNAL', 'a transaction without a fence')
    return this.#id
  }
}

const fenced = (transactionalId: string): ConnectError =>
  new ConnectError('K006_FENCED', `${transactionalId}: another producer took over`, { stage: 'write' })
