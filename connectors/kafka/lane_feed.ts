import { ConnectError } from '../../runtime/errors'
import { partitionKey, type TopicPartition } from '../../runtime/origin'
import type { Chunk } from '../../runtime/plugin'
import { type FetchedSet, readRecordSet } from './record_set'
import { Bell, orAbort } from './waiting'

interface FeedPartition extends TopicPartition {
  readonly key: string
  /** Next offset to fetch; null until the engine says where to begin. */
  next: number | null
  paused: boolean
}

/**
 * What one lane has fetched and the engine has not polled yet. It bounds itself: while `limit` bytes wait, nothing more is fetched
 * for the lane until the engine takes them, and it takes all at once.
 */
export class LaneFeed {
  readonly partitions: readonly TopicPartition[]
  readonly #partitions: ReadonlyMap<string, FeedPartition>
  readonly #limit: number
  readonly #over: AbortSignal
  readonly #arrived = new Bell()
  /** Rings when a partition may be fetched again. */
  readonly #wanted: Bell
  #chunks: Chunk[] = []
  /** Of the chunks that wait. */
  #bytes = 0

  constructor(options: { partitions: readonly TopicPartition[]; limit: number; over: AbortSignal; wanted: Bell }) {
    this.partitions = options.partitions
    this.#limit = options.limit
    this.#over = options.over
    this.#wanted = options.wanted
    this.#partitions = new Map(
      options.partitions.map(p => [partitionKey(p), { ...p, key: partitionKey(p), next: null, paused: false }]),
    )
  }

  begin(next: ReadonlyMap<string, number>): void {
    for (const p of this.#partitions.values()) {
      const offset = next.get(p.key)
      if (offset === undefined || !Number.isSafeInteger(offset) || offset < 0) {
        throw new ConnectError('R001_INTERNAL', `no place to begin was given for ${p.key}`)
      }
      p.next = offset
    }
    this.#wanted.ring()
  }

  /** Next offset to fetch, or null while nothing of this partition is wanted. */
  position(partition: TopicPartition): number | null {
    const p = this.#partitions.get(partitionKey(partition))
    return !p || p.paused || this.#bytes >= this.#limit ? null : p.next
  }

  /** Null, or why the records of this partition cannot be read any further. */
  deliver(fetched: FetchedSet): ConnectError | null {
    const p = this.#partitions.get(partitionKey(fetched))
    // an answer to a question that was asked before the last one was answered (its leader moved meanwhile): it comes again
    if (!p || p.next !== fetched.fetchOffset) return null
    const { chunks, error } = readRecordSet(fetched)
    for (const chunk of chunks) {
      if (chunk.from !== p.next) {
        return new ConnectError('K002_OFFSET_JUMP', `${p.key}: expected offset ${p.next}, got ${chunk.from}`, { stage: 'read' })
      }
      p.next = chunk.next
      this.#bytes += chunk.bytes
      this.#chunks.push(chunk)
    }
    if (chunks.length > 0) this.#arrived.ring()
    // what comes before the unreadable bytes is delivered first; they are met again at the start of the next fetch
    return chunks.length > 0 ? null : error
  }

  async poll(signal: AbortSignal): Promise<readonly Chunk[]> {
    for (;;) {
      if (this.#over.aborted) throw this.#over.reason
      signal.throwIfAborted()
      if (this.#chunks.length > 0) return this.#drain()
      await orAbort(this.#arrived.rung(), this.#over, signal)
    }
  }

  setPaused(partitions: readonly TopicPartition[], paused: boolean): void {
    for (const partition of partitions) {
      const p = this.#partitions.get(partitionKey(partition))
      if (p) p.paused = paused
    }
    if (!paused) this.#wanted.ring()
  }

  /** Gives back what nobody has polled, once the session is over. */
  close(): void {
    for (const { lease } of this.#chunks.splice(0)) lease?.release()
  }

  #drain(): readonly Chunk[] {
    const chunks = this.#chunks
    this.#chunks = []
    this.#bytes = 0
    this.#wanted.ring()
    return chunks
  }
}
