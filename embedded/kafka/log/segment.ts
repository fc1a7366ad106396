import { fstatSync, ftruncateSync, readSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'
import type { FileHandles } from './file_handles'
import { OffsetIndex } from './offset_index'
import { type BatchHeader, crcMatches, HEADER_BYTES, LOG_OVERHEAD, MAGIC, readHeader } from './record_batch'

/** Read ahead while walking headers on start; while looking up one offset, an index interval and a header are enough. */
const WALK_BYTES = 65_536
const LOOKUP_BYTES = 4096 + HEADER_BYTES

/** One append-only file of record batches, named after its first offset as in Kafka. */
export class Segment {
  readonly path: string
  readonly baseOffset: number
  readonly #files: FileHandles
  readonly #index: OffsetIndex
  #size = 0
  #nextOffset: number
  #maxTimestamp = -1

  constructor(folder: string, baseOffset: number, files: FileHandles) {
    this.path = path.join(folder, `${String(baseOffset).padStart(20, '0')}.log`)
    this.baseOffset = baseOffset
    this.#nextOffset = baseOffset
    this.#files = files
    this.#index = new OffsetIndex(baseOffset)
  }

  get size(): number {
    return this.#size
  }

  /** One past the last offset in the segment. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  get maxTimestamp(): number {
    return this.#maxTimestamp
  }

  /** Creates or empties the file: a new segment may meet the remains of one that was never recorded. */
  create(): void {
    ftruncateSync(this.#files.get(this.path), 0)
  }

  /**
   * Walks all headers of an existing file to rebuild the index, and cuts off a torn end: a batch that is longer than the file, or
   * a last one whose CRC is wrong. A process that is killed can tear only its last write; earlier batches are trusted.
   */
  recover(visit: (header: BatchHeader, position: number) => void): { readonly cut: number } {
    const fd = this.#files.get(this.path)
    const fileSize = fstatSync(fd).size
    let last: { header: BatchHeader; position: number } | undefined
    let good = 0
    for (const entry of this.#headers(0, fileSize, WALK_BYTES)) {
      const { header, position } = entry
      if (header.magic !== MAGIC || header.size < HEADER_BYTES || position + header.size > fileSize) break
      if (header.baseOffset < (last === undefined ? this.baseOffset : last.header.lastOffset + 1)) break
      if (last !== undefined) this.#recovered(last.header, last.position, visit)
      last = entry
      good = position + header.size
    }
    if (last !== undefined) {
      if (crcMatches(this.readAt(last.position, last.header.size))) this.#recovered(last.header, last.position, visit)
      else good = last.position
    }
    this.#size = good
    if (good < fileSize) ftruncateSync(fd, good)
    return { cut: fileSize - good }
  }

  #recovered(header: BatchHeader, position: number, visit: (header: BatchHeader, position: number) => void): void {
    this.#note(header, position)
    visit(header, position)
  }

  #note(header: BatchHeader, position: number): void {
    this.#index.add(header.baseOffset, position)
    this.#nextOffset = header.lastOffset + 1
    this.#maxTimestamp = Math.max(this.#maxTimestamp, header.maxTimestamp)
  }

  /** Appends one placed batch by a single write. If the write fails half-way the size is unchanged, so the next append overwrites it. */
  append(batch: Buffer, header: BatchHeader): void {
    const fd = this.#files.get(this.path)
    let written = 0
    while (written < batch.length) written += writeSync(fd, batch, written, batch.length - written, this.#size + written)
    this.#note(header, this.#size)
    this.#size += batch.length
  }

  readAt(position: number, length: number): Buffer {
    const buffer = Buffer.allocUnsafe(length)
    const fd = this.#files.get(this.path)
    let filled = 0
    while (filled < length) {
      const bytes = readSync(fd, buffer, filled, length - filled, position + filled)
      if (bytes === 0) throw new Error(`${this.path} ends at ${position + filled}, expected ${position + length}`)
      filled += bytes
    }
    return buffer
  }

  /** The batch that holds `offset`, or the first one after it; undefined at the end. */
  find(offset: number): { readonly header: BatchHeader; readonly position: number } | undefined {
    if (offset >= this.#nextOffset) return undefined
    for (const entry of this.#headers(this.#index.floor(offset), this.#size, LOOKUP_BYTES))
      if (entry.header.lastOffset >= offset) return entry
    return undefined
  }

  /** All batches in order, read in large steps. */
  batches(): IterableIterator<{ header: BatchHeader; position: number }> {
    return this.#headers(0, this.#size, WALK_BYTES)
  }

  /** A bound for the offsets below `position`: exact to one index interval. */
  offsetBound(position: number): number {
    return this.#index.offsetAtOrAfter(position) ?? this.#nextOffset
  }

  *#headers(from: number, end: number, step: number): IterableIterator<{ header: BatchHeader; position: number }> {
    let chunk: Buffer = Buffer.alloc(0)
    let chunkAt = from
    let position = from
    while (position + HEADER_BYTES <= end) {
      if (position + HEADER_BYTES > chunkAt + chunk.length) {
        chunk = this.readAt(position, Math.min(step, end - position))
        chunkAt = position
      }
      const header = readHeader(chunk, position - chunkAt)
      yield { header, position }
      if (header.size < LOG_OVERHEAD) return
      position += header.size
    }
  }

  remove(): void {
    this.#files.close(this.path)
    rmSync(this.path, { force: true })
  }
}
