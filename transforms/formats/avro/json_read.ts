import { isUtf8 } from 'node:buffer'
import type { VarColumn } from '../../../runtime/column'
import type { ExactJson } from '../json/exact'
import { Block } from './blocks'
import { Unfit, writeJson } from './json_write'
import type { Kernel, Rows } from './kernel'
import { Output } from './output'
import { branchName, type Json, minBytes, type Node, type RecordNode, type UnionNode } from './schema'
import { MAX_DEPTH, Skipper } from './skip'
import { sameName } from './types'
import { asBigint, INCOMPATIBLE, MALFORMED, NULL_REFUSED, PARKED, readInt, readLength, readLong } from './varint'

/**
 * Types without columns of their own (general unions, recursive records) -> JSON text in Avro's JSON encoding: a union's value is
 * null or {"branch": value}, bytes are characters 0 to 255, logical types stand as the number or string beneath. Integers keep
 * all digits; NaN and the infinities are strings, as JSON has no word for them. Row by row and about 20 times slower than a
 * kernel, so the rows are counted.
 */
export class JsonKernel implements Kernel {
  readonly #reader = new JsonReader()
  constructor(
    readonly column: VarColumn,
    readonly writer: Node,
    readonly target: Node,
    readonly count: (rows: number) => void,
  ) {}

  read(rows: Rows, n: number, row: number): void {
    const { column } = this
    const reader = this.#reader
    let slow = 0
    for (let i = 0; i < n; i++) {
      let text = ''
      let isNull = true
      if (rows.pos[i] < PARKED) {
        text = reader.read(rows.bytes, rows.pos[i], rows.ends[i], this.writer, this.target)
        slow++
        isNull = text === 'null' && column.nullable
        if (text === 'null' && !column.nullable) reader.stop(NULL_REFUSED)
        rows.pos[i] = reader.at
        if (isNull || reader.at >= PARKED) text = ''
      }
      if (column.nulls) column.nulls[row + i] = isNull ? 1 : 0
      // JSON text may be longer than the Avro bytes it came from
      column.length = row + i
      const bytes = Buffer.byteLength(text)
      column.reserve(1, bytes)
      column.data.write(text, column.offsets[row + i])
      column.offsets[row + i + 1] = column.offsets[row + i] + bytes
    }
    this.count(slow)
  }
}

const KEY: Node = { type: 'string', logical: null }

class JsonReader {
  /** After `read`: the position behind the value, or why it could not be read. */
  at = 0
  #bytes: Uint8Array = new Uint8Array(0)
  #end = 0
  readonly #halves = new Int32Array(2)
  readonly #min = new Map<Node, number>()
  readonly #skipper = new Skipper()

  read(bytes: Uint8Array, p: number, end: number, writer: Node, reader: Node): string {
    this.#bytes = bytes
    this.#end = end
    this.at = p
    return this.#value(writer, reader, 0)
  }

  stop(why: number): string {
    if (this.at < PARKED) this.at = why
    return ''
  }

  #value(w: Node, r: Node, depth: number): string {
    if (depth > MAX_DEPTH) return this.stop(MALFORMED)
    if (w.type === 'union') {
      this.at = readInt(this.#bytes, this.at, this.#end, this.#halves)
      if (this.at >= PARKED) return ''
      const branch = w.branches[this.#halves[0]]
      return branch === undefined ? this.stop(MALFORMED) : this.#value(branch, r, depth + 1)
    }
    if (r.type === 'union') {
      const index = matchBranch(w, r)
      if (index < 0) return this.stop(INCOMPATIBLE)
      const branch = r.branches[index]
      const text = this.#value(w, branch, depth + 1)
      return branch.type === 'null' ? text : `{${JSON.stringify(branchName(branch))}:${text}}`
    }
    if (!fits(w, r)) return this.stop(INCOMPATIBLE)
    return this.#plain(w, r, depth)
  }

  #plain(w: Exclude<Node, UnionNode>, r: Node, depth: number): string {
    switch (w.type) {
      case 'null':
        return 'null'
      case 'boolean': {
        if (this.at >= this.#end || this.#bytes[this.at] > 1) return this.stop(MALFORMED)
        return this.#bytes[this.at++] === 1 ? 'true' : 'false'
      }
      case 'int':
      case 'long':
        this.at = (w.type === 'int' ? readInt : readLong)(this.#bytes, this.at, this.#end, this.#halves)
        return this.at < PARKED ? String(asBigint(this.#halves)) : ''
      case 'float':
      case 'double':
        return this.#float(w.type === 'float' ? 4 : 8)
      case 'string':
      case 'bytes':
      case 'fixed':
        return this.#text(w.type === 'fixed' ? w.size : null, r.type === 'string')
      case 'enum': {
        this.at = readInt(this.#bytes, this.at, this.#end, this.#halves)
        if (this.at >= PARKED) return ''
        const symbol = w.symbols[this.#halves[0]]
        if (symbol === undefined) return this.stop(MALFORMED)
        if (r.type !== 'enum') return this.stop(INCOMPATIBLE)
        if (r.symbols.includes(symbol)) return `"${symbol}"`
        return r.fallback === null ? this.stop(INCOMPATIBLE) : `"${r.fallback}"`
      }
      case 'array':
        return r.type === 'array' ? `[${this.#blocks(null, w.items, r.items, depth)}]` : this.stop(INCOMPATIBLE)
      case 'map':
        return r.type === 'map' ? `{${this.#blocks(KEY, w.values, r.values, depth)}}` : this.stop(INCOMPATIBLE)
      case 'record':
        return r.type === 'record' ? this.#record(w, r, depth) : this.stop(INCOMPATIBLE)
    }
  }

  #float(size: 4 | 8): string {
    if (this.at + size > this.#end) return this.stop(MALFORMED)
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + this.at, size)
    this.at += size
    const value = size === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true)
    if (!Number.isFinite(value)) return `"${value}"`
    return Object.is(value, -0) ? '-0.0' : String(value)
  }

  #text(size: number | null, isString: boolean): string {
    if (size === null) this.at = readLength(this.#bytes, this.at, this.#end, this.#halves)
    else if (size > this.#end - this.at) this.at = MALFORMED
    if (this.at >= PARKED) return ''
    const stop = this.at + (size ?? this.#halves[0])
    const part = this.#bytes.subarray(this.at, stop)
    // JSON is text: unlike a column of its own it cannot carry other bytes
    if (isString && !isUtf8(part)) return this.stop(MALFORMED)
    this.at = stop
    const buffer = Buffer.from(part.buffer, part.byteOffset, part.length)
    return JSON.stringify(buffer.toString(isString ? 'utf8' : 'latin1'))
  }

  #blocks(key: Node | null, w: Node, r: Node, depth: number): string {
    const min = minBytes(w, this.#min) + (key ? 1 : 0)
    const block = new Block()
    const parts: string[] = []
    for (;;) {
      this.at = block.read(this.#bytes, this.at, this.#end, min)
      if (this.at >= PARKED) return ''
      if (block.count === 0) return parts.join(',')
      const { stop } = block
      for (let k = block.count; k > 0 && this.at < PARKED; k--) {
        const name = key ? `${this.#text(null, true)}:` : ''
        if (this.at < PARKED) parts.push(name + this.#value(w, r, depth + 1))
      }
      if (stop >= 0 && this.at !== stop) return this.stop(MALFORMED)
    }
  }

  #record(w: RecordNode, r: RecordNode, depth: number): string {
    const texts = new Map<string, string>()
    for (const field of w.fields) {
      const target = r.fields.find(f => f.name === field.name) ?? r.fields.find(f => f.aliases.includes(field.name))
      if (target) texts.set(target.name, this.#value(field.node, target.node, depth + 1))
      else this.at = this.#skipper.skip(field.node, this.#bytes, this.at, this.#end, depth + 1)
      if (this.at >= PARKED) return ''
    }
    const parts: string[] = []
    for (const field of r.fields) {
      const text = texts.get(field.name) ?? (field.default === undefined ? null : defaultText(field.node, field.default))
      if (text === null) return this.stop(INCOMPATIBLE)
      parts.push(`${JSON.stringify(field.name)}:${text}`)
    }
    return `{${parts.join(',')}}`
  }
}

/** A default as it stands in a schema, in the JSON encoding of values (a union's with its branch); null if it does not fit. */
function defaultText(node: Node, value: Json): string | null {
  const out = new Output()
  try {
    writeJson(out, node, value as ExactJson, true)
  } catch (error) {
    if (error instanceof Unfit) return null
    throw error
  }
  const bytes = out.take()
  return new JsonReader().read(bytes, 0, bytes.length, node, node)
}

/** The reader's branch for a writer's type: the same type if there is one, else the first it can be promoted to; -1 if none. */
function matchBranch(w: Node, r: UnionNode): number {
  const exact = r.branches.findIndex(b => branchName(b) === branchName(w))
  if (exact >= 0) return exact
  const named = r.branches.findIndex(b => b.type === w.type && fits(w, b))
  return named >= 0 ? named : r.branches.findIndex(b => fits(w, b))
}

const PROMOTIONS: Readonly<Record<string, readonly string[]>> = {
  int: ['long', 'float', 'double'],
  long: ['float', 'double'],
  float: ['double'],
  string: ['bytes'],
  bytes: ['string'],
}

/** Whether a value of the one type can be read as the other, judged by the outermost type alone. */
function fits(w: Node, r: Node): boolean {
  if (w.type !== r.type) return PROMOTIONS[w.type]?.includes(r.type) ?? false
  if (w.type === 'fixed' && r.type === 'fixed') return w.size === r.size && sameName(w.name, r.name, r.aliases)
  if ('name' in w && 'name' in r) return sameName(w.name, r.name, r.aliases)
  return true
}
