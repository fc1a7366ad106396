import { ConnectError } from '../../runtime/errors'
import { partitionKey, type TopicPartition } from '../../runtime/origin'
import type { Committed, Position } from '../../runtime/plugin'
import { brokerErrorType, kafkaError } from './errors'
import type { Joined } from './membership'
import { API, ask, type Broker, type Cluster } from './protocol'
import { orAbort, pause } from './waiting'

/** Whose offsets, under which membership, and until when. */
export interface BoundGroup {
  readonly cluster: Cluster
  readonly groupId: string
  readonly joined: Joined
  readonly over: AbortSignal
  /** Ends the session. */
  end(reason: ConnectError): void
}

/** Codes of the protocol guide: the session is over, and with it the right to write. */
const SESSION_OVER: ReadonlyMap<number, string> = new Map([
  [22, 'ILLEGAL_GENERATION'],
  [25, 'UNKNOWN_MEMBER_ID'],
  [27, 'REBALANCE_IN_PROGRESS'],
  [82, 'FENCED_INSTANCE_ID'],
])
const SESSION_OVER_NAMES: ReadonlySet<string> = new Set(SESSION_OVER.values())
/** Timed out, coordinator loading, not available, moved. */
const RETRIABLE: ReadonlySet<number> = new Set([7, 13, 14, 15, 16])
/** A broker that has just started does not know its topics yet; a topic that was deleted is never known again. */
const UNKNOWN_TOPIC_OR_PARTITION = 3
const UNKNOWN_TOPIC_TRIES = 20

const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 1_000

/**
 * Offsets of a group, committed and fetched through its coordinator under one membership. A commit that is tried again goes out
 * under the same membership: tried under a newer one it could overwrite the position of the partition's new owner.
 */
export class GroupOffsets {
  readonly #group: BoundGroup
  #coordinator: number | null = null

  constructor(group: BoundGroup) {
    this.#group = group
  }

  /**
   * One OffsetCommit request for all positions. Resolves only if the answer to every partition is positive: one request can be
   * stored in part (an oversized metadata, a deleted topic), and a batch may be written only if all of its ranges are named.
   */
  async commit(positions: readonly Position[], signal: AbortSignal): Promise<void> {
    for (const p of positions) {
      if (!Number.isSafeInteger(p.offset) || p.offset < 0) {
        throw new ConnectError('R001_INTERNAL', `${partitionKey(p)}: ${p.offset} cannot be committed`, { stage: 'commit' })
      }
    }
    const { groupId, joined } = this.#group
    const topics = byTopic(positions, p => ({ partition: p.partition, offset: String(p.offset), metadata: p.metadata }))
    const payload = { groupId, memberId: joined.memberId, groupGenerationId: joined.generation, topics }
    let unknown = 0
    await this.#retrying('commit of positions', signal, async broker => {
      const refused = (await sendCommit(broker, payload)).filter(a => a.errorCode !== 0)
      if (refused.length === 0) return 'done'
      for (const a of refused) {
        const name = SESSION_OVER.get(a.errorCode)
        if (name) throw this.#sessionOver(name)
      }
      const lasting = refused.find(a => !RETRIABLE.has(a.errorCode) && a.errorCode !== UNKNOWN_TOPIC_OR_PARTITION)
      if (lasting) throw commitError(lasting)
      if (refused.some(a => a.errorCode === UNKNOWN_TOPIC_OR_PARTITION) && ++unknown >= UNKNOWN_TOPIC_TRIES)
        throw commitError(refused[0])
      return 'again'
    })
  }

  /** Offset and metadata of all these partitions in one answer. */
  async committed(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<ReadonlyMap<string, Committed>> {
    const found = new Map<string, Committed>()
    if (partitions.length === 0) return found
    const { groupId } = this.#group
    const topics = byTopic(partitions, p => ({ partition: p.partition }))
    await this.#retrying('fetch of positions', signal, async broker => {
      const { responses } = await broker.offsetFetch({ groupId, topics })
      for (const { topic, partitions: list } of responses) {
        for (const { partition, offset, metadata } of list) {
          const number = Number(offset)
          if (number < -1) {
            throw new ConnectError(
              'P001_POSITION_STOP',
              `${topic}/${partition}: the group ${groupId} holds the offset ${offset}`,
              {
                hint: 'a client reset the offset to a symbolic value; set it to a number or delete it',
                stage: 'commit',
              },
            )
          }
          found.set(partitionKey({ topic, partition }), { offset: number, metadata: metadata || null })
        }
      }
      return 'done'
    })
    const missing = partitions.find(p => !found.has(partitionKey(p)))
    if (missing) throw new ConnectError('K003_KAFKA_ERROR', `the coordinator gave no offset for ${partitionKey(missing)}`)
    return found
  }

  async #retrying(what: string, signal: AbortSignal, operation: (broker: Broker) => Promise<'done' | 'again'>): Promise<void> {
    const { over } = this.#group
    for (let attempt = 0; ; attempt++) {
      if (over.aborted) throw over.reason
      signal.throwIfAborted()
      try {
        if ((await orAbort(this.#find().then(operation), over, signal)) === 'done') return
      } catch (thrown) {
        if (over.aborted || signal.aborted || thrown instanceof ConnectError) throw thrown
        const type = brokerErrorType(thrown)
        if (type !== null && SESSION_OVER_NAMES.has(type)) throw this.#sessionOver(type)
        const error = kafkaError(thrown, what, { stage: 'commit' })
        if (!error.retriable) throw error
      }
      this.#coordinator = null
      await pause(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 5)), over, signal)
    }
  }

  /** The coordinator; looked up again only after something went wrong, because the lookup is a request of its own. */
  async #find(): Promise<Broker> {
    const { cluster, groupId } = this.#group
    if (this.#coordinator !== null) return cluster.findBroker({ nodeId: this.#coordinator })
    const broker = await cluster.findGroupCoordinator({ groupId })
    this.#coordinator = broker.nodeId
    return broker
  }

  #sessionOver(why: string): ConnectError {
    const { memberId, generation } = this.#group.joined
    const error = new ConnectError('P005_SESSION_OVER', `${why} for ${memberId} in generation ${generation}`, { stage: 'commit' })
    this.#group.end(error)
    return error
  }
}

interface CommitAnswer extends TopicPartition {
  readonly errorCode: number
}

interface CommitResponse {
  readonly responses: readonly {
    readonly topic: string
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[]
  }[]
}

async function sendCommit(broker: Broker, payload: object): Promise<readonly CommitAnswer[]> {
  const answer = (await ask(broker, API.offsetCommit, 'OffsetCommit', payload)) as CommitResponse
  return answer.responses.flatMap(({ topic, partitions }) => partitions.map(p => ({ topic, ...p })))
}

/** Names of the codes a commit can end with (https://kafka.apache.org/protocol#protocol_error_codes). */
function commitError({ topic, partition, errorCode }: CommitAnswer): ConnectError {
  const where = `${topic}/${partition}`
  const details = { stage: 'commit' } as const
  switch (errorCode) {
    case UNKNOWN_TOPIC_OR_PARTITION:
      return new ConnectError('K005_UNKNOWN_TOPIC', `${where}: the broker does not know it (was the topic deleted?)`, details)
    case 12:
      return new ConnectError(
        'P006_POSITION_TOO_LARGE',
        `${where}: the position is larger than offset.metadata.max.bytes`,
        details,
      )
    case 29:
    case 30:
      return new ConnectError('E007_AUTHORIZATION', `${where}: this user may not commit offsets of the group`, details)
    default:
      return new ConnectError('K003_KAFKA_ERROR', `${where}: the offset commit failed with error ${errorCode}`, details)
  }
}

/** A list of partitions as Kafka's requests want it. */
export function byTopic<P extends TopicPartition, T>(
  list: readonly P[],
  shape: (p: P) => T,
): readonly { readonly topic: string; readonly partitions: readonly T[] }[] {
  const topics = new Map<string, T[]>()
  for (const p of list) {
    const partitions = topics.get(p.topic)
    if (partitions) partitions.push(shape(p))
    else topics.set(p.topic, [shape(p)])
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }))
}
