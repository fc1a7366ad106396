import type { Column, VarColumn } from './column'
import { ConnectError } from './errors'
import { KeyWriter } from './key_bytes'

/**
 * Keys to dense integers: the first distinct key is 0, the next 1, and a key keeps its id from batch to batch. Open addressing
 * over the keys' bytes, so that no JavaScript string is made per row (0.05 us a row; a Map of strings costs four times that).
 *
 * A key is one column or several (then all of them together); null is a key of its own, different from '' and from 0. A utf8
 * and a dictionary column with the same text give the same key. A slot is a pair (hash, id), at most half of them are taken;
 * memory is the keys' bytes and 20 to 40 bytes for each.
 */
export class KeyTable {
  #count = 0
  #slots = emptySlots(64)
  /** Key `id` is bytes[ends[id] .. ends[id + 1]). */
  #ends = new Int32Array(33)
  #bytes: Buffer = Buffer.alloc(512)
  /** Id of null where the key is one column; -1: none yet. */
  #nullId = -1
  readonly #writer = new KeyWriter()

  /** `width`: number of key columns. */
  constructor(readonly width: number) {}

  /** Distinct keys so far; the next new one gets this id. */
  get count(): number {
    return this.#count
  }

  /**
   * Ids of the keys of these rows, by position, in `out`. `rows` null: rows 0 to `count` - 1. Throws C020_TYPE_MISMATCH for
   * lists, maps and structs.
   */
  ids(columns: readonly Column[], rows: Int32Array | null, count: number, out: Int32Array): Int32Array {
    const [first] = columns
    if (columns.length !== this.width) {
      throw new ConnectError('R001_INTERNAL', `${columns.length} key columns given to a table of ${this.width}`)
    }
    if (this.width === 1 && first.layout === 'var') this.#idsOfBytes(first, rows, count, out)
    else this.#idsOfParts(columns, rows, count, out)
    return out
  }

  /** The usual key, one text column: its bytes are looked at where they are. */
  #idsOfBytes({ data, offsets, nulls }: VarColumn, rows: Int32Array | null, count: number, out: Int32Array): void {
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]
      out[i] = nulls?.[row] ? this.#idOfNull() : this.#idOf(data, offsets[row], offsets[row + 1])
    }
  }

  #idsOfParts(columns: readonly Column[], rows: Int32Array | null, count: number, out: Int32Array): void {
    const writer = this.#writer
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]
      if (this.width === 1 && columns[0].nulls?.[row]) {
        out[i] = this.#idOfNull()
        continue
      }
      writer.write(columns, row)
      out[i] = this.#idOf(writer.data, 0, writer.length)
    }
  }

  /** A null needs no bytes of its own: its entry is empty, stands in no slot and is found by its id. */
  #idOfNull(): number {
    if (this.#nullId < 0) {
      this.#nullId = this.#count
      this.#append(Buffer.alloc(0), 0, 0)
    }
    return this.#nullId
  }

  #idOf(data: Buffer, start: number, end: number): number {
    const hash = hashOf(data, start, end)
    const slots = this.#slots
    const mask = (slots.length >> 1) - 1
    let k = hash & mask
    for (;;) {
      const id = slots[2 * k + 1]
      if (id < 0) break
      if (slots[2 * k] === hash && this.#holds(id, data, start, end)) return id
      k = (k + 1) & mask
    }
    const id = this.#append(data, start, end)
    slots[2 * k] = hash
    slots[2 * k + 1] = id
    if (this.#count * 2 > mask) this.#rehash()
    return id
  }

  #holds(id: number, data: Buffer, start: number, end: number): boolean {
    let q = this.#ends[id]
    if (this.#ends[id + 1] - q !== end - start) return false
    const bytes = this.#bytes
    for (let p = start; p < end; p++) if (bytes[q++] !== data[p]) return false
    return true
  }

  #append(data: Buffer, start: number, end: number): number {
    const id = this.#count
    const used = this.#ends[id]
    if (used + end - start > this.#bytes.length) {
      const next = Buffer.allocUnsafeSlow(this.#bytes.length * 2 + end - start)
      this.#bytes.copy(next, 0, 0, used)
      this.#bytes = next
    }
    data.copy(this.#bytes, used, start, end)
    if (id + 2 > this.#ends.length) {
      const next = new Int32Array(this.#ends.length * 2)
      next.set(this.#ends)
      this.#ends = next
    }
    this.#ends[id + 1] = used + end - start
    this.#count = id + 1
    return id
  }

  #rehash(): void {
    const old = this.#slots
    const slots = emptySlots(old.length)
    const mask = (slots.length >> 1) - 1
    for (let i = 0; i < old.length; i += 2) {
      if (old[i + 1] < 0) continue
      let k = old[i] & mask
      while (slots[2 * k + 1] >= 0) k = (k + 1) & mask
      slots[2 * k] = old[i]
      slots[2 * k + 1] = old[i + 1]
    }
    this.#slots = slots
  }

  /**
   * The bytes of a key, one entry for each of its columns, null for a null: UTF-8 of texts, little endian for numbers. Views
   * that must not be written to.
   */
  parts(id: number): readonly (Buffer | null)[] {
    if (id < 0 || id >= this.#count) throw new RangeError(`there is no key ${id}, only ${this.#count}`)
    const key = this.#bytes.subarray(this.#ends[id], this.#ends[id + 1])
    if (this.width === 1) return [id === this.#nullId ? null : key]
    const parts: (Buffer | null)[] = []
    for (let at = 0; at < key.length; ) {
      const length = key.readInt32LE(at)
      at += 4
      parts.push(length < 0 ? null : key.subarray(at, at + length))
      at += Math.max(length, 0)
    }
    return parts
  }

  /** A table of these keys only: what was key ids[i] is key i in it. */
  keep(ids: Int32Array): KeyTable {
    const table = new KeyTable(this.width)
    for (const id of ids) {
      if (id === this.#nullId) table.#idOfNull()
      else table.#idOf(this.#bytes, this.#ends[id], this.#ends[id + 1])
    }
    return table
  }

  /** Everything as bytes; `KeyTable.restore` gives a table with the same ids. */
  snapshot(): Buffer {
    const header = Buffer.alloc(HEADER)
    header.writeInt32LE(VERSION, 0)
    header.writeInt32LE(this.width, 4)
    header.writeInt32LE(this.#count, 8)
    header.writeInt32LE(this.#nullId, 12)
    const ends = Buffer.alloc(4 * this.#count)
    for (let id = 0; id < this.#count; id++) ends.writeInt32LE(this.#ends[id + 1], 4 * id)
    return Buffer.concat([header, ends, this.#bytes.subarray(0, this.#ends[this.#count])])
  }

  /** Throws D001_MALFORMED for bytes that are no snapshot. */
  static restore(snapshot: Buffer): KeyTable {
    const malformed = (): ConnectError => new ConnectError('D001_MALFORMED', 'not a snapshot of a key table')
    if (snapshot.length < HEADER || snapshot.readInt32LE(0) !== VERSION) throw malformed()
    const count = snapshot.readInt32LE(8)
    const nullId = snapshot.readInt32LE(12)
    const keys = HEADER + 4 * count
    if (count < 0 || keys > snapshot.length || nullId >= count) throw malformed()
    const table = new KeyTable(snapshot.readInt32LE(4))
    let start = keys
    for (let id = 0; id < count; id++) {
      const end = keys + snapshot.readInt32LE(HEADER + 4 * id)
      if (end < start || end > snapshot.length) throw malformed()
      const given = id === nullId ? table.#idOfNull() : table.#idOf(snapshot, start, end)
      if (given !== id) throw malformed()
      start = end
    }
    if (start !== snapshot.length) throw malformed()
    return table
  }
}

const VERSION = 1
const HEADER = 16

const emptySlots = (length: number): Int32Array => new Int32Array(length * 2).fill(-1)

/** Multiplicative hash of the bytes with the finish of MurmurHash3 (its 32-bit mixer), made non-negative. */
function hashOf(data: Buffer, start: number, end: number): number {
  let hash = end - start
  for (let p = start; p < end; p++) hash = (Math.imul(hash, 31) + data[p]) | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) & 0x7fffffff
}
