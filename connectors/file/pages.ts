import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import { ConnectError } from '../../runtime/errors'

/** Bytes of files, cut into records. Nothing here knows what a record means, only where it ends. */

/** Some whole records of one file. Index = record; all arrays have at least `count` entries. */
export interface Page {
  readonly buffer: Buffer
  readonly count: number
  readonly start: Int32Array
  /** Without the end of the line. */
  readonly end: Int32Array
  /** Number of the line (from 1) in which the record begins. */
  readonly line: Float64Array
  /** 1: longer than `maxRecord`; what stands in the page is its beginning. */
  readonly tooLong: Uint8Array
}

/** A stretch of a file's bytes. Compressed files are always read as a whole. */
export interface Segment {
  readonly path: string
  readonly from: number
  /** Exclusive. */
  readonly to: number
}

export const isCompressed = (file: string): boolean => /\.gz$/i.test(file)

/** The bytes of a segment in blocks. Files are opened for each block, so that a merge of thousands holds no descriptors. */
export async function* blocksOf(segment: Segment, blockSize: number): AsyncGenerator<Buffer> {
  if (isCompressed(segment.path)) return yield* unzipped(segment.path)
  for (let at = segment.from; at < segment.to; ) {
    const block = Buffer.allocUnsafeSlow(Math.min(blockSize, segment.to - at))
    const file = await open(segment.path, 'r')
    try {
      let filled = 0
      while (filled < block.length) {
        const { bytesRead } = await file.read(block, filled, block.length - filled, at + filled)
        if (bytesRead === 0) throw new ConnectError('P001_POSITION_STOP', `${segment.path} became shorter while it was read`)
        filled += bytesRead
      }
    } finally {
      await file.close()
    }
    at += block.length
    yield block
  }
}

async function* unzipped(file: string): AsyncGenerator<Buffer> {
  const raw = createReadStream(file)
  const plain = createGunzip()
  raw.on('error', error => plain.destroy(error))
  try {
    for await (const block of raw.pipe(plain)) yield block as Buffer
  } catch (cause) {
    throw new ConnectError('D001_MALFORMED', `${file}: ${(cause as Error).message}`, {
      cause,
      hint: 'the compressed file is damaged or not complete',
    })
  } finally {
    raw.destroy()
    plain.destroy()
  }
}

/** Finds the end of records. `newlines` counts those inside the record that was found last. */
export interface RecordEnd {
  newlines: number
  /** Index of the \n that ends the record beginning at `from`, or -1 if the buffer ends before. */
  find(buffer: Buffer, from: number): number
}

/** Every line is a record. */
export const lineEnd = (): RecordEnd => ({ newlines: 0, find: (buffer, from) => buffer.indexOf(NEWLINE, from) })

const NEWLINE = 10
const RETURN = 13

export interface PageOptions {
  readonly end: RecordEnd
  readonly maxRecord: number
  /** Line number of the first line. */
  readonly firstLine: number
}

/** Records of the blocks; blank lines are none. A record that the end of the input cuts off is delivered as it is. */
export async function* pagesOf(blocks: AsyncIterable<Buffer>, options: PageOptions): AsyncGenerator<Page> {
  let carry: Buffer = Buffer.alloc(0)
  let begin: number | null = null
  const cutter = new Cutter(options)
  for await (const block of blocks) {
    const buffer: Buffer = carry.length > 0 ? Buffer.concat([carry, block]) : block
    carry = buffer
    if (begin === null && buffer.length < BYTE_ORDER_MARK.length) continue
    const { page, rest } = cutter.cut(buffer, begin ?? markLength(buffer), false)
    begin = 0
    if (page.count > 0) yield page
    carry = buffer.subarray(rest)
  }
  const { page } = cutter.cut(carry, begin ?? markLength(carry), true)
  if (page.count > 0) yield page
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])
const markLength = (buffer: Buffer): number =>
  buffer.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0

class Cutter {
  readonly #options: PageOptions
  #line: number
  /** In what is left of a record that was too long: goes on to the next line. */
  #skipping = false

  constructor(options: PageOptions) {
    this.#options = options
    this.#line = options.firstLine
  }

  cut(buffer: Buffer, begin: number, final: boolean): { readonly page: Page; readonly rest: number } {
    const records = new RecordList()
    let at = begin
    while (at < buffer.length) {
      if (this.#skipping) {
        const newline = buffer.indexOf(NEWLINE, at)
        at = newline < 0 ? buffer.length : newline + 1
        if (newline < 0) break
        this.#skipping = false
        this.#line += 1
        continue
      }
      const { end, maxRecord } = this.#options
      const found = end.find(buffer, at)
      const stop = found < 0 ? buffer.length : found
      if (stop - at > maxRecord) {
        // cut where the limit stands and not where a block ended, so that every reading cuts the same
        records.add(at, at + maxRecord, this.#line, true)
        this.#line += countNewlines(buffer, at, at + maxRecord)
        at += maxRecord
        this.#skipping = true
        continue
      }
      if (found < 0 && !final) break
      const trimmed = stop > at && buffer[stop - 1] === RETURN ? stop - 1 : stop
      if (trimmed > at) records.add(at, trimmed, this.#line, false)
      this.#line += 1 + end.newlines
      at = stop + 1
    }
    return { page: { buffer, ...records.done() }, rest: Math.min(at, buffer.length) }
  }
}

export function countNewlines(buffer: Buffer, from: number, to: number): number {
  let n = 0
  for (let i = buffer.indexOf(NEWLINE, from); i >= 0 && i < to; i = buffer.indexOf(NEWLINE, i + 1)) n += 1
  return n
}

class RecordList {
  #count = 0
  #start = new Int32Array(256)
  #end = new Int32Array(256)
  #line = new Float64Array(256)
  #tooLong = new Uint8Array(256)

  add(start: number, end: number, line: number, tooLong: boolean): void {
    if (this.#count === this.#start.length) this.#grow()
    this.#start[this.#count] = start
    this.#end[this.#count] = end
    this.#line[this.#count] = line
    this.#tooLong[this.#count] = tooLong ? 1 : 0
    this.#count += 1
  }

  done(): Omit<Page, 'buffer'> {
    return { count: this.#count, start: this.#start, end: this.#end, line: this.#line, tooLong: this.#tooLong }
  }

  #grow(): void {
    const size = this.#start.length * 2
    const next = <T extends { set(from: T): void }>(made: T, old: T): T => {
      made.set(old)
      return made
    }
    this.#start = next(new Int32Array(size), this.#start)
    this.#end = next(new Int32Array(size), this.#end)
    this.#line = next(new Float64Array(size), this.#line)
    this.#tooLong = next(new Uint8Array(size), this.#tooLong)
  }
}
