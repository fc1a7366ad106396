import type { ColumnBlock } from '../../runtime/batch'
import { type Column, DictionaryColumn } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import type { LocalInput } from '../../runtime/local_source'
import { partitionKey, type TopicPartition } from '../../runtime/origin'
import type { Chunk, PluginContext } from '../../runtime/plugin'
import type { PositionStore } from '../../runtime/positions'
import { rowJson } from '../../runtime/row_json'
import { type Field, field, type Schema, TICKS_PER_MS } from '../../runtime/schema'
import type { ColumnSet } from '../../runtime/store'
import { takeColumn } from '../../runtime/take'
import type { ClosingLog, LoggedClosing, WindowStore } from '../../runtime/views/contracts'
import type { StoreConfig } from '../../sql/client'
import { openWindowStore } from '../../sql/windows/window_store'

/** What tells close, revise and final apart. */
const KIND: Field = field('_kind', { kind: 'dictionary', symbols: ['close', 'revise', 'final'] })

/** Rows that one statement is meant to give: closings are read together until about so many. */
const ROWS_AT_ONCE = 100_000
const MOST_CLOSINGS = 1_000

interface Open {
  readonly log: ClosingLog
  readonly windows: WindowStore
  readonly schema: Schema
  readonly positions: PositionStore
}

/**
 * Closings of one view as chunks: one chunk a closing, at the closing's offset, with the rows its windows have now. A closing is
 * never split, because on another read it may have more rows.
 */
export class ViewInput implements LocalInput {
  readonly #view: string
  readonly #context: PluginContext<StoreConfig>
  readonly #partition: TopicPartition
  #open: Open | null = null
  #next = 0
  #note: { readonly log: string } | null = null
  /** Closings read by the next statement. */
  #atOnce = 16

  constructor(view: string, context: PluginContext<StoreConfig>) {
    this.#view = view
    this.#context = context
    this.#partition = { topic: view, partition: 0 }
  }

  async open(positions: PositionStore, signal: AbortSignal) {
    const { views = [], closings, connection, connectionName, baseDir } = this.#context
    const spec = views.find(v => v.name === this.#view && v.connection === connectionName && v.window)
    if (!spec || !closings) {
      throw new ConnectError('C010_UNKNOWN_REFERENCE', `there is no view ${this.#view} with windows on ${connectionName}`)
    }
    const log = await closings(this.#view)
    this.#note = (await positions.note()) as { readonly log: string } | null
    if (this.#note && this.#note.log !== log.id) {
      throw new ConnectError(
        'P001_POSITION_STOP',
        `the closings of the view ${this.#view} were begun anew; the position is in another log`,
      )
    }
    const windows = await openWindowStore(spec, connection, baseDir, signal)
    try {
      const { schema } = await windows.read([0], signal)
      const named: Schema = { ...schema, name: this.#view, key: spec.keys, fields: [...schema.fields, KIND] }
      this.#open = { log, windows, schema: named, positions }
      return { schema: named, partitions: [this.#partition] }
    } catch (error) {
      await windows.close()
      throw error
    }
  }

  begin(next: ReadonlyMap<string, number>): void {
    const from = next.get(partitionKey(this.#partition)) ?? 0
    const { log } = this.#opened()
    if (from > log.end || (from > 0 && this.#note === null)) {
      throw new ConnectError(
        'P001_POSITION_STOP',
        `the position ${from} is not in the closings of ${this.#view}, which end at ${log.end}`,
      )
    }
    this.#next = from
  }

  async read(_wanted: (p: TopicPartition) => boolean, signal: AbortSignal): Promise<readonly Chunk[]> {
    const { log, windows, positions } = this.#opened()
    if (this.#note === null) {
      this.#note = { log: log.id }
      await positions.writeNote(this.#note)
    }
    while (log.end <= this.#next) await log.appended(signal)
    const closings = await log.read(this.#next, this.#atOnce)
    const ends = [...new Set(closings.flatMap(c => c.windowEnds))].sort((a, b) => a - b)
    const rows = await windows.read(ends, signal)
    const chunks = this.#chunks(closings, rows)
    this.#next += closings.length
    if (rows.rows > ROWS_AT_ONCE) this.#atOnce = Math.max(1, Math.floor(this.#atOnce / 2))
    else if (rows.rows < ROWS_AT_ONCE / 4) this.#atOnce = Math.min(MOST_CLOSINGS, this.#atOnce * 2)
    return chunks
  }

  async ends(): Promise<ReadonlyMap<string, number>> {
    return new Map([[partitionKey(this.#partition), this.#opened().log.end]])
  }

  async close(): Promise<void> {
    await this.#open?.windows.close()
    this.#open = null
  }

  #opened(): Open {
    if (!this.#open) throw new ConnectError('R001_INTERNAL', 'the view source is not open')
    return this.#open
  }

  #chunks(closings: readonly LoggedClosing[], set: ColumnSet): readonly Chunk[] {
    const { schema } = this.#opened()
    const ends = milliseconds(set)
    const rowsOf = rowsByEnd(ends)
    const bytesPerRow = 16 * schema.fields.length
    return closings.map(({ offset, kind, windowEnds }) => {
      const rows = Int32Array.from(windowEnds.flatMap(end => rowsOf.get(end) ?? []))
      const columns = [...set.columns.map(c => takeColumn(c, rows)), kindColumn(kind, rows.length)]
      return {
        ...this.#partition,
        from: offset,
        next: offset + 1,
        bytes: rows.length * bytesPerRow + 64,
        block:
          rows.length === 0
            ? null
            : this.#block(
                schema,
                columns,
                offset,
                Float64Array.from(rows, row => ends[row]),
              ),
      }
    })
  }

  #block(schema: Schema, columns: readonly Column[], offset: number, timestamp: Float64Array) {
    const count = timestamp.length
    const block: { readonly kind: 'columns' } & ColumnBlock = {
      kind: 'columns',
      ...this.#partition,
      count,
      schema,
      columns,
      offset: new Float64Array(count).fill(offset),
      timestamp,
      rejected: [],
      raw: row => ({
        ...this.#partition,
        offset,
        timestamp: timestamp[row],
        key: null,
        value: Buffer.from(rowJson(schema, columns, row)),
        headers: [],
      }),
    }
    return block
  }
}

/** `window_end` of each row in milliseconds. */
function milliseconds({ schema, columns, rows }: ColumnSet): Float64Array {
  const at = schema.fields.findIndex(f => f.name === 'window_end')
  const column = columns[at]
  const { type } = schema.fields[at]
  if (column.layout !== 'i64' || type.kind !== 'timestamp') throw new ConnectError('R001_INTERNAL', 'window_end is no timestamp')
  const ticks = TICKS_PER_MS[type.unit]
  return Float64Array.from({ length: rows }, (_, i) => column.number(i) / ticks)
}

function rowsByEnd(ends: Float64Array): ReadonlyMap<number, number[]> {
  const rows = new Map<number, number[]>()
  ends.forEach((end, row) => {
    const list = rows.get(end)
    if (list) list.push(row)
    else rows.set(end, [row])
  })
  return rows
}

function kindColumn(kind: string, length: number): Column {
  const column = new DictionaryColumn(KIND.type, false)
  column.reserve(length)
  column.ids.fill(column.idOf(kind), 0, length)
  column.length = length
  return column
}
