import { ConfigResourceTypes, type Kafka } from 'kafkajs'
import { ConnectError } from '../../runtime/errors'
import type { DeadLetter, DeadLetterWriter, PluginContext } from '../../runtime/plugin'
import { createClient } from './client'
import type { KafkaConnection } from './connection'
import { kafkaError } from './errors'
import { partitionOf } from './murmur2'
import { sendProduce } from './produce'
import type { Cluster } from './protocol'
import { encodeRecordBatch, type OutgoingRecord, recordSize } from './record_batch'
import { clusterWith, ensureTopic } from './topics'
import { orAbort, pause } from './waiting'

/** Headers of Kafka Connect's dead letter queue (org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter). */
const HEADER = '__connect.errors.'
/** Original size of a value or key that was cut because no broker of the topic would take it whole. */
export const TRUNCATED = `${HEADER}truncated`
const TRUNCATED_KEY = `${HEADER}truncated.key`

const WAIT_MS = 200
const PARCEL_BYTES = 512 * 1024
/** Default of max.message.bytes. */
const USUAL_LIMIT = 1_048_588
/** Of a record batch beside its records. */
const BATCH_BYTES = 128
const TOO_LARGE: ReadonlySet<number> = new Set([10, 18])
const RETRIABLE: ReadonlySet<number> = new Set([3, 5, 6, 7, 9, 13, 19, 20, 56])

/** Writes rejected records to a topic, at least once: what was acknowledged is durable, a failure may have written some. */
export class KafkaDeadLetters implements DeadLetterWriter {
  readonly #topic: string
  readonly #context: PluginContext<KafkaConnection>
  #kafka: Kafka | null = null
  #cluster: Cluster | null = null
  #partitions = 1
  /** Largest batch the topic takes, bytes. */
  #limit = USUAL_LIMIT

  constructor(topic: string, context: PluginContext<KafkaConnection>) {
    this.#topic = topic
    this.#context = context
  }

  async open(signal: AbortSignal): Promise<void> {
    if (this.#cluster) return
    this.#kafka ??= createClient(this.#context)
    this.#partitions = await ensureTopic(this.#kafka, { name: this.#topic }, this.#context, signal)
    this.#limit = await largestMessage(this.#kafka, this.#topic)
    this.#cluster = await clusterWith(
      {
        kafka: this.#kafka,
        topic: this.#topic,
        connection: this.#context.connection,
        what: `dead letters to ${this.#topic}`,
        stage: 'dead_letter',
      },
      signal,
    )
  }

  async write(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    const byPartition = new Map<number, OutgoingRecord[]>()
    for (const letter of letters) {
      const { key, partition: source } = letter.record
      const partition = key === null ? source % this.#partitions : partitionOf(key, this.#partitions)
      const record = fitted(recordOf(letter), this.#limit)
      const list = byPartition.get(partition)
      if (list) list.push(record)
      else byPartition.set(partition, [record])
    }
    for (const [partition, records] of byPartition) {
      for (const parcel of parcelsOf(records)) await this.#send(partition, parcel, signal)
    }
  }

  async close(): Promise<void> {
    const cluster = this.#cluster
    this.#cluster = null
    if (cluster) await cluster.disconnect()
  }

  async #send(partition: number, records: readonly OutgoingRecord[], signal: AbortSignal): Promise<void> {
    const code = await this.#produce(partition, records, signal)
    if (code === 0) return
    if (!TOO_LARGE.has(code)) {
      throw new ConnectError('P003_DEAD_LETTER_FAILED', `topic ${this.#topic} refused a dead letter with error ${code}`, {
        stage: 'dead_letter',
      })
    }
    if (records.length > 1) {
      const half = records.length >> 1
      await this.#send(partition, records.slice(0, half), signal)
      await this.#send(partition, records.slice(half), signal)
      return
    }
    // the topic takes less than it said; each round at least halves the record, down to its headers
    const size = recordSize(records[0])
    const smaller = fitted(records[0], size >> 1)
    if (recordSize(smaller) >= size) {
      throw new ConnectError('P003_DEAD_LETTER_FAILED', `topic ${this.#topic} takes no record of ${size} bytes`, {
        stage: 'dead_letter',
      })
    }
    await this.#send(partition, [smaller], signal)
  }

  async #produce(partition: number, records: readonly OutgoingRecord[], signal: AbortSignal): Promise<number> {
    const options = { codec: 'none', producerId: -1n, epoch: -1, sequence: -1, transactional: false } as const
    const set = encodeRecordBatch(records, options)
    const timeout = this.#context.connection.request_timeout
    const deadline = performance.now() + timeout
    for (;;) {
      signal.throwIfAborted()
      const cluster = this.#cluster
      if (!cluster) throw new ConnectError('R001_INTERNAL', 'the dead letters were not opened')
      try {
        const leader = cluster.findTopicPartitionMetadata(this.#topic).find(p => p.partitionId === partition)?.leader ?? -1
        const send = cluster
          .findBroker({ nodeId: leader })
          .then(broker => sendProduce(broker, { transactionalId: null, timeout, topic: this.#topic, partition, set }))
        const { errorCode } = await orAbort(send, signal)
        if (!RETRIABLE.has(errorCode)) return errorCode
        if (performance.now() > deadline)
          throw new ConnectError('K004_KAFKA_BUSY', `dead letters to ${this.#topic}: error ${errorCode}`)
      } catch (thrown) {
        signal.throwIfAborted()
        const error = kafkaError(thrown, `dead letters to ${this.#topic}`, { stage: 'dead_letter' })
        if (!error.retriable || performance.now() > deadline) throw error
      }
      await pause(WAIT_MS, signal)
      await orAbort(
        cluster.connect().then(() => cluster.refreshMetadata()),
        signal,
      ).catch(() => {})
    }
  }
}

/** Size up to which the topic takes a batch; Kafka's default where the user may not ask. */
async function largestMessage(kafka: Kafka, topic: string): Promise<number> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['max.message.bytes'] }],
    })
    const value = Number(resources[0]?.configEntries.find(e => e.configName === 'max.message.bytes')?.configValue)
    return value > 0 ? value : USUAL_LIMIT
  } catch {
    return USUAL_LIMIT
  } finally {
    await admin.disconnect().catch(() => {})
  }
}

export function recordOf({ id, pipeline, flow, stage, error, record }: DeadLetter): OutgoingRecord {
  const text = (name: string, value: string | number): readonly [string, Buffer] => [HEADER + name, Buffer.from(String(value))]
  return {
    key: record.key,
    value: record.value,
    // Of now, also where the record has a time: by the time of old data, retention would delete its dead letters at once.
    timestamp: Date.now(),
    headers: [
      ...record.headers,
      ...(record.timestamp >= 0 ? [text('timestamp', record.timestamp)] : []),
      text('topic', record.topic),
      text('partition', record.partition),
      text('offset', record.offset),
      text('connector.name', `${pipeline}.${flow}`),
      text('task.id', 0),
      text('stage', stage.toUpperCase()),
      text('exception.class.name', error.code),
      text('exception.message', error.message),
      ['id', Buffer.from(id)],
    ],
  }
}

/** The record as it is, or with its value (then its key) cut so that a batch of it alone has at most `limit` bytes. */
export function fitted(record: OutgoingRecord, limit: number): OutgoingRecord {
  const excess = recordSize(record) + BATCH_BYTES - limit
  if (excess <= 0) return record
  const headers = [...record.headers]
  const note = (name: string, size: number): number => {
    if (headers.some(([n]) => n === name)) return 0
    const value = Buffer.from(String(size))
    headers.push([name, value])
    return 10 + name.length + value.length
  }
  let over = excess
  let { key, value } = record
  if (value !== null && value.length > 0) {
    over += note(TRUNCATED, value.length)
    const kept = Math.max(0, value.length - over)
    over -= value.length - kept
    value = value.subarray(0, kept)
  }
  if (over > 0 && key !== null && key.length > 0) {
    over += note(TRUNCATED_KEY, key.length)
    key = key.subarray(0, Math.max(0, key.length - over))
  }
  return { ...record, key, value, headers }
}

function parcelsOf(records: readonly OutgoingRecord[]): readonly (readonly OutgoingRecord[])[] {
  const parcels: OutgoingRecord[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const record of records) {
    const size = recordSize(record)
    if (bytes + size > PARCEL_BYTES) {
      parcels.push([])
      bytes = 0
    }
    parcels[parcels.length - 1].push(record)
    bytes += size
  }
  return parcels
}
