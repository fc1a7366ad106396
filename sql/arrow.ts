import type * as Arrow from 'apache-arrow'
import type { Column, DictionaryColumn } from '../runtime/column'
import type { TimeUnit } from '../runtime/schema'
import { stripes } from '../runtime/stripes'
import type { Binding, Plan } from './bind'
import { NULL_SUFFIX, WRAPPED } from './types'

/**
 * Columns as an Arrow IPC stream with one record batch. Values are referenced, not copied; only null bytes (to bitmaps), booleans
 * (to bits) and dictionaries are made anew. apache-arrow knows the framing; it takes 0.2 s to load, so it is loaded on first use.
 */
export type ArrowLibrary = typeof Arrow

let library: Promise<ArrowLibrary> | null = null

export const loadArrow = (): Promise<ArrowLibrary> => {
  library ??= import('apache-arrow')
  return library
}

/** The stream as a list of chunks; they share memory with the columns, which must stay untouched until they are sent. */
export function encodeArrow(arrow: ArrowLibrary, binding: Binding, columns: readonly Column[], rows: number): Uint8Array[] {
  const encoder = new Encoder(arrow)
  const nodes = binding.plans.flatMap(({ name, plan }, i) => encoder.nodes(name, plan, columns[i], rows, true))
  const schema = new arrow.Schema(nodes.map(n => n.field))
  const struct = encoder.data(new arrow.Struct(schema.fields), rows, null, { children: nodes.map(n => n.data) })
  // The writer hands its chunks to `_write`, which is where they would be copied into one buffer.
  class ChunkList extends arrow.RecordBatchStreamWriter {
    readonly chunks: Uint8Array[] = []
    protected override _write(chunk: ArrayBufferView): this {
      if (chunk.byteLength > 0) {
        this.chunks.push(chunk instanceof Uint8Array ? chunk : new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
        this._position += chunk.byteLength
      }
      return this
    }
  }
  const writer = new ChunkList()
  writer.write(new arrow.RecordBatch(schema, struct as Arrow.Data<Arrow.Struct>))
  writer.finish()
  return writer.chunks
}

interface Node {
  readonly field: Arrow.Field
  readonly data: Arrow.Data
}

interface Buffers {
  readonly data?: ArrayBufferView
  readonly valueOffsets?: Int32Array
  readonly children?: readonly Arrow.Data[]
  readonly child?: Arrow.Data
  readonly dictionary?: Arrow.Vector
}

class Encoder {
  #dictionaries = 0
  constructor(readonly arrow: ArrowLibrary) {}

  /** The Arrow columns for one of ours: itself, and its companion where the plan has one. */
  nodes(name: string, plan: Plan, column: Column, rows: number, top: boolean): Node[] {
    const { arrow } = this
    const bitmap = plan.nulls === 'bitmap' && column.nulls ? packValidity(column.nulls, rows) : null
    const data = this.#values(plan, column, rows, bitmap, top)
    const node = { field: new arrow.Field(name, data.type, plan.nulls === 'bitmap'), data }
    if (plan.nulls !== 'companion' && plan.nulls !== 'wrapped') return [node]
    const flags = packBits(column.nulls ?? new Uint8Array(rows), rows)
    const companion = {
      field: new arrow.Field(name + NULL_SUFFIX, new arrow.Bool(), false),
      data: this.data(new arrow.Bool(), rows, null, { data: flags }),
    }
    return [node, companion]
  }

  /** apache-arrow types `makeData` per literal type; ours is known only at run time, so this is the one place with a cast. */
  data(type: Arrow.DataType, rows: number, bitmap: Validity | null, buffers: Buffers): Arrow.Data {
    const nulls = bitmap && bitmap.nullCount > 0 ? { nullCount: bitmap.nullCount, nullBitmap: bitmap.bits } : { nullCount: 0 }
    return this.arrow.makeData({ type, length: rows, ...nulls, ...buffers } as never)
  }

  #values(plan: Plan, column: Column, rows: number, bitmap: Validity | null, top: boolean): Arrow.Data {
    const { arrow } = this
    const make = (type: Arrow.DataType, buffers: Buffers): Arrow.Data => this.data(type, rows, bitmap, buffers)
    switch (column.layout) {
      case 'bool':
        return make(new arrow.Bool(), { data: packBits(column.values, rows) })
      case 'i32':
        return make(column.type.kind === 'date' ? new arrow.DateDay() : new arrow.Int32(), {
          data: column.values.subarray(0, rows),
        })
      case 'i64': {
        const type =
          column.type.kind === 'timestamp' ? new arrow.Timestamp(this.#unit(column.type.unit), 'UTC') : new arrow.Int64()
        return make(type, { data: column.values.subarray(0, rows) })
      }
      case 'f32':
        return make(new arrow.Float32(), { data: column.values.subarray(0, rows) })
      case 'f64':
        return make(new arrow.Float64(), { data: column.values.subarray(0, rows) })
      case 'var': {
        const binary = column.type.kind === 'bytes'
        return make(binary ? new arrow.Binary() : new arrow.Utf8(), {
          valueOffsets: column.offsets.subarray(0, rows + 1),
          data: column.data.subarray(0, column.offsets[rows]),
        })
      }
      case 'fixed': {
        const bytes = column.data.subarray(0, rows * column.width)
        if (column.type.kind !== 'decimal') return make(new arrow.FixedSizeBinary(column.width), { data: bytes })
        const { scale, precision } = column.type
        return make(new arrow.Decimal(scale, precision, 128), { data: words(bytes) })
      }
      case 'dictionary':
        return top ? this.#dictionary(column, rows, bitmap) : this.#expanded(column, rows, bitmap)
      case 'list': {
        const [item] = this.#item('item', plan, column.child, column.offsets[rows])
        return make(new arrow.List(item.field), { valueOffsets: column.offsets.subarray(0, rows + 1), child: item.data })
      }
      case 'map': {
        const total = column.offsets[rows]
        const keyPlan: Plan = { target: 'String', nulls: 'none', limit: null, children: [] }
        const entries = [
          ...this.nodes('key', keyPlan, column.keys, total, false),
          ...this.#item('value', plan, column.child, total),
        ]
        const type = new arrow.Struct(entries.map(e => e.field))
        const child = this.data(type, total, null, { children: entries.map(e => e.data) })
        return make(new arrow.Map_(new arrow.Field('entries', type, false) as never), {
          valueOffsets: column.offsets.subarray(0, rows + 1),
          child,
        })
      }
      case 'struct': {
        const children = plan.children.flatMap(c => this.nodes(c.name, c.plan, column.children[c.index], rows, false))
        return make(new arrow.Struct(children.map(c => c.field)), { children: children.map(c => c.data) })
      }
    }
  }

  #item(name: string, plan: Plan, child: Column, total: number): Node[] {
    const { arrow } = this
    const item = plan.children[0].plan
    if (item.nulls !== 'wrapped') return this.nodes(name, item, child, total, false)
    const parts = this.nodes(WRAPPED, item, child, total, false)
    const type = new arrow.Struct(parts.map(p => p.field))
    return [
      { field: new arrow.Field(name, type, false), data: this.data(type, total, null, { children: parts.map(p => p.data) }) },
    ]
  }

  #dictionary(column: DictionaryColumn, rows: number, bitmap: Validity | null): Arrow.Data {
    const { arrow } = this
    const { ids, words: distinct } = compact(column, rows)
    const utf8 = this.#utf8(distinct)
    const type = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32(), this.#dictionaries++)
    return this.data(type, rows, bitmap, { data: ids, dictionary: new arrow.Vector([utf8]) })
  }

  /** Dictionaries below the top level would need dictionary batches of their own; the server casts plain strings as well. */
  #expanded(column: DictionaryColumn, rows: number, bitmap: Validity | null): Arrow.Data {
    const texts = column.dictionary.map(s => Buffer.from(s))
    const at = (i: number): Buffer => (column.nulls?.[i] ? EMPTY : (texts[column.ids[i]] ?? EMPTY))
    const offsets = new Int32Array(rows + 1)
    for (let i = 0; i < rows; i++) offsets[i + 1] = offsets[i] + at(i).length
    const data = Buffer.allocUnsafeSlow(offsets[rows])
    for (let i = 0; i < rows; i++) data.set(at(i), offsets[i])
    return this.data(new this.arrow.Utf8(), rows, bitmap, { valueOffsets: offsets, data })
  }

  #utf8(texts: readonly string[]): Arrow.Data {
    const parts = texts.map(s => Buffer.from(s))
    const offsets = new Int32Array(parts.length + 1)
    parts.forEach((p, i) => {
      offsets[i + 1] = offsets[i] + p.length
    })
    return this.data(new this.arrow.Utf8(), parts.length, null, { valueOffsets: offsets, data: Buffer.concat(parts) })
  }

  #unit(unit: TimeUnit): Arrow.TimeUnit {
    const { TimeUnit: units } = this.arrow
    return { s: units.SECOND, ms: units.MILLISECOND, us: units.MICROSECOND, ns: units.NANOSECOND }[unit]
  }
}

const EMPTY = Buffer.alloc(0)

/**
 * Ids and strings such that every id points into the strings: cells of null rows are unspecified, and a dictionary that has grown
 * over many batches may hold far more strings than these rows use.
 */
function compact(column: DictionaryColumn, rows: number): { readonly ids: Int32Array; readonly words: readonly string[] } {
  const { ids, nulls, dictionary } = column
  if (!nulls && dictionary.length <= 2 * rows + 16) return { ids: ids.subarray(0, rows), words: dictionary }
  const place = new Int32Array(dictionary.length).fill(-1)
  const out = new Int32Array(rows)
  const used: string[] = []
  for (let i = 0; i < rows; i++) {
    if (nulls?.[i]) continue
    const id = ids[i]
    if (place[id] < 0) place[id] = used.push(dictionary[id]) - 1
    out[i] = place[id]
  }
  return { ids: out, words: used.length > 0 ? used : [''] }
}

interface Validity {
  readonly bits: Uint8Array
  readonly nullCount: number
}

/** One byte a row (1 = null) to Arrow's bitmap (1 = valid), padded to 8 bytes. */
function packValidity(nulls: Uint8Array, rows: number): Validity {
  const bits = packBits(nulls, rows)
  stripes(bits.length, (from, to) => invert(bits, from, to))
  let nullCount = 0
  stripes(rows, (from, to) => {
    nullCount += count(nulls, from, to)
  })
  return { bits, nullCount }
}

function invert(bits: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; i++) bits[i] = ~bits[i]
}

/** How many of the bytes (0 or 1) are 1. */
function count(values: Uint8Array, from: number, to: number): number {
  let n = 0
  for (let i = from; i < to; i++) n += values[i]
  return n
}

/** One byte a row (0 or 1) to one bit a row, padded to 8 bytes. */
function packBits(values: Uint8Array, rows: number): Uint8Array {
  const out = new Uint8Array(Math.ceil(rows / 64) * 8)
  stripes(rows, (from, to) => packStripe(values, out, from, to))
  return out
}

/** `from` is a multiple of 8. */
function packStripe(values: Uint8Array, out: Uint8Array, from: number, to: number): void {
  const whole = to & ~7
  for (let i = from; i < whole; i += 8) {
    out[i >> 3] =
      values[i] |
      (values[i + 1] << 1) |
      (values[i + 2] << 2) |
      (values[i + 3] << 3) |
      (values[i + 4] << 4) |
      (values[i + 5] << 5) |
      (values[i + 6] << 6) |
      (values[i + 7] << 7)
  }
  for (let i = whole; i < to; i++) out[i >> 3] |= values[i] << (i & 7)
}

/** The same bytes as 32-bit words; copied only where they do not start at a word. */
function words(bytes: Buffer): Uint32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : Buffer.from(bytes)
  if (aligned.byteOffset % 4 === 0) return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4)
  return new Uint32Array(new Uint8Array(bytes).buffer)
}
