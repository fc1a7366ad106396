import type { ConnectError } from '../../runtime/errors'
import { partitionKey, type TopicPartition } from '../../runtime/origin'
import type { Chunk, Committed, LaneReader, PartitionSurvey, Position, Session, TransactionGroup } from '../../runtime/plugin'
import { expectListeners } from '../../runtime/retry'
import { GroupOffsets } from './group_offsets'
import { LaneFeed } from './lane_feed'
import { lanesOf } from './lanes'
import { listOffsets } from './list_offsets'
import type { Joined } from './membership'
import type { Cluster } from './protocol'
import type { FetchTarget } from './raw_fetch'
import type { FetchedSet } from './record_set'
import { Bell } from './waiting'

export interface SessionOptions {
  readonly cluster: Cluster
  readonly groupId: string
  readonly joined: Joined
  readonly assignment: Readonly<Record<string, readonly number[]>>
  /** Topics of the flow. */
  readonly topics: readonly string[]
  readonly lanes: number
  /** Bytes a lane may have waiting. */
  readonly limit: number
  readonly start: 'earliest' | 'latest'
  readonly clusterName: string
}

/** One generation of the group as the engine sees it, and the target of what is fetched during it. */
export class KafkaSession implements Session, FetchTarget {
  readonly id: string
  readonly lanes: readonly LaneReader[]
  readonly whole: boolean
  readonly #over = new AbortController()
  readonly #feeds: readonly LaneFeed[]
  readonly #feedOf: ReadonlyMap<string, LaneFeed>
  readonly #wanted = new Bell()
  readonly #options: SessionOptions
  readonly #offsets: GroupOffsets
  #failure: ConnectError | null = null

  constructor(options: SessionOptions) {
    const { cluster, groupId, joined } = options
    this.id = `${joined.memberId} generation ${joined.generation}`
    const group = { id: groupId, memberId: joined.memberId, generation: joined.generation, cluster: options.clusterName }
    const end = (reason: ConnectError): void => this.end(reason)
    const offsets = new GroupOffsets({ cluster, groupId, joined, over: this.over, end })
    this.#options = options
    this.#offsets = offsets
    const owned = [...lanesOf(options.assignment, options.lanes)]
    this.#feeds = owned.map(
      ([, partitions]) => new LaneFeed({ partitions, limit: options.limit, over: this.over, wanted: this.#wanted }),
    )
    expectListeners(owned.length, this.over)
    this.whole = options.topics.every(
      topic => (options.assignment[topic] ?? []).length === cluster.findTopicPartitionMetadata(topic).length,
    )
    this.#feedOf = new Map(this.#feeds.flatMap(feed => feed.partitions.map(p => [partitionKey(p), feed] as const)))
    this.lanes = owned.map(
      ([lane], i) =>
        new KafkaLane({ lane, feed: this.#feeds[i], offsets, cluster, start: options.start, over: this.over, group }),
    )
  }

  get over(): AbortSignal {
    return this.#over.signal
  }

  get partitions(): number {
    return this.#feedOf.size
  }

  /** Why this session failed for good; null while it has not or where only the group moved on. */
  get failure(): ConnectError | null {
    return this.#failure
  }

  async survey(signal: AbortSignal): Promise<readonly PartitionSurvey[]> {
    const { cluster, topics, start } = this.#options
    const partitions = topics.flatMap(topic =>
      cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ topic, partition: partitionId })),
    )
    const committed = await this.#offsets.committed(partitions, signal)
    const at = (p: TopicPartition): Committed => committed.get(partitionKey(p)) ?? { offset: -1, metadata: null }
    const over = this.over
    const fresh = partitions.filter(p => at(p).offset < 0)
    const starts = fresh.length > 0 ? await listOffsets({ cluster, over, partitions: fresh, which: start }, signal) : new Map()
    const ends = await listOffsets({ cluster, over, partitions, which: 'end' }, signal)
    return partitions.map(p => {
      const key = partitionKey(p)
      const { offset } = at(p)
      return { ...p, committed: at(p), next: offset < 0 ? (starts.get(key) ?? 0) : offset, end: ends.get(key) ?? 0 }
    })
  }

  end(reason: ConnectError): void {
    if (this.over.aborted) return
    this.#over.abort(reason)
    this.#wanted.ring()
    for (const feed of this.#feeds) feed.close()
  }

  // what raw_fetch.ts asks

  position(partition: TopicPartition): number | null {
    return this.over.aborted ? null : (this.#feedOf.get(partitionKey(partition))?.position(partition) ?? null)
  }

  deliver(fetched: FetchedSet): void {
    if (this.over.aborted) return
    const error = this.#feedOf.get(partitionKey(fetched))?.deliver(fetched)
    if (error) this.fail(error)
  }

  fail(error: ConnectError): void {
    if (this.over.aborted) return
    this.#failure = error
    this.end(error)
  }

  idle(ms: number): Promise<void> {
    return this.#wanted.within(ms)
  }
}

interface LaneOptions {
  readonly lane: number
  readonly feed: LaneFeed
  readonly offsets: GroupOffsets
  readonly cluster: Cluster
  readonly start: 'earliest' | 'latest'
  readonly over: AbortSignal
  readonly group: TransactionGroup
}

class KafkaLane implements LaneReader {
  readonly lane: number
  readonly partitions: readonly TopicPartition[]
  readonly group: TransactionGroup
  readonly #o: LaneOptions

  constructor(options: LaneOptions) {
    this.#o = options
    this.lane = options.lane
    this.partitions = options.feed.partitions
    this.group = options.group
  }

  committed(signal: AbortSignal): Promise<ReadonlyMap<string, Committed>> {
    return this.#o.offsets.committed(this.partitions, signal)
  }

  commit(positions: readonly Position[], signal: AbortSignal): Promise<void> {
    return this.#o.offsets.commit(positions, signal)
  }

  startOffsets(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const { cluster, over, start } = this.#o
    return listOffsets({ cluster, over, partitions, which: start }, signal)
  }

  ends(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const { cluster, over } = this.#o
    return listOffsets({ cluster, over, partitions: this.partitions, which: 'end' }, signal)
  }

  begin(next: ReadonlyMap<string, number>): void {
    this.#o.feed.begin(next)
  }

  poll(signal: AbortSignal): Promise<readonly Chunk[]> {
    return this.#o.feed.poll(signal)
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#o.feed.setPaused(partitions, true)
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#o.feed.setPaused(partitions, false)
  }
}
