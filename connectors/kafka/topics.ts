import { type Admin, ConfigResourceTypes, type Kafka } from 'kafkajs'
import { ConnectError } from '../../runtime/errors'
import type { PluginContext } from '../../runtime/plugin'
import type { StageName } from '../../runtime/stage_name'
import type { KafkaConnection } from './connection'
import { ownCluster } from './connections'
import { kafkaError } from './errors'
import { API, ask, type Cluster } from './protocol'
import { alterSettings, differenceHint, type OtherSetting } from './topic_settings'
import { orAbort, pause } from './waiting'

/** A topic that a flow writes. What is not given is left to the broker where the topic is made, and not looked at where it exists. */
export interface TopicSpec {
  readonly name: string
  readonly partitions?: number
  readonly replication?: number
  readonly config?: Readonly<Record<string, string>>
  /** Settings of a new topic that whoever runs the cluster may change. */
  readonly initial?: Readonly<Record<string, string>>
  /** What is done about other values of `config` in a topic that exists. Absent: `stop`, and the file cannot say otherwise. */
  readonly onDifference?: 'stop' | 'alter'
}

type Told = Pick<PluginContext<KafkaConnection>, 'pipeline' | 'flow' | 'events' | 'connection'>

const TOPIC_ALREADY_EXISTS = 'TOPIC_ALREADY_EXISTS'
const VISIBLE_TRIES = 50

/**
 * Makes the topic, which is told, or checks it. Throws K007 if it exists with fewer partitions, another replication factor or other
 * values of the given settings; these are changed instead where the spec says so. Resolves with the number of its partitions.
 */
export async function ensureTopic(kafka: Kafka, spec: TopicSpec, told: Told, signal: AbortSignal): Promise<number> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    const exists = (await admin.listTopics()).includes(spec.name)
    const created = exists ? false : await create(admin, spec)
    const partitions = await partitionsOf(admin, spec.name, signal)
    const { pipeline, flow, events } = told
    if (created) events.emit('topic_created', { pipeline, flow, topic: spec.name, partitions: partitions.length })
    else {
      const others = await check(admin, spec, partitions, told.connection.brokers)
      if (others.length > 0) await alterSettings(kafka, spec.name, others, signal)
      for (const { name: setting, has: from, asked: to } of others)
        events.emit('topic_altered', { pipeline, flow, topic: spec.name, setting, from, to })
    }
    return partitions.length
  } catch (thrown) {
    signal.throwIfAborted()
    throw kafkaError(thrown, `topic ${spec.name}`, { stage: 'write' })
  } finally {
    await admin.disconnect().catch(() => {})
  }
}

export interface ClusterOptions {
  readonly kafka: Kafka
  readonly topic: string
  readonly connection: KafkaConnection
  /** With what the message of an error begins. */
  readonly what: string
  readonly stage: StageName
}

/**
 * A connected cluster of one's own that knows a topic. Nothing is left open where it throws.
 */
export async function clusterWith(
  { kafka, topic, connection, what, stage }: ClusterOptions,
  signal: AbortSignal,
): Promise<Cluster> {
  const cluster = ownCluster(kafka, { metadataMaxAge: connection.metadata_max_age })
  try {
    await orAbort(
      cluster.connect().then(() => cluster.addMultipleTargetTopics([topic])),
      signal,
    )
    return cluster
  } catch (thrown) {
    await cluster.disconnect()
    signal.throwIfAborted()
    throw kafkaError(thrown, what, { stage })
  }
}

interface TopicAnswer {
  readonly topicErrorCode: number
  readonly topic: string
}

/** Numbers of the protocol guide. */
const UNKNOWN_TOPIC_OR_PARTITION = 3
const TOPIC_AUTHORIZATION_FAILED = 29

/** K005 with the names of the topics that are not there. */
export class UnknownTopics extends ConnectError {
  constructor(
    readonly topics: readonly string[],
    brokers: string,
  ) {
    super('K005_UNKNOWN_TOPIC', `there is no ${named(topics)} on ${brokers}`, { stage: 'read' })
  }
}

const named = (topics: readonly string[]): string =>
  `${topics.length === 1 ? 'topic' : 'topics'} ${topics.map(t => `"${t}"`).join(', ')}`

/**
 * Throws K005 with the names of the topics that are not there, E007 with those that this user may not see. kafkajs itself says that
 * one of them is unknown, and not which.
 */
export async function requireTopics(cluster: Cluster, topics: readonly string[], brokers: string): Promise<void> {
  const broker = await cluster.brokerPool.findConnectedBroker()
  const answer = await ask(broker, API.metadata, 'Metadata', { topics, allowAutoTopicCreation: false })
  const { topicMetadata } = answer as { readonly topicMetadata: readonly TopicAnswer[] }
  const refusedWith = (code: number): readonly string[] =>
    topicMetadata
      .filter(t => t.topicErrorCode === code)
      .map(t => t.topic)
      .sort()
  const missing = refusedWith(UNKNOWN_TOPIC_OR_PARTITION)
  if (missing.length > 0) throw new UnknownTopics(missing, brokers)
  const hidden = refusedWith(TOPIC_AUTHORIZATION_FAILED)
  if (hidden.length > 0)
    throw new ConnectError('E007_AUTHORIZATION', `this user may not read the ${named(hidden)} on ${brokers}`, { stage: 'read' })
}

async function create(admin: Admin, spec: TopicSpec): Promise<boolean> {
  const configEntries = Object.entries({ ...spec.initial, ...spec.config }).map(([name, value]) => ({ name, value }))
  try {
    return await admin.createTopics({
      waitForLeaders: false,
      topics: [
        { topic: spec.name, numPartitions: spec.partitions ?? -1, replicationFactor: spec.replication ?? -1, configEntries },
      ],
    })
  } catch (thrown) {
    const errors: unknown = typeof thrown === 'object' && thrown !== null && 'errors' in thrown ? thrown.errors : [thrown]
    const types = Array.isArray(errors) ? errors.map(e => (e as { type?: unknown }).type) : []
    // another worker was faster; it is checked like any topic that was there
    if (types.includes(TOPIC_ALREADY_EXISTS)) return false
    throw thrown
  }
}

type PartitionList = readonly { readonly partitionId: number; readonly replicas: readonly number[]; readonly leader: number }[]

/** Partitions once each has a leader; a topic made a moment ago may take a while to be known everywhere. */
async function partitionsOf(admin: Admin, topic: string, signal: AbortSignal): Promise<PartitionList> {
  for (let tries = 0; ; tries++) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      const partitions = topics.find(t => t.name === topic)?.partitions ?? []
      if (partitions.length > 0 && partitions.every(p => p.leader >= 0)) return partitions
    } catch (thrown) {
      const error = kafkaError(thrown, `topic ${topic}`)
      if (tries >= VISIBLE_TRIES || !(error.retriable || error.code === 'K005_UNKNOWN_TOPIC')) throw thrown
    }
    if (tries >= VISIBLE_TRIES) throw new ConnectError('K004_KAFKA_BUSY', `topic ${topic} has partitions without a leader`)
    await pause(100, signal)
  }
}

/** The settings to be changed. Throws K007 for what differs and is not to be changed. */
async function check(
  admin: Admin,
  spec: TopicSpec,
  partitions: PartitionList,
  brokers: KafkaConnection['brokers'],
): Promise<readonly OtherSetting[]> {
  const { name: topic, replication, onDifference } = spec
  const wrong: string[] = []
  const more = spec.partitions !== undefined && partitions.length < spec.partitions ? spec.partitions : null
  if (more !== null) wrong.push(`it has ${partitions.length} partitions, ${more} are asked for`)
  const replicas = partitions[0]?.replicas.length ?? 0
  if (replication !== undefined && replicas !== replication)
    wrong.push(`its replication factor is ${replicas}, ${replication} is asked for`)
  const others = await otherSettings(admin, spec)
  const settings = onDifference === 'alter' ? [] : others
  wrong.push(...settings.map(s => `${s.name} is ${s.has}, ${s.asked} is asked for`))
  if (wrong.length === 0) return others
  const hint = differenceHint({ topic, brokers, settings, partitions: more, canAlter: onDifference !== undefined })
  throw new ConnectError('K007_TOPIC_SETTINGS', `topic ${topic}: ${wrong.join('; ')}`, { stage: 'write', hint })
}

async function otherSettings(admin: Admin, { name: topic, config = {} }: TopicSpec): Promise<readonly OtherSetting[]> {
  const configNames = Object.keys(config)
  if (configNames.length === 0) return []
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames }],
  })
  const has = new Map(resources[0]?.configEntries.map(e => [e.configName, e.configValue]))
  return Object.entries(config)
    .filter(([name, value]) => has.get(name) !== value)
    .map(([name, asked]) => ({ name, has: has.get(name) ?? 'unknown', asked }))
}
