import type { RecordBlock } from '../../runtime/batch'
import { HEAP, type Memory } from '../../runtime/memory'
import type { TopicPartition } from '../../runtime/origin'

/** The records of one batch inside a buffer. */
export interface RecordSpan {
  readonly start: number
  readonly end: number
  readonly count: number
  readonly baseOffset: number
  readonly firstTimestamp: number
  /** Time of appending, where the topic keeps that for all records of a batch. */
  readonly appendTime: number | null
  /** Records before this offset are left out. */
  readonly from: number
}

/**
 * Fills the position arrays of a RecordBlock: no object and no copy per record. Layout of a record
 * (https://kafka.apache.org/documentation/#record), all numbers zigzag varints:
 *
 *     length | attributes i8 | timestampDelta | offsetDelta | keyLength key | valueLength value | headerCount headers
 */
export class BlockBuilder {
  count = 0
  readonly #buffer: Buffer
  readonly #memory: Memory
  #capacity: number
  /** Made for the first record that has a key: most topics have keys in all records or in none. */
  #keys: Positions | null = null
  #valueStart: Int32Array
  #valueEnd: Int32Array
  /** Made for the first record that has headers. */
  #headers: Positions | null = null
  #offset: Float64Array
  #timestamp: Float64Array

  /** The position arrays come out of `memory`. */
  constructor(buffer: Buffer, capacity: number, memory: Memory = HEAP) {
    this.#buffer = buffer
    this.#memory = memory
    this.#capacity = capacity
    this.#valueStart = memory.int32(capacity)
    this.#valueEnd = memory.int32(capacity)
    this.#offset = memory.float64(capacity)
    this.#timestamp = memory.float64(capacity)
  }

  /** Throws if a record runs past its batch; `count` is then to be set back by the caller. */
  append(span: RecordSpan): void {
    if (this.count + span.count > this.#capacity) this.#grow(this.count + span.count)
    const b = this.#buffer
    const { baseOffset, from } = span
    // a sum in either case: a choice between two numbers would make an object for every row
    const appended = span.appendTime !== null
    const firstTimestamp = span.appendTime ?? span.firstTimestamp
    const valueStart = this.#valueStart
    const valueEnd = this.#valueEnd
    const offsets = this.#offset
    const timestamps = this.#timestamp
    let n = this.count
    at = span.start
    for (let i = 0; i < span.count; i++) {
      const length = varint(b)
      const stop = at + length
      if (length < 6 || stop > span.end) throw new Error(`record ${i} runs past its batch`)
      at++ // attributes of a record, unused
      const delta = varlong(b)
      const offset = baseOffset + varint(b)
      const keyLength = varint(b)
      const key = at
      if (keyLength > 0) at += keyLength
      if (at >= stop) throw new Error(`the key of record ${i} runs past it`)
      const valueLength = varint(b)
      const value = at
      if (valueLength > 0) at += valueLength
      if (at >= stop) throw new Error(`the value of record ${i} runs past it`)
      if (offset >= from) {
        if (keyLength >= 0) {
          this.#keys ??= this.#none()
          place(this.#keys, n, key, key + keyLength)
        }
        valueStart[n] = valueLength < 0 ? -1 : value
        valueEnd[n] = valueLength < 0 ? -1 : value + valueLength
        if (b[at] !== 0) {
          this.#headers ??= this.#none()
          place(this.#headers, n, at, stop)
        }
        offsets[n] = offset
        timestamps[n] = firstTimestamp + (appended ? 0 : delta)
        n++
      }
      at = stop
    }
    this.count = n
  }

  finish({ topic, partition }: TopicPartition): RecordBlock {
    const keys = this.#keys ?? nothing(this.count)
    const headers = this.#headers ?? nothing(this.count)
    return {
      topic,
      partition,
      count: this.count,
      buffer: this.#buffer,
      keyStart: keys.start,
      keyEnd: keys.end,
      valueStart: this.#valueStart,
      valueEnd: this.#valueEnd,
      headersStart: headers.start,
      headersEnd: headers.end,
      offset: this.#offset,
      timestamp: this.#timestamp,
    }
  }

  /** Positions of a part that no record has had so far. */
  #none(): Positions {
    const make = (): Int32Array => this.#memory.int32(this.#capacity).fill(-1)
    return { start: make(), end: make() }
  }

  #grow(least: number): void {
    this.#capacity = Math.max(least, this.#capacity * 2)
    const int32 = (old: Int32Array): Int32Array => {
      const next = this.#memory.int32(this.#capacity)
      next.set(old)
      return next
    }
    const float64 = (old: Float64Array): Float64Array => {
      const next = this.#memory.float64(this.#capacity)
      next.set(old)
      return next
    }
    const positions = (old: Positions | null): Positions | null => {
      if (!old) return null
      const next = this.#none()
      next.start.set(old.start)
      next.end.set(old.end)
      return next
    }
    this.#keys = positions(this.#keys)
    this.#valueStart = int32(this.#valueStart)
    this.#valueEnd = int32(this.#valueEnd)
    this.#headers = positions(this.#headers)
    this.#offset = float64(this.#offset)
    this.#timestamp = float64(this.#timestamp)
  }
}

/** Where a part of each record lies; -1 where it has none. */
interface Positions {
  readonly start: Int32Array
  readonly end: Int32Array
}

function place({ start, end }: Positions, row: number, from: number, to: number): void {
  start[row] = from
  end[row] = to
}

let absent = new Int32Array(0)

/** For `count` records none of which has the part; shared by all blocks. */
function nothing(count: number): Positions {
  if (absent.length < count) absent = new Int32Array(Math.max(count, absent.length * 2)).fill(-1)
  return { start: absent, end: absent }
}

/** Where the next varint is read. One variable of the module instead of a cursor object: it halves the time of the walk. */
let at = 0

/** Zigzag varint of up to 32 bits. Past the end it reads undefined bytes as 0; the caller compares with the record's end. */
function varint(b: Buffer): number {
  let byte = b[at++]
  let value = byte & 127
  let shift = 7
  while (byte > 127 && shift < 35) {
    byte = b[at++]
    value |= (byte & 127) << shift
    shift += 7
  }
  return (value >>> 1) ^ -(value & 1)
}

/** Zigzag varint of up to 64 bits as a double: differences of timestamps may be negative and longer than 32 bits. */
function varlong(b: Buffer): number {
  const start = at
  while (b[at] > 127 && at - start < 9) at++
  at++
  if (at - start < 5) {
    at = start
    return varint(b)
  }
  let zigzag = 0
  let scale = 1
  for (let p = start; p < at; p++) {
    zigzag += (b[p] & 127) * scale
    scale *= 128
  }
  return zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2
}
