import type { Kafka } from 'kafkajs'
import { ConnectError } from '../../runtime/errors'
import type { ClosingsOptions, LaneReader, PluginContext, Session, Source } from '../../runtime/plugin'
import type { OwnedClosings, SharedClosings } from '../../runtime/views/contracts'
import { createClient } from './client'
import { TopicWriter } from './closing_writer'
import { loadCodecs } from './codecs'
import type { KafkaConnection } from './connection'
import type { Cluster } from './protocol'
import { type KafkaReading, KafkaSource } from './source'
import { clusterWith, ensureTopic } from './topics'
import { orAbort } from './waiting'

/**
 * The closings of a view in a topic of the pipeline, a partition for each shard. Who finalises is decided by a consumer group of
 * its own: its single lane belongs to one worker, which fences whoever wrote before it.
 *
 * A topic for each view, not one for the pipeline: who reads a view is sent the closings of that view alone, an offset is a place
 * in that view's history, and each view has its own number of shards.
 */
export class KafkaClosings implements SharedClosings {
  readonly #options: ClosingsOptions
  readonly #context: PluginContext<KafkaConnection>
  readonly #topic: string
  readonly #name: string
  #kafka: Kafka | null = null
  #cluster: Cluster | null = null
  #control: Source | null = null
  #session: Session | null = null

  constructor(options: ClosingsOptions, context: PluginContext<KafkaConnection>) {
    this.#options = options
    this.#context = context
    this.#topic = closingsTopic(context.pipeline, options.view)
    this.#name = `olap-connect.${context.pipeline}.closings.${options.view}`
  }

  async open(signal: AbortSignal): Promise<void> {
    if (this.#cluster) return
    const { view, shards } = this.#options
    await loadCodecs()
    this.#kafka ??= createClient(this.#context)
    const spec = { name: this.#topic, partitions: shards, initial: KEPT }
    await ensureTopic(this.#kafka, spec, { ...this.#context, flow: view }, signal)
    const cluster = await clusterWith(
      {
        kafka: this.#kafka,
        topic: this.#topic,
        connection: this.#context.connection,
        what: `closings of ${view}`,
        stage: 'write',
      },
      signal,
    )
    // a second open may have been faster
    if (this.#cluster) await cluster.disconnect()
    else this.#cluster = cluster
  }

  source(context: PluginContext): Source {
    const { connection, connectionName } = this.#context
    return new KafkaSource(this.#reading(undefined), { ...context, connection, connectionName })
  }

  async own(signal: AbortSignal): Promise<OwnedClosings> {
    await this.open(signal)
    for (;;) {
      const session = await this.#member(signal)
      const [lane] = session.lanes
      try {
        if (lane) return await this.#take(lane, session, signal)
        await orAbort(new Promise<never>(() => {}), session.over, signal)
      } catch (error) {
        signal.throwIfAborted()
        if (!session.over.aborted) throw error
      }
    }
  }

  async release(): Promise<void> {
    const control = this.#control
    this.#control = null
    this.#session = null
    await control?.close()
  }

  async close(): Promise<void> {
    await this.release()
    const cluster = this.#cluster
    this.#cluster = null
    if (cluster) await cluster.disconnect()
  }

  /** The membership that decides who finalises. */
  async #member(signal: AbortSignal): Promise<Session> {
    if (this.#session && !this.#session.over.aborted) return this.#session
    if (!this.#control) {
      const control = new KafkaSource(this.#reading(this.#name), { ...this.#context, flow: this.#options.view, lanes: 1 })
      this.#control = control
      await control.open(signal)
    }
    this.#session = await this.#control.session(signal)
    return this.#session
  }

  async #take(lane: LaneReader, { over }: Session, signal: AbortSignal): Promise<OwnedClosings> {
    const cluster = this.#cluster
    const { group } = lane
    if (!cluster || !group) throw new ConnectError('R001_INTERNAL', 'the closings are not open')
    const ends = await lane.ends(signal)
    // a worker that has lost its membership and does not know yet is told here, before it would fence the one that has it
    const [first] = lane.partitions
    await lane.commit([{ ...first, offset: ends.get(`${first.topic}|${first.partition}`) ?? 0, metadata: '' }], signal)
    return TopicWriter.open(
      {
        cluster,
        topic: this.#topic,
        view: this.#options.view,
        transactionalId: this.#name,
        group,
        over,
        requestTimeout: this.#context.connection.request_timeout,
      },
      signal,
    )
  }

  #reading(group: string | undefined): KafkaReading {
    const { sessionTimeout } = this.#options
    return {
      topics: [this.#topic],
      start: 'earliest',
      isolation: 'read_committed',
      session_timeout: sessionTimeout,
      fetch: FETCH,
      group,
    }
  }
}

/** A closing takes some hundred bytes, and the position of a flow that was away for long must still be in the topic. */
const KEPT = { 'retention.ms': '-1', 'retention.bytes': '-1' }

const FETCH = { max_bytes_per_partition: 1_048_576, max_bytes: 8_388_608, max_wait: 200 }

/** Neither a pipeline's name nor a view's has a dot in it. */
export const closingsTopic = (pipeline: string, view: string): string => `__olap_connect.${pipeline}.closings.${view}`
