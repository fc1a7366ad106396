import type { Batch, RawRecord, RecordBlock, Rejection } from './batch'
import type { Column } from './column'
import { concatColumns } from './concat'
import { ConnectError } from './errors'
import type { RawSourceOptions } from './fields'
import { parseHeaders } from './headers'
import type { Cut } from './lane_buffer'
import type { Memory } from './memory'
import { partitionKey } from './origin'
import type { Block, Decoder, Format } from './plugin'
import { extraColumn, extraColumns } from './record_columns'
import { fieldIndex, type Schema } from './schema'
import { stripes } from './stripes'

/** A decoded cut, before transforms, and how many tombstones were left out. */
export interface Decoded {
  readonly batch: Batch
  readonly skipped: number
  /** Rows that took a slow path, by reason. */
  readonly slow: Readonly<Record<string, number>>
}

export interface DecodeStage {
  /** Schema of decoded batches. */
  readonly schema: Schema
  decode(cut: Cut, lane: number, memory: Memory, signal: AbortSignal): Promise<Decoded>
}

type RecordsBlock = Extract<Block, { kind: 'records' }>
type ColumnsBlock = Extract<Block, { kind: 'columns' }>

interface Formats {
  readonly value: Format
  readonly valueSchema: Schema
  readonly key: Format
  /** Null where no column asks for the key. */
  readonly keySchema: Schema | null
}

/** The stage for a source that delivers typed columns: it only joins blocks. */
export function columnsStage(schema: Schema, plugin: string): DecodeStage {
  return {
    schema,
    async decode(cut, lane, memory) {
      const blocks = cut.blocks.filter((b): b is ColumnsBlock => b.kind === 'columns')
      const columns = schema.fields.map((f, i) =>
        concatColumns(
          f,
          blocks.map(b => b.columns[i]),
        ),
      )
      const at = locate(blocks)
      const bad = new Map<number, ConnectError>()
      let row = 0
      for (const block of blocks) {
        for (const r of block.rejected) bad.set(row + r.row, r.error)
        row += block.count
      }
      const raw = (n: number): RawRecord => at(n, (block, row) => block.raw(row))
      return {
        batch: assemble({ schema, columns, cut, lane, memory, blocks, raw, bad, skipped: new Set(), plugin }),
        skipped: 0,
        slow: {},
      }
    },
  }
}

/** The stage for a source that delivers records: formats make columns of values and keys, the rest comes from the records. */
export function recordsStage(formats: Formats, options: RawSourceOptions, connection: string, plugin: string): DecodeStage {
  const extras = extraColumns(options, formats.keySchema)
  const clash = extras.find(e => fieldIndex(formats.valueSchema, e.field.name) >= 0)
  if (clash)
    throw new ConnectError('C016_SCHEMA', `the column "${clash.field.name}" of \`columns:\` is also a field of the value`)
  const schema: Schema = { ...formats.valueSchema, fields: [...formats.valueSchema.fields, ...extras.map(e => e.field)] }
  return {
    schema,
    async decode(cut, lane, memory, signal) {
      const blocks = cut.blocks.filter((b): b is RecordsBlock => b.kind === 'records')
      const rows = blocks.reduce((n, b) => n + b.count, 0)
      const bad = new Map<number, ConnectError>()
      const tombstones = new Set<number>()
      const values = formats.value.decoder(formats.valueSchema, rows, memory)
      await decodeAll(values, blocks, 'value', bad, signal)
      findTombstones(blocks, tombstones)
      for (const n of tombstones) {
        if (options.on_tombstone === 'skip') bad.delete(n)
        else bad.set(n, new ConnectError('D007_TOMBSTONE', 'the record has no value', { stage: 'decode' }))
      }
      const skipped = options.on_tombstone === 'skip' ? tombstones : new Set<number>()
      let keys: Decoder | null = null
      if (formats.keySchema) {
        keys = formats.key.decoder(formats.keySchema, rows, memory)
        const badKeys = new Map<number, ConnectError>()
        await decodeAll(keys, blocks, 'key', badKeys, signal)
        for (const [n, error] of badKeys) if (!skipped.has(n) && !bad.has(n)) bad.set(n, error)
      }
      const columns = [
        ...values.columns,
        ...extras.map(e => extraColumn(e, blocks, rows, memory, connection, keys, formats.keySchema, bad, skipped)),
      ]
      const at = locate(blocks)
      const raw = (n: number): RawRecord => at(n, recordAt)
      return {
        batch: assemble({ schema, columns, cut, lane, memory, blocks, raw, bad, skipped, plugin }),
        skipped: skipped.size,
        slow: values.slow ?? {},
      }
    },
  }
}

async function decodeAll(
  decoder: Decoder,
  blocks: readonly RecordsBlock[],
  part: 'key' | 'value',
  bad: Map<number, ConnectError>,
  signal: AbortSignal,
): Promise<void> {
  let start = 0
  for (const block of blocks) {
    const base = start
    const waiting = decoder.decode(block, part, (row, error) => bad.set(base + row, error), signal)
    if (waiting) await waiting
    start += block.count
  }
}

function findTombstones(blocks: readonly RecordsBlock[], found: Set<number>): void {
  let first = 0
  for (const { count, valueStart } of blocks) {
    stripes(count, (from, to) => addMissing(valueStart, first, found, from, to))
    first += count
  }
}

function addMissing(starts: Int32Array, first: number, found: Set<number>, from: number, to: number): void {
  for (let i = from; i < to; i++) if (starts[i] < 0) found.add(first + i)
}

/** Goes back from a row of the batch to its record; only rejected rows are asked for, so it searches instead of keeping an index. */
function locate<B extends Block>(blocks: readonly B[]): <T>(row: number, use: (block: B, row: number) => T) => T {
  return (row, use) => {
    let first = 0
    for (const block of blocks) {
      if (row < first + block.count) return use(block, row - first)
      first += block.count
    }
    throw new RangeError(`row ${row} of ${first}`)
  }
}

function recordAt(block: RecordBlock, row: number): RawRecord {
  const bytes = (start: Int32Array, end: Int32Array): Buffer | null =>
    start[row] < 0 ? null : block.buffer.subarray(start[row], end[row])
  return {
    topic: block.topic,
    partition: block.partition,
    offset: block.offset[row],
    timestamp: block.timestamp[row],
    key: bytes(block.keyStart, block.keyEnd),
    value: bytes(block.valueStart, block.valueEnd),
    headers: parseHeaders(block.buffer, block.headersStart[row], block.headersEnd[row]),
  }
}

interface Parts {
  readonly schema: Schema
  readonly columns: readonly Column[]
  readonly cut: Cut
  readonly lane: number
  readonly memory: Memory
  readonly blocks: readonly Block[]
  readonly raw: (row: number) => RawRecord
  readonly bad: ReadonlyMap<number, ConnectError>
  readonly skipped: ReadonlySet<number>
  readonly plugin: string
}

function assemble({ schema, columns, cut, lane, memory, blocks, raw, bad, skipped, plugin }: Parts): Batch {
  const length = blocks.reduce((n, b) => n + b.count, 0)
  const rangeOf = new Map(cut.ranges.map((r, i) => [partitionKey(r), i]))
  const range = memory.int32(length)
  const offset = memory.float64(length)
  const timestamp = memory.float64(length)
  let row = 0
  for (const block of blocks) {
    range.fill(rangeOf.get(partitionKey(block)) ?? 0, row, row + block.count)
    offset.set(block.offset.subarray(0, block.count), row)
    timestamp.set(block.timestamp.subarray(0, block.count), row)
    row += block.count
  }
  const rejected: Rejection[] = cut.damaged.map(d => ({ stage: 'read', plugin, error: d.error, record: d.raw }))
  for (const [n, error] of bad) rejected.push({ stage: 'decode', plugin, error, record: raw(n) })
  const gone = (n: number): boolean => bad.has(n) || skipped.has(n)
  const selection =
    bad.size === 0 && skipped.size === 0 ? null : Int32Array.from(Array.from({ length }, (_, n) => n).filter(n => !gone(n)))
  return {
    schema,
    columns,
    length,
    selection,
    origin: { lane, ranges: cut.ranges },
    rows: { range, offset, timestamp },
    rejected,
    raw,
  }
}
