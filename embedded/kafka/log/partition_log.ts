import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { ErrorCode, ProtocolError } from '../errors'
import type { FileHandles } from './file_handles'
import { type AbortedTransaction, Producers } from './producers'
import { type BatchHeader, controlBatch, isCommit, type Marker, place, readHeader } from './record_batch'
import { Segment } from './segment'

/** There is one node and it leads everything for ever. */
export const LEADER_EPOCH = 0

/** `producer.id.expiration.ms` of Apache Kafka. */
const PRODUCER_EXPIRY_MS = 86_400_000

export interface LogSettings {
  readonly segmentBytes: number
  /** -1: for ever. */
  readonly retentionMs: number
  /** -1: unbounded. */
  readonly retentionBytes: number
  readonly deletes: boolean
}

export interface ReadRequest {
  readonly offset: number
  readonly maxBytes: number
  /** Return the first batch whole even if it is longer than `maxBytes`. */
  readonly atLeastOneBatch: boolean
  readonly committedOnly: boolean
}

export interface ReadResult {
  readonly records: Buffer
  readonly aborted: readonly AbortedTransaction[]
}

const NOTHING: ReadResult = { records: Buffer.alloc(0), aborted: [] }

/**
 * The log of one partition: segments of record batches as they came, what is derived from them (index, producers, aborted
 * transactions), and the offsets that bound reading. With one replica the high watermark is the end of the log.
 *
 * Files are read and written synchronously: they are nearly always in the page cache, where a thread-pool hop costs more than
 * the copy, and it keeps each request's effect on the log one step.
 */
export class PartitionLog {
  readonly #folder: string
  readonly #files: FileHandles
  readonly #settings: () => LogSettings
  readonly #segments: Segment[] = []
  readonly #waiting = new Set<() => void>()
  #producers = new Producers()
  #startOffset = 0
  #removed = false

  private constructor(folder: string, files: FileHandles, settings: () => LogSettings) {
    this.#folder = folder
    this.#files = files
    this.#settings = settings
  }

  /** Opens the folder, made if missing, and rebuilds all state from its segments. `startOffset` is what DeleteRecords left. */
  static open(folder: string, files: FileHandles, settings: () => LogSettings, startOffset: number): PartitionLog {
    const log = new PartitionLog(folder, files, settings)
    mkdirSync(folder, { recursive: true })
    const bases = readdirSync(folder)
      .filter(name => /^\d{20}\.log$/.test(name))
      .map(name => Number(name.slice(0, 20)))
      .sort((a, b) => a - b)
    for (const base of bases) {
      const segment = new Segment(folder, base, files)
      segment.recover((header, position) => log.#recovered(segment, header, position))
      log.#segments.push(segment)
    }
    if (bases.length === 0) log.#roll(startOffset)
    log.#startOffset = Math.max(startOffset, log.#segments[0]?.baseOffset ?? 0)
    return log
  }

  #recovered(segment: Segment, header: BatchHeader, position: number): void {
    if (header.producerId < 0) return
    if (header.control) this.#producers.ended(header, isCommit(segment.readAt(position, header.size)))
    else this.#producers.appended(header)
  }

  get startOffset(): number {
    return this.#startOffset
  }

  /** One past the last offset: log end offset and high watermark. */
  get endOffset(): number {
    return this.#active.nextOffset
  }

  /** No open transaction starts before it. */
  get lastStableOffset(): number {
    return this.#producers.firstOpenOffset ?? this.endOffset
  }

  get size(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.size, 0)
  }

  get #active(): Segment {
    const last = this.#segments.at(-1)
    if (last === undefined) throw new Error(`${this.#folder} has no segment`)
    return last
  }

  #roll(baseOffset: number): Segment {
    const segment = new Segment(this.#folder, baseOffset, this.#files)
    segment.create()
    this.#segments.push(segment)
    return segment
  }

  hasOpenTransaction(producerId: number, epoch: number): boolean {
    return this.#producers.hasOpenTransaction(producerId, epoch)
  }

  /**
   * Appends one checked batch, patching its offsets in place, and returns its base offset; for a batch that an idempotent producer
   * already wrote, the offset of the first time. Throws ProtocolError on a wrong epoch or sequence.
   */
  append(batch: Buffer, header: BatchHeader): number {
    const idempotent = header.producerId >= 0
    if (idempotent) {
      const before = this.#producers.duplicateOf(header)
      if (before !== undefined) return before
      this.#producers.check(header)
    }
    const placed = this.#write(batch)
    if (idempotent) this.#producers.appended(placed)
    this.#wake()
    return placed.baseOffset
  }

  /** Ends a transaction in this partition with a commit or abort marker. */
  endTransaction(marker: Marker): void {
    this.#producers.ended(this.#write(controlBatch(marker)), marker.commit)
    this.#wake()
  }

  #write(batch: Buffer): BatchHeader {
    let segment = this.#active
    const offset = segment.nextOffset
    if (segment.size > 0 && segment.size + batch.length > this.#settings().segmentBytes) segment = this.#roll(offset)
    place(batch, offset, LEADER_EPOCH)
    const placed = readHeader(batch)
    segment.append(batch, placed)
    return placed
  }

  /** The end of what a reader may see. */
  readableEnd(committedOnly: boolean): number {
    return committedOnly ? this.lastStableOffset : this.endOffset
  }

  /** One read of consecutive batches, which may end within a batch as Kafka's do. Throws OFFSET_OUT_OF_RANGE. */
  read(request: ReadRequest): ReadResult {
    if (request.offset < this.#startOffset || request.offset > this.endOffset) {
      const told = `offset ${request.offset} is not in [${this.#startOffset}, ${this.endOffset}]`
      throw new ProtocolError(ErrorCode.OFFSET_OUT_OF_RANGE, told)
    }
    const end = this.readableEnd(request.committedOnly)
    if (request.offset >= end) return NOTHING
    const segment = this.#segments.find(candidate => candidate.nextOffset > request.offset)
    const first = segment?.find(request.offset)
    if (segment === undefined || first === undefined || first.header.baseOffset >= end) return NOTHING
    const endPosition = end >= segment.nextOffset ? segment.size : (segment.find(end)?.position ?? segment.size)
    const wanted = request.atLeastOneBatch ? Math.max(request.maxBytes, first.header.size) : request.maxBytes
    const length = Math.min(wanted, endPosition - first.position)
    if (length <= 0) return NOTHING
    const records = segment.readAt(first.position, length)
    if (!request.committedOnly) return { records, aborted: [] }
    const bound = Math.min(end, segment.offsetBound(first.position + length))
    return { records, aborted: this.#producers.abortedIn(request.offset, bound) }
  }

  /** The first batch whose largest timestamp reaches `timestamp`, with its bytes; undefined if there is none. */
  batchAtTime(timestamp: number): { readonly header: BatchHeader; readonly bytes: Buffer } | undefined {
    for (const segment of this.#segments) {
      if (segment.maxTimestamp < timestamp) continue
      for (const { header, position } of segment.batches()) {
        const visible = header.lastOffset >= this.#startOffset && !header.control
        if (visible && header.maxTimestamp >= timestamp) return { header, bytes: segment.readAt(position, header.size) }
      }
    }
    return undefined
  }

  get maxTimestamp(): number {
    return this.#segments.reduce((max, segment) => Math.max(max, segment.maxTimestamp), -1)
  }

  /** Moves the start of the log up to `offset` and removes segments that lie wholly before it. */
  deleteBefore(offset: number): void {
    this.#startOffset = Math.max(this.#startOffset, offset)
    while (this.#segments.length > 1 && (this.#segments[0]?.nextOffset ?? Infinity) <= this.#startOffset)
      this.#segments.shift()?.remove()
    this.#producers.forget(this.#startOffset, Date.now() - PRODUCER_EXPIRY_MS)
  }

  /**
   * Removes whole segments that are too old or too much. An active segment whose newest record has expired is closed first, as in
   * Kafka; open transactions are kept. Returns whether the start of the log moved.
   */
  enforceRetention(now: number): boolean {
    const { retentionMs, retentionBytes, deletes } = this.#settings()
    const before = this.#startOffset
    const expired = (segment: Segment): boolean =>
      retentionMs >= 0 && segment.size > 0 && segment.maxTimestamp < now - retentionMs
    if (deletes) {
      if (expired(this.#active)) this.#roll(this.endOffset)
      let keep = this.#startOffset
      let excess = retentionBytes < 0 ? 0 : this.size - retentionBytes
      for (const segment of this.#segments.slice(0, -1)) {
        const tooMuch = excess > 0 && excess >= segment.size
        if ((!tooMuch && !expired(segment)) || segment.nextOffset > this.lastStableOffset) break
        excess -= segment.size
        keep = segment.nextOffset
      }
      this.deleteBefore(keep)
    }
    return this.#startOffset > before
  }

  /** Calls `wake` once after the next append, marker or removal. Returns how to stop waiting. */
  onceChanged(wake: () => void): () => void {
    this.#waiting.add(wake)
    return () => this.#waiting.delete(wake)
  }

  #wake(): void {
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  get removed(): boolean {
    return this.#removed
  }

  /** Deletes the partition's files; readers that wait are woken and find it gone. */
  remove(): void {
    this.#removed = true
    for (const segment of this.#segments) segment.remove()
    rmSync(this.#folder, { recursive: true, force: true })
    this.#producers = new Producers()
    this.#wake()
  }
}
