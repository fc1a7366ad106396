import { type Admin, ConfigResourceTypes, type Kafka } from 'kafkajs'
import { ConnectError } from '../../runtime/errors'
import { kafkaError } from './errors'
import { pause } from './waiting'

/** A topic that a flow writes. What is not given is left to the broker where the topic is made, and not looked at where it exists. */
export interface TopicSpec {
  readonly name: string
  readonly partitions?: number
  readonly replication?: number
  readonly config?: Readonly<Record<string, string>>
  /** Settings of a new topic that whoever runs the cluster may change. */
  readonly initial?: Readonly<Record<string, string>>
}

const TOPIC_ALREADY_EXISTS = 'TOPIC_ALREADY_EXISTS'
const VISIBLE_TRIES = 50

/**
 * Makes the topic or checks it. Throws K007 if it exists with fewer partitions, another replication factor or other values of
 * the given settings. Resolves with the partitions it has and whether it was made now.
 */
export async function ensureTopic(
  kafka: Kafka,
  spec: TopicSpec,
  signal: AbortSignal,
): Promise<{ partitions: number; created: boolean }> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    const exists = (await admin.listTopics()).includes(spec.name)
    const created = exists ? false : await create(admin, spec)
    const partitions = await partitionsOf(admin, spec.name, signal)
    if (!created) await check(admin, spec, partitions)
    return { partitions: partitions.length, created }
  } catch (thrown) {
    signal.throwIfAborted()
    throw kafkaError(thrown, `topic ${spec.name}`, { stage: 'write' })
  } finally {
    await admin.disconnect().catch(() => {})
  }
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

async function check(admin: Admin, spec: TopicSpec, partitions: PartitionList): Promise<void> {
  const wrong: string[] = []
  if (spec.partitions !== undefined && partitions.length < spec.partitions) {
    wrong.push(`it has ${partitions.length} partitions, ${spec.partitions} are asked for`)
  }
  const replication = partitions[0]?.replicas.length ?? 0
  if (spec.replication !== undefined && replication !== spec.replication) {
    wrong.push(`its replication factor is ${replication}, ${spec.replication} is asked for`)
  }
  const names = Object.keys(spec.config ?? {})
  if (names.length > 0) {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: spec.name, configNames: names }],
    })
    const has = new Map(resources[0]?.configEntries.map(e => [e.configName, e.configValue]))
    for (const [name, value] of Object.entries(spec.config ?? {})) {
      if (has.get(name) !== value) wrong.push(`${name} is ${has.get(name) ?? 'unknown'}, ${value} is asked for`)
    }
  }
  if (wrong.length > 0)
    throw new ConnectError('K007_TOPIC_SETTINGS', `topic ${spec.name}: ${wrong.join('; ')}`, { stage: 'write' })
}
