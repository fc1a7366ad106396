import { crc32c } from '@node-rs/crc32'
import type { RecordBlock } from '../../runtime/batch'
import { ConnectError } from '../../runtime/errors'
import type { Lease } from '../../runtime/memory'
import type { Chunk } from '../../runtime/plugin'
import { BlockBuilder } from './block_builder'
import { decompress } from './codecs'
import type { Frame } from './frame_pool'

/**
 * A record set (what one partition of a Fetch response holds: record batches of format 2 one after another, the last maybe cut)
 * as chunks. Layout: https://kafka.apache.org/documentation/#recordbatch
 *
 *     0 baseOffset i64 | 8 batchLength i32 | 12 leaderEpoch i32 | 16 magic i8 | 17 crc u32 | 21 attributes i16 |
 *     23 lastOffsetDelta i32 | 27 firstTimestamp i64 | 35 maxTimestamp i64 | 43 producerId i64 | 51 producerEpoch i16 |
 *     53 baseSequence i32 | 57 records i32 | 61 ...
 *
 * The checksum covers everything from the attributes on.
 */

export interface FetchedSet {
  readonly topic: string
  readonly partition: number
  readonly records: Buffer
  /** First offset wanted: a fetch returns whole batches, so the first may begin before it. */
  readonly fetchOffset: number
  /** Offset after the last one the partition holds. */
  readonly highWatermark: number
  /** Transactions that were aborted in this stretch, as the broker lists them for read_committed; empty for read_uncommitted. */
  readonly aborted: readonly AbortedTransaction[]
  /** What `records` lies in; the blocks over it hold it. */
  readonly frame?: Frame | null
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

export interface ReadSet {
  /** Without gaps from `fetchOffset`. */
  readonly chunks: readonly Chunk[]
  /** Set where the bytes are such that the next batch cannot be found. Then `chunks` ends before it. */
  readonly error: ConnectError | null
}

const HEADER = 61
const LENGTH_END = 12
const COMPRESSION = 7
const LOG_APPEND_TIME = 8
const TRANSACTIONAL = 16
const CONTROL = 32
/** A record takes at least seven bytes: its length, attributes, two deltas, key length, value length and header count. */
const LEAST_RECORD = 7
/** As much of a damaged batch as a dead letter carries. */
export const DAMAGED_BYTES = 1024 * 1024

/** int64 as a double; offsets and times are far below 2^53. */
const int64 = (b: Buffer, p: number): number => b.readInt32BE(p) * 4294967296 + b.readUInt32BE(p + 4)

export function readRecordSet(fetched: FetchedSet): ReadSet {
  const reader = new SetReader(fetched)
  return { error: reader.read(), chunks: reader.chunks }
}

interface BatchHeader {
  readonly start: number
  readonly end: number
  readonly base: number
  readonly last: number
  readonly attributes: number
  readonly count: number
}

class SetReader {
  readonly chunks: Chunk[] = []
  readonly #f: FetchedSet
  readonly #set: Buffer
  readonly #transactions: OpenAborts
  /** Offset after the last one that stands in a chunk or in the run. */
  #next: number
  /** Uncompressed batches become one block over the fetched buffer, however many they are; control and aborted ones are holes in it. */
  #run: BlockBuilder | null = null
  #runFrom: number
  #runBytes = 0

  constructor(fetched: FetchedSet) {
    this.#f = fetched
    this.#set = fetched.records
    this.#next = fetched.fetchOffset
    this.#runFrom = fetched.fetchOffset
    this.#transactions = new OpenAborts(fetched.aborted)
  }

  read(): ConnectError | null {
    const set = this.#set
    let p = 0
    let error: ConnectError | null = null
    while (p + HEADER <= set.length) {
      const length = set.readInt32BE(p + 8)
      const magic = set[p + 16]
      error = this.#unreadable(length, magic)
      if (error) break
      const end = p + LENGTH_END + length
      if (end > set.length) break // cut by the size limit: it comes whole with a later fetch
      error = this.#batch(p, end)
      if (error) break
      p = end
    }
    this.#flush()
    return error
  }

  #unreadable(length: number, magic: number): ConnectError | null {
    const where = `${this.#f.topic}/${this.#f.partition}, after offset ${this.#next - 1}`
    if (magic < 2) {
      return new ConnectError(
        'K003_KAFKA_ERROR',
        `${where}: record format ${magic}; only format 2 (Kafka 0.11 and later) is read`,
        {
          hint: 'let the broker rewrite the topic (log.message.format.version 0.11 or later), or copy it into a new one',
        },
      )
    }
    if (magic > 2 || length < HEADER - LENGTH_END) {
      return new ConnectError('D010_CORRUPT_BATCH', `${where}: this is no record batch (format ${magic}, ${length} bytes)`)
    }
    return null
  }

  #batch(p: number, end: number): ConnectError | null {
    const set = this.#set
    const base = int64(set, p)
    if (crc32c(set.subarray(p + 21, end)) !== set.readUInt32BE(p + 17)) return this.#wrongChecksum(p, end, base)
    const header: BatchHeader = {
      start: p,
      end,
      base,
      last: base + set.readInt32BE(p + 23),
      attributes: set.readInt16BE(p + 21),
      count: set.readInt32BE(p + 57),
    }
    const dropped = this.#transactions.drops(set, header)
    if (header.last < this.#next) return null
    if (dropped || header.count <= 0) {
      this.#next = header.last + 1
      return null
    }
    if ((header.attributes & COMPRESSION) === 0) this.#append(header)
    else this.#compressed(header)
    return null
  }

  #append(header: BatchHeader): void {
    const size = header.end - header.start
    if (!this.#run) {
      const batchesLike = (this.#set.length - header.start) / size
      this.#run = new BlockBuilder(this.#set, Math.ceil(header.count * Math.min(batchesLike, 1_000)), this.#f.frame?.memory)
    }
    const rows = this.#run.count
    try {
      this.#parse(this.#run, header, header.start + HEADER, header.end)
      this.#runBytes += size
      this.#next = header.last + 1
    } catch (error) {
      this.#run.count = rows
      this.#damaged(header.start, header.end, header.last + 1, error)
    }
  }

  #compressed(header: BatchHeader): void {
    try {
      const bytes = decompress(header.attributes & COMPRESSION, this.#set.subarray(header.start + HEADER, header.end))
      const block = new BlockBuilder(bytes, Math.min(header.count, Math.ceil(bytes.length / LEAST_RECORD)))
      this.#parse(block, header, 0, bytes.length)
      this.#flush()
      this.#next = header.last + 1
      this.#emit(this.#runFrom, this.#next, block.finish(this.#f), bytes.length)
    } catch (error) {
      this.#damaged(header.start, header.end, header.last + 1, error)
    }
  }

  #parse(builder: BlockBuilder, header: BatchHeader, start: number, end: number): void {
    if (header.count > (end - start) / LEAST_RECORD) throw new Error(`${header.count} records do not fit ${end - start} bytes`)
    const appendTime = header.attributes & LOG_APPEND_TIME ? int64(this.#set, header.start + 35) : null
    builder.append({
      start,
      end,
      count: header.count,
      baseOffset: header.base,
      firstTimestamp: int64(this.#set, header.start + 27),
      appendTime,
      from: this.#next,
    })
  }

  /**
   * A batch with a wrong checksum covers exactly its own offsets. Its last offset is inside what the checksum covers, so it is
   * believed only where it fits between its neighbours.
   */
  #wrongChecksum(p: number, end: number, base: number): ConnectError | null {
    const following = end + 8 <= this.#set.length ? int64(this.#set, end) : null
    const limit = following ?? this.#f.highWatermark
    const claimed = base + this.#set.readInt32BE(p + 23) + 1
    const next = claimed > this.#next && claimed <= limit ? claimed : following
    if (next === null || next <= this.#next) {
      return new ConnectError(
        'D010_CORRUPT_BATCH',
        `${this.#f.topic}/${this.#f.partition}: the batch at offset ${base} is damaged and where it ends cannot be told`,
      )
    }
    this.#damaged(p, end, next, new Error('the checksum (CRC-32C) is wrong'))
    return null
  }

  #damaged(start: number, end: number, next: number, cause: unknown): void {
    this.#flush()
    const { topic, partition } = this.#f
    const from = this.#next
    const reason = cause instanceof Error ? cause.message : String(cause)
    const known = cause instanceof ConnectError ? cause : null
    const error = new ConnectError(
      known?.code ?? 'D010_CORRUPT_BATCH',
      `${topic}/${partition}, offsets ${from} to ${next - 1}: ${reason}`,
      { stage: 'read', cause, hint: known?.hint },
    )
    // a copy: the letter must not keep the whole fetch in memory
    const value = Buffer.from(this.#set.subarray(start, Math.min(end, start + DAMAGED_BYTES)))
    const raw = { topic, partition, offset: from, timestamp: -1, key: null, value, headers: [] }
    this.chunks.push({ topic, partition, from, next, block: null, bytes: value.length, damaged: { error, raw } })
    this.#next = next
    this.#runFrom = next
  }

  #flush(): void {
    const block = this.#run && this.#run.count > 0 ? this.#run.finish(this.#f) : null
    if (this.#next > this.#runFrom) this.#emit(this.#runFrom, this.#next, block, this.#runBytes, block && this.#f.frame)
    this.#run = null
    this.#runBytes = 0
  }

  #emit(from: number, next: number, block: RecordBlock | null, bytes: number, lease: Lease | null = null): void {
    const { topic, partition } = this.#f
    lease?.retain()
    this.chunks.push({ topic, partition, from, next, block: block && { kind: 'records', ...block }, bytes, lease })
    this.#runFrom = next
  }
}

/** Which transactional batches belong to aborted transactions (KIP-98: by producer, from the first offset to its marker). */
class OpenAborts {
  readonly #waiting: AbortedTransaction[]
  readonly #open = new Set<bigint>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  }

  /** True for control batches (never data) and for data of aborted transactions. */
  drops(set: Buffer, header: BatchHeader): boolean {
    while (this.#waiting.length > 0 && this.#waiting[0].firstOffset <= header.last) {
      const started = this.#waiting.shift()
      if (started) this.#open.add(started.producerId)
    }
    if (header.attributes & CONTROL) {
      if (this.#open.size > 0) this.#open.delete(set.readBigInt64BE(header.start + 43))
      return true
    }
    return (
      this.#open.size > 0 && (header.attributes & TRANSACTIONAL) !== 0 && this.#open.has(set.readBigInt64BE(header.start + 43))
    )
  }
}
