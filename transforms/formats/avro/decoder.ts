import type { RecordBlock } from '../../../runtime/batch'
import { type Column, createColumn } from '../../../runtime/column'
import { ConnectError, type ErrorCode } from '../../../runtime/errors'
import { HEAP, type Memory } from '../../../runtime/memory'
import type { Decoder } from '../../../runtime/plugin'
import type { Schema } from '../../../runtime/schema'
import { STRIPE, stripes } from '../../../runtime/stripes'
import { blank, type Kernel, type Rows, reserveDeep, setLength } from './kernel'
import { compile } from './plan'
import type { Node } from './schema'
import { INCOMPATIBLE, MALFORMED, NULL_REFUSED, OUT_OF_RANGE, PARKED } from './varint'
import type { Writer, Writers } from './writers'

/** Confluent's header: a zero byte and the schema id, big endian. */
export const HEADER = 5

/** Of rows before the first that has one. */
const NO_SCHEMA = -1

const WHY: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  [MALFORMED]: ['D001_MALFORMED', 'the body is not what its Avro schema says'],
  [INCOMPATIBLE]: ['D003_INCOMPATIBLE_SCHEMA', 'a value of a type or an enum symbol that the reader schema does not have'],
  [NULL_REFUSED]: ['D008_NULL', 'null where the reader schema has no null'],
  [OUT_OF_RANGE]: ['D005_OUT_OF_RANGE', 'a decimal has more digits than its precision'],
}

export interface DecoderOptions {
  readonly schema: Schema
  readonly reader: Node
  readonly capacity: number
  readonly writers: Writers
  readonly memory?: Memory | undefined
  /** Called when an id is resolved to the reader's schema, once per decoder and id. */
  readonly onWriter: (id: number, writer: Node) => void
}

type Reject = (row: number, error: ConnectError) => void
type Plan = { readonly kernel: Kernel } | { readonly error: ConnectError }

/**
 * Avro records -> columns. A block falls into segments of equal schema id; each segment is decoded column by column through the
 * plan that resolves its schema to the reader's.
 */
export class AvroDecoder implements Decoder {
  readonly columns: readonly Column[]
  readonly slow: Record<string, number> = {}
  readonly #options: DecoderOptions
  readonly #plans = new Map<number, Plan>()
  #pos: Int32Array = new Int32Array(0)
  #ids: Int32Array = new Int32Array(0)

  constructor(options: DecoderOptions) {
    this.#options = options
    this.columns = options.schema.fields.map(f => createColumn(f, options.capacity, options.memory))
  }

  decode(block: RecordBlock, part: 'key' | 'value', reject: Reject, signal: AbortSignal): Promise<void> | void {
    const missing = this.#headers(block, part)
    if (missing === null) return this.#segments(block, part, reject)
    return this.#options.writers.fetch(missing, signal).then(() => this.#segments(block, part, reject))
  }

  /** Reads every header: #pos is where the body starts or a mark, #ids the schema. Returns the ids not known yet, null if none. */
  #headers(block: RecordBlock, part: 'key' | 'value'): number[] | null {
    const { count, buffer } = block
    const starts = part === 'key' ? block.keyStart : block.valueStart
    const ends = part === 'key' ? block.keyEnd : block.valueEnd
    const { memory = HEAP } = this.#options
    if (this.#pos.length < count) {
      this.#pos = memory.int32(count)
      this.#ids = memory.int32(count)
    }
    const seen = new Set<number>()
    stripes(count, (from, to) => readHeaders(buffer, starts, ends, this.#pos, this.#ids, from, to, seen))
    const missing = [...seen].filter(id => !this.#plans.has(id) && !this.#options.writers.get(id))
    return missing.length > 0 ? missing : null
  }

  #segments(block: RecordBlock, part: 'key' | 'value', reject: Reject): void {
    const { count, buffer } = block
    const ids = this.#ids
    const ends = part === 'key' ? block.keyEnd : block.valueEnd
    const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    let from = 0
    while (from < count) {
      let to = from + 1
      while (to < count && to - from < STRIPE && ids[to] === ids[from]) to++
      const rows: Rows = { bytes: buffer, view, pos: this.#pos.subarray(from, to), ends: ends.subarray(from, to) }
      this.#segment(rows, to - from, ids[from], block, part, row => row + from, reject)
      from = to
    }
  }

  #segment(
    rows: Rows,
    n: number,
    id: number,
    block: RecordBlock,
    part: 'key' | 'value',
    at: (row: number) => number,
    reject: Reject,
  ): void {
    const { pos, ends } = rows
    const start = this.columns.length > 0 ? this.columns[0].length : 0
    for (const column of this.columns) reserveDeep(column, n)
    const plan = this.#anyLive(pos, n) ? this.#plan(id) : null
    if (plan && 'kernel' in plan) plan.kernel.read(rows, n, start)
    else for (const column of this.columns) blank(column, start, n)
    for (const column of this.columns) setLength(column, start + n)
    for (let i = 0; i < n; i++) {
      const p = pos[i]
      if (p === PARKED) continue
      if (p < PARKED && plan && 'error' in plan) reject(at(i), plan.error)
      else if (p !== ends[i]) reject(at(i), this.#why(p, at(i), block, part, id))
    }
  }

  #anyLive(pos: Int32Array, n: number): boolean {
    for (let i = 0; i < n; i++) if (pos[i] < PARKED) return true
    return false
  }

  #why(p: number, row: number, block: RecordBlock, part: 'key' | 'value', id: number): ConnectError {
    const start = (part === 'key' ? block.keyStart : block.valueStart)[row]
    const size = (part === 'key' ? block.keyEnd : block.valueEnd)[row] - start
    if (size < HEADER) return new ConnectError('D001_MALFORMED', `${size} bytes are too few for an Avro record with a schema id`)
    const magic = block.buffer[start]
    if (magic !== 0) {
      return new ConnectError(
        'D001_MALFORMED',
        `the first byte is ${magic}, not the 0 that starts an Avro record with a schema id`,
      )
    }
    if (p < PARKED) {
      const over = start + size - p
      return new ConnectError('D001_MALFORMED', `${over} bytes are left over after the value (schema ${id})`)
    }
    const [code, text] = WHY[p] ?? WHY[MALFORMED]
    return new ConnectError(code, `${text} (schema ${id})`)
  }

  #plan(id: number): Plan {
    const known = this.#plans.get(id)
    if (known) return known
    const plan = this.#compile(id)
    this.#plans.set(id, plan)
    return plan
  }

  #compile(id: number): Plan {
    const { writers, reader, onWriter } = this.#options
    const writer: Writer | undefined = writers.get(id)
    if (!writer) return { error: new ConnectError('D002_UNKNOWN_SCHEMA_ID', `the schema registry knows no schema ${id}`) }
    if ('error' in writer) return writer
    try {
      const kernel = compile(writer.node, reader, this.columns, (reason, rows) => {
        this.slow[reason] = (this.slow[reason] ?? 0) + rows
      })
      onWriter(id, writer.node)
      return { kernel }
    } catch (error) {
      if (!(error instanceof ConnectError) || error.code !== 'D003_INCOMPATIBLE_SCHEMA') throw error
      return { error: new ConnectError(error.code, `schema ${id}: ${error.message}`) }
    }
  }
}

/** Rows `from`..`to`; every id that differs from the row's before is noted in `seen`. */
function readHeaders(
  buffer: Buffer,
  starts: Int32Array,
  ends: Int32Array,
  pos: Int32Array,
  ids: Int32Array,
  from: number,
  to: number,
  seen: Set<number>,
): void {
  let last = from > 0 ? ids[from - 1] : NO_SCHEMA
  for (let i = from; i < to; i++) {
    const p = starts[i]
    ids[i] = last
    if (p < 0) pos[i] = PARKED
    else if (ends[i] - p < HEADER || buffer[p] !== 0) pos[i] = MALFORMED
    else {
      const id = (buffer[p + 1] << 24) | (buffer[p + 2] << 16) | (buffer[p + 3] << 8) | buffer[p + 4]
      pos[i] = p + HEADER
      ids[i] = id
      if (id !== last) seen.add(id)
      last = id
    }
  }
}
