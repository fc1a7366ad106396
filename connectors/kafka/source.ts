import type { Kafka } from 'kafkajs'
import { ConnectError } from '../../runtime/errors'
import type { Makers, PluginContext, Session, Source } from '../../runtime/plugin'
import type { Schema } from '../../runtime/schema'
import { createClient, RETRY } from './client'
import { loadCodecs } from './codecs'
import { brokerAddresses, type KafkaConnection } from './connection'
import { Connections } from './connections'
import { kafkaError } from './errors'
import { FetchAnswers } from './fetch_socket'
import { laneAssigner } from './lanes'
import { MemberMemory, Membership } from './membership'
import { judgeMissing } from './missing_topics'
import { type Cluster, clusterOf } from './protocol'
import { fetchRaw, Turn } from './raw_fetch'
import { Reader } from './reader'
import { KafkaSession } from './session'
import type { KafkaSourceConfig } from './source_config'
import { requireTopics } from './topics'
import { Bell, orAbort, pause } from './waiting'

/** kafkajs's defaults (3 s, 5 s) make a rebalance and a leave take seconds. */
const HEARTBEAT_MS = 500
/** So long nothing is said of a topic that is not there: mostly another flow of the same start is making it. */
const TOPIC_QUIET_MS = 3_000
const TOPIC_LOOK_MS = 200

const ISOLATION = { read_uncommitted: 0, read_committed: 1 } as const

/** What reading takes of the config; the rest concerns what records hold. */
export type KafkaReading = Pick<KafkaSourceConfig, 'topics' | 'start' | 'isolation' | 'session_timeout' | 'fetch' | 'group'>

/**
 * Reads topics as a member of the flow's group. A kafkajs consumer keeps the connections and the membership; records reach the
 * session's lanes past it (raw_fetch.ts) and positions go through group_offsets.ts. A consumer that crashed is made again by the
 * next call of `session`.
 */
export class KafkaSource implements Source {
  readonly #config: KafkaReading
  readonly #context: PluginContext<KafkaConnection>
  readonly #groupId: string
  readonly #memory = new MemberMemory()
  readonly #answers = new FetchAnswers()
  readonly #changed = new Bell()
  #kafka: Kafka | null = null
  #reader: Reader | null = null
  /** Readers that were given up and are still at work. */
  readonly #ending = new Set<Promise<void>>()
  #running = false
  #session: KafkaSession | null = null
  /** True until the engine has taken the session. */
  #fresh = false
  #failure: ConnectError | null = null
  #firstTry: number | null = null
  /** Who makes each topic, as it was before the last look for them: what a flow made as its last act is found by the next look. */
  #makers: ReadonlyMap<string, Makers> = new Map()
  #closed = false

  constructor(config: KafkaReading, context: PluginContext<KafkaConnection>) {
    this.#config = config
    this.#context = context
    this.#groupId = config.group ?? groupOf(context)
  }

  async open(signal: AbortSignal): Promise<Schema | null> {
    this.#kafka ??= createClient(this.#context, { answers: this.#answers })
    this.#firstTry ??= this.#context.clock.monotonic()
    await loadCodecs()
    await this.#connect(signal)
    return null
  }

  async session(signal: AbortSignal): Promise<Session> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#closed) throw new ConnectError('R003_ABORTED', 'the source is closed')
      if (this.#failure) {
        const failure = this.#failure
        this.#failure = null
        throw failure
      }
      if (this.#session && this.#fresh && !this.#session.over.aborted) {
        this.#fresh = false
        return this.#session
      }
      const changed = this.#changed.rung()
      await this.#connect(signal)
      if (!this.#running) this.#run()
      await orAbort(changed, signal)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#endSession(new ConnectError('R003_ABORTED', 'the source was closed'))
    this.#changed.ring()
    this.#drop()
    await Promise.all(this.#ending)
  }

  /** Connects a consumer and checks that the topics are there; nothing is read yet. */
  async #connect(signal: AbortSignal): Promise<void> {
    if (this.#reader) return
    if (!this.#kafka) throw new ConnectError('R001_INTERNAL', 'the source was not opened')
    const reader = this.#createReader(this.#kafka)
    this.#reader = reader
    try {
      const connecting = reader.connect(this.#config.topics, cluster => this.#findTopics(cluster, signal))
      await orAbort(connecting, signal)
    } catch (thrown) {
      if (this.#reader === reader) this.#drop()
      signal.throwIfAborted()
      throw this.#connectError(thrown)
    }
  }

  async #findTopics(cluster: Cluster, signal: AbortSignal): Promise<void> {
    const brokers = brokerAddresses(this.#context.connection.brokers).join(',')
    const { clock } = this.#context
    const quiet = (this.#firstTry ?? clock.monotonic()) + TOPIC_QUIET_MS
    for (;;) {
      const { makers } = this.#context
      this.#makers = new Map(this.#config.topics.flatMap(t => (makers ? [[t, makers(t)] as const] : [])))
      try {
        return await requireTopics(cluster, this.#config.topics, brokers)
      } catch (error) {
        const missing = error instanceof ConnectError && error.code === 'K005_UNKNOWN_TOPIC'
        if (!missing || this.#closed || clock.monotonic() >= quiet) throw error
      }
      await pause(TOPIC_LOOK_MS, signal)
    }
  }

  #connectError(thrown: unknown): ConnectError {
    const { topics } = this.#config
    const error = kafkaError(thrown, `cannot read ${topics.join(', ')}`, { stage: 'read' })
    if (error.code !== 'K005_UNKNOWN_TOPIC') return error
    return judgeMissing(error, this.#makers, this.#context.clock.monotonic() - (this.#firstTry ?? 0))
  }

  #createReader(kafka: Kafka): Reader {
    const { topics, fetch, isolation, session_timeout } = this.#config
    let membership: Membership | undefined
    let connections: Connections | undefined
    const assigner = laneAssigner({
      topics,
      lanes: this.#context.lanes,
      owned: () => this.#session?.lanes.map(l => l.lane) ?? [],
    })
    const consumer = kafka.consumer({
      groupId: this.#groupId,
      sessionTimeout: session_timeout,
      rebalanceTimeout: Math.max(session_timeout, 10_000),
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: fetch.max_wait,
      minBytes: 1,
      maxBytes: fetch.max_bytes,
      maxBytesPerPartition: fetch.max_bytes_per_partition,
      readUncommitted: ISOLATION[isolation] === 0,
      allowAutoTopicCreation: false,
      metadataMaxAge: this.#context.connection.metadata_max_age,
      retry: RETRY,
      partitionAssigners: [
        context => {
          const cluster = clusterOf(context)
          connections = new Connections(cluster)
          membership = this.#takeOver(cluster, connections)
          return assigner(context)
        },
      ],
    })
    if (!membership || !connections) throw new ConnectError('R001_INTERNAL', 'kafkajs did not call the partition assigner')
    const reader = new Reader(consumer, membership, connections)
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.#joined(reader, payload.memberAssignment))
    consumer.on(consumer.events.REBALANCING, () => this.#endSession(rebalanced('the group is being rebalanced')))
    consumer.on(consumer.events.CRASH, ({ payload }) => this.#crashed(reader, payload.error))
    return reader
  }

  #takeOver(cluster: Cluster, connections: Connections): Membership {
    const options = {
      requestTimeout: this.#context.connection.request_timeout,
      turn: new Turn(),
      answers: this.#answers,
      refreshMetadata: () => cluster.refreshMetadata(),
    }
    return new Membership(cluster, this.#memory, {
      joining: () => {
        connections.check()
        // one that was given up may still be at its first join
        if (this.#reader?.membership.cluster === cluster) this.#endSession(rebalanced('this member joins the group again'))
      },
      leaving: () => connections.check(),
      fetch: async (broker, request) => {
        // A consumer that was closed while it joined for the first time starts to fetch all the same, and kafkajs would then ask
        // again at once for ever, without letting the process do anything else. Only an error ends it.
        if (this.#reader?.membership.cluster !== cluster) throw new ConnectError('R003_ABORTED', 'the source was closed')
        const session = this.#session
        if (session) await fetchRaw(broker, request, options, session)
        else await this.#changed.within(request.maxWaitTime)
        return { responses: [] }
      },
    })
  }

  /** Starts the consumer; what comes of it arrives as an event. */
  #run(): void {
    const reader = this.#reader
    if (!reader) return
    this.#running = true
    // nothing arrives as a failure of a fetch because every fetch says that it brought nothing
    reader.run().catch(error => this.#crashed(reader, error))
  }

  #joined(reader: Reader, assignment: Readonly<Record<string, readonly number[]>>): void {
    const { joined, cluster } = reader.membership
    if (reader !== this.#reader || !joined || this.#closed) return
    this.#endSession(rebalanced('the group was rebalanced'))
    this.#session = new KafkaSession({
      cluster,
      groupId: this.#groupId,
      joined,
      assignment,
      topics: this.#config.topics,
      lanes: this.#context.lanes,
      limit: this.#config.fetch.max_bytes_per_partition,
      start: this.#config.start,
      clusterName: cluster.brokerPool.metadata?.clusterId ?? String(this.#context.connection.brokers),
    })
    this.#fresh = true
    this.#session.over.addEventListener('abort', () => this.#sessionEnded(), { once: true })
    this.#changed.ring()
  }

  /** A session that failed for good stops the flow even if the engine looks for the next one first. */
  #sessionEnded(): void {
    if (this.#session?.failure) this.#failure = this.#session.failure
    this.#changed.ring()
  }

  #crashed(reader: Reader, thrown: unknown): void {
    if (reader !== this.#reader || this.#closed) return
    const error = kafkaError(thrown, `group ${this.#groupId}`, { stage: 'read' })
    this.#failure ??=
      error.code === 'P005_SESSION_OVER' ? new ConnectError('K004_KAFKA_BUSY', error.message, { cause: thrown }) : error
    this.#endSession(error.retriable ? rebalanced(error.message) : error)
    this.#drop()
    this.#changed.ring()
  }

  #endSession(reason: ConnectError): void {
    this.#session?.end(reason)
  }

  /** Gives the reader up; `close` waits for its end. */
  #drop(): void {
    const reader = this.#reader
    this.#reader = null
    this.#running = false
    if (!reader) return
    const ending = reader.end().finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
  }
}

const rebalanced = (message: string): ConnectError => new ConnectError('P005_SESSION_OVER', message, { stage: 'read' })

/** Group of a flow, where `group:` does not name another. */
export const groupOf = ({ pipeline, flow }: { readonly pipeline: string; readonly flow: string }): string =>
  `olap-connect.${pipeline}.${flow}`
