import type { Kafka } from 'kafkajs'
import { ConnectError } from '../../runtime/errors'
import type { Encoder, Format, Sink, SinkContext, SinkLane, SinkLaneInfo } from '../../runtime/plugin'
import type { Schema } from '../../runtime/schema'
import { createClient } from './client'
import { canCompress } from './codecs'
import type { KafkaConnection } from './connection'
import { kafkaError } from './errors'
import { RowEncoder } from './outgoing'
import type { Cluster } from './protocol'
import { Retention } from './retention'
import type { KafkaSinkConfig } from './sink_config'
import { KafkaSinkLane } from './sink_lane'
import { positionsTopic } from './sink_positions'
import { groupOf } from './source'
import { clusterWith, ensureTopic, type TopicSpec } from './topics'
import { orAbort } from './waiting'

/** Writes a topic, one transaction a batch with its position in it. */
export class KafkaSink implements Sink {
  readonly #config: KafkaSinkConfig
  readonly #context: SinkContext<KafkaConnection>
  readonly #topic: TopicSpec
  #kafka: Kafka | null = null
  #cluster: Cluster | null = null
  #formats: Format[] = []
  #encoder: RowEncoder | null = null
  #retention: Retention | null = null

  constructor(config: KafkaSinkConfig, context: SinkContext<KafkaConnection>) {
    if (!canCompress(config.compression)) {
      throw new ConnectError('C005_INVALID_VALUE', `compression: ${config.compression} needs Node 22.15 or later`)
    }
    this.#config = config
    this.#context = context
    this.#topic = topicOf(config)
  }

  async open(schema: Schema, signal: AbortSignal): Promise<void> {
    const kafka = this.#kafka ?? createClient(this.#context)
    this.#kafka = kafka
    this.#retention ??= this.#watchRetention(kafka)
    const partitions = await ensureTopic(kafka, this.#topic, this.#context, signal)
    this.#encoder = await this.#createEncoder(schema, partitions, signal)
    if (this.#cluster) return
    const { name } = this.#topic
    this.#cluster = await clusterWith(
      { kafka, topic: name, connection: this.#context.connection, what: `cannot write ${name}`, stage: 'write' },
      signal,
    )
  }

  async lane(info: SinkLaneInfo, signal: AbortSignal): Promise<SinkLane> {
    const cluster = this.#cluster
    const encoder = this.#encoder
    if (!cluster || !encoder || !this.#kafka) throw new ConnectError('R001_INTERNAL', 'the sink was not opened')
    const { pipeline, flow, lanes } = this.#context
    const clusterName = await this.#clusterName(cluster, signal)
    if (info.group?.cluster !== clusterName) {
      const spec = { name: positionsTopic(pipeline), partitions: lanes, config: COMPACT }
      await ensureTopic(this.#kafka, spec, this.#context, signal)
    }
    return KafkaSinkLane.open(
      {
        cluster,
        clusterName,
        pipeline,
        groupId: groupOf(this.#context),
        transactionalId: `olap-connect.${pipeline}.${flow}.${info.lane}`,
        info,
        encoder,
        codec: this.#config.compression,
        transactionTimeout: this.#config.transaction_timeout,
      },
      signal,
    )
  }

  async close(): Promise<void> {
    const cluster = this.#cluster
    const formats = this.#formats
    this.#cluster = null
    this.#formats = []
    await Promise.all([cluster?.disconnect(), this.#retention?.close(), ...formats.map(f => f.close().catch(() => {}))])
  }

  async #clusterName(cluster: Cluster, signal: AbortSignal): Promise<string> {
    try {
      await orAbort(
        cluster.connect().then(() => cluster.refreshMetadataIfNecessary()),
        signal,
      )
    } catch (thrown) {
      signal.throwIfAborted()
      throw kafkaError(thrown, `cannot write ${this.#topic.name}`, { stage: 'write' })
    }
    return cluster.brokerPool.metadata?.clusterId ?? String(this.#context.connection.brokers)
  }

  #watchRetention(kafka: Kafka): Retention {
    const { pipeline, flow, events, clock } = this.#context
    const { name: topic } = this.#topic
    const expires = (oldest_ms: number, retention_ms: number): void =>
      events.emit('records_expire', { pipeline, flow, topic, oldest_ms, retention_ms })
    return new Retention({ kafka, topic, now: () => clock.now(), expires })
  }

  async #createEncoder(schema: Schema, partitions: number, signal: AbortSignal): Promise<RowEncoder> {
    const { value, key_format, timestamp, headers } = this.#config
    // a schema that says what tells its rows apart (an anomaly's id) is the key, as far as these columns are still there
    const own = schema.key?.every(name => schema.fields.some(f => f.name === name)) ? schema.key : []
    const key = this.#config.key.length > 0 ? this.#config.key : own
    const keySchema = { fields: key.flatMap(name => schema.fields.filter(f => f.name === name)) }
    return new RowEncoder({
      topic: this.#topic.name,
      partitions,
      schema,
      key,
      value: await this.#format(value, 'value', schema, signal),
      keyFormat: key_format === undefined ? null : await this.#format(key_format, 'key', keySchema, signal),
      timestamp: timestamp ?? null,
      headers,
      now: () => Math.floor(this.#context.clock.now()),
      wrote: oldest => this.#retention?.wrote(oldest),
    })
  }

  async #format(spec: KafkaSinkConfig['value'], part: 'key' | 'value', schema: Schema, signal: AbortSignal): Promise<Encoder> {
    // the loader has turned format fields into FormatSpecs
    const { format: name, config } = spec as { readonly format: string; readonly config: unknown }
    const format = this.#context.format({ format: name, config }, part, this.#topic.name)
    this.#formats.push(format)
    if (!format.encoder) throw new ConnectError('C005_INVALID_VALUE', `${part}: ${name} cannot be written, only read`)
    return format.encoder(schema, signal)
  }
}

const COMPACT = { 'cleanup.policy': 'compact' }

function topicOf({ topic }: KafkaSinkConfig): TopicSpec {
  if (typeof topic === 'string') return { name: topic }
  const config = Object.fromEntries(Object.entries(topic.config).map(([name, value]) => [name, String(value)]))
  const { name, partitions, replication, on_difference: onDifference } = topic
  return { name, partitions, replication, config, onDifference }
}

export const topicNameOf = (config: KafkaSinkConfig): string => topicOf(config).name
