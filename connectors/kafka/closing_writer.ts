import { asConnectError, ConnectError } from '../../runtime/errors'
import type { TransactionGroup } from '../../runtime/plugin'
import { announcement, closingRecords, parseReached } from '../../runtime/views/closing_record'
import type { Closing, OwnedClosings, Reached } from '../../runtime/views/contracts'
import { NOTHING_REACHED } from '../../runtime/views/plan'
import { kafkaError } from './errors'
import { lastRecord } from './last_record'
import type { Cluster } from './protocol'
import { TransactionalProducer } from './transactional_producer'

export interface TopicWriterOptions {
  readonly cluster: Cluster
  readonly topic: string
  readonly view: string
  readonly transactionalId: string
  /** The membership under which this worker is the one that finalises. */
  readonly group: TransactionGroup
  readonly over: AbortSignal
  readonly requestTimeout: number
}

/** The broker aborts a transaction that is open longer; until then readers wait for it. */
const TRANSACTION_MS = 10_000
const PARCEL_BYTES = 512 * 1024

/**
 * Writes closings to every shard's partition, all or nothing. Opening it ends what a predecessor left and refuses it from then
 * on; a transaction also carries the membership, so that the group's coordinator refuses a worker that has lost it.
 */
export class TopicWriter implements OwnedClosings {
  readonly #o: TopicWriterOptions
  readonly #producer: TransactionalProducer
  readonly #partitions: readonly number[]
  #reached: Reached
  /** Offset after the last record of the first partition. */
  #next: number
  #broken = false

  private constructor(
    options: TopicWriterOptions,
    producer: TransactionalProducer,
    partitions: readonly number[],
    last: { readonly reached: Reached; readonly next: number },
  ) {
    this.#o = options
    this.#producer = producer
    this.#partitions = partitions
    this.#reached = last.reached
    this.#next = last.next
  }

  static async open(options: TopicWriterOptions, signal: AbortSignal): Promise<TopicWriter> {
    const { cluster, topic, view, transactionalId, requestTimeout } = options
    const producer = new TransactionalProducer({ cluster, transactionalId, timeout: TRANSACTION_MS, codec: 'none' })
    try {
      await producer.fence(signal)
      const first = { topic, partition: 0 }
      const { value, next } = await lastRecord({ cluster, partition: first, requestTimeout }, signal)
      const reached = value ? parseReached(view, value, `${topic}/0`) : NOTHING_REACHED
      const partitions = cluster.findTopicPartitionMetadata(topic).map(p => p.partitionId)
      return new TopicWriter(options, producer, partitions, { reached, next })
    } catch (thrown) {
      signal.throwIfAborted()
      throw kafkaError(thrown, `closings of ${view}`, { stage: 'write' })
    }
  }

  get over(): AbortSignal {
    return this.#o.over
  }

  get reached(): Reached {
    return this.#reached
  }

  async append(closings: readonly Closing[]): Promise<void> {
    if (closings.length === 0) return
    const { values, reached } = closingRecords(closings, this.#partitions.length, this.#reached)
    await this.#write(values, reached, this.#partitions)
  }

  async announce(windowEnds: readonly number[]): Promise<void> {
    const reached = { ...this.#reached, revising: windowEnds }
    // where the next finaliser looks
    await this.#write([announcement(reached)], reached, [0])
  }

  async #write(values: readonly Buffer[], reached: Reached, partitions: readonly number[]): Promise<void> {
    const { topic, view, group, over } = this.#o
    if (this.#broken) throw unknown(view, 'an earlier write failed')
    this.#broken = true
    try {
      over.throwIfAborted()
      await this.#producer.enrol(topic, partitions, over)
      for (const parcel of parcels(values)) await this.#send(parcel, partitions, over)
      const next = this.#next + values.length + 1
      await this.#producer.sendOffsets(group, [{ topic, partition: 0, offset: next, metadata: '' }], over)
      await this.#producer.commit(over)
      this.#reached = reached
      this.#next = next
      this.#broken = false
    } catch (thrown) {
      if (over.aborted) throw over.reason
      const error = asConnectError(thrown, { stage: 'write' })
      // whether it happened is looked up by whoever opens the log next, maybe this worker
      throw error.code === 'K006_FENCED' || error.code === 'P005_SESSION_OVER' ? error : unknown(view, error.message, error)
    }
  }

  async #send(values: readonly Buffer[], partitions: readonly number[], signal: AbortSignal): Promise<void> {
    const { topic } = this.#o
    const timestamp = Date.now()
    const records = values.map(value => ({ key: null, value, timestamp, headers: [] }))
    const codes = await Promise.all(partitions.map(partition => this.#producer.send({ topic, partition, records }, signal)))
    const refused = codes.find(code => code !== 0)
    if (refused !== undefined)
      throw new ConnectError('K003_KAFKA_ERROR', `${topic}: the broker refused closings with error ${refused}`)
  }
}

function* parcels(values: readonly Buffer[]): Iterable<readonly Buffer[]> {
  let parcel: Buffer[] = []
  let bytes = 0
  for (const value of values) {
    if (bytes + value.length > PARCEL_BYTES && parcel.length > 0) {
      yield parcel
      parcel = []
      bytes = 0
    }
    parcel.push(value)
    bytes += value.length + 16
  }
  yield parcel
}

const unknown = (view: string, message: string, cause?: unknown): ConnectError =>
  new ConnectError('P007_RESULT_UNKNOWN', `closings of ${view}: ${message}`, { stage: 'write', cause })
