import type { ColumnBlock } from '../../runtime/batch'
import { type Column, DictionaryColumn } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import type { TopicPartition } from '../../runtime/origin'
import type { Chunk } from '../../runtime/plugin'
import { rowJson } from '../../runtime/row_json'
import { type Field, field, type Schema, TICKS_PER_MS } from '../../runtime/schema'
import type { ColumnSet } from '../../runtime/store'
import { takeColumn } from '../../runtime/take'
import type { LoggedClosing } from '../../runtime/views/contracts'
import type { RowReader } from './shard_reads'

/** What tells close, revise and final apart. */
export const KIND: Field = field('_kind', { kind: 'dictionary', symbols: ['close', 'revise', 'final'] })

/** Rows that one statement gives at most, unless a single closing has more: it bounds memory. */
const MOST_ROWS = 100_000
const MOST_CLOSINGS = 1_000
/** Rows after which a chunk ends: a batch that ends inside a chunk copies what is left of it. */
const ROWS_PER_CHUNK = 8_192

/**
 * The rows of consecutive closings by few statements: each costs the store some 10 ms however little it gives, so closings are
 * read together, as many as recent ones let expect to fit into `MOST_ROWS`.
 */
export class ClosedRows {
  readonly #windows: RowReader
  readonly #schema: Schema
  readonly #partition: TopicPartition
  readonly #most: number
  #atOnce = 16

  constructor(options: {
    readonly windows: RowReader
    /** That of `windows`, followed by `KIND`. */
    readonly schema: Schema
    readonly partition: TopicPartition
    readonly mostRows?: number
  }) {
    this.#windows = options.windows
    this.#schema = options.schema
    this.#partition = options.partition
    this.#most = options.mostRows ?? MOST_ROWS
  }

  /** How many closings `read` wants to be given. */
  get atOnce(): number {
    return this.#atOnce
  }

  /** Chunks for the first of these closings (at least one), in order and without gaps. A closing is never split. */
  async read(closings: readonly LoggedClosing[], signal: AbortSignal): Promise<readonly Chunk[]> {
    const together = await this.#together(closings, signal)
    const given = together ?? { closings: closings.slice(0, 1), rows: await this.#select(closings.slice(0, 1), null, signal) }
    if (given.closings.length < closings.length) this.#atOnce = given.closings.length
    else if (given.rows.rows < this.#most / 4) this.#atOnce = Math.min(MOST_CLOSINGS, this.#atOnce * 2)
    return this.#chunks(given.closings, given.rows)
  }

  /** As many as fit into one statement's rows; null if the first alone does not. */
  async #together(closings: readonly LoggedClosing[], signal: AbortSignal) {
    if (closings.length === 1) return null
    const rows = await this.#select(closings, this.#most, signal)
    if (rows.rows < this.#most) return { closings, rows }
    const ends = milliseconds(rows)
    // where the rows stop, a window may be cut in two
    const whole = ends[ends.length - 1]
    const cut = closings.findIndex(c => c.windowEnds[c.windowEnds.length - 1] >= whole)
    return cut === 0 ? null : { closings: closings.slice(0, cut), rows }
  }

  #select(closings: readonly LoggedClosing[], most: number | null, signal: AbortSignal): Promise<ColumnSet> {
    const ends = [...new Set(closings.flatMap(c => c.windowEnds))].sort((a, b) => a - b)
    return this.#windows.read(ends, most, signal)
  }

  #chunks(closings: readonly LoggedClosing[], set: ColumnSet): readonly Chunk[] {
    const ends = milliseconds(set)
    const spanOf = spansByEnd(ends)
    const chunks: Chunk[] = []
    let first = 0
    let count = 0
    closings.forEach(({ windowEnds }, i) => {
      for (const end of windowEnds) count += spanOf.get(end)?.count ?? 0
      if (count < ROWS_PER_CHUNK && i < closings.length - 1) return
      chunks.push(this.#chunk(closings.slice(first, i + 1), count, set, ends, spanOf))
      first = i + 1
      count = 0
    })
    return chunks
  }

  #chunk(closings: readonly LoggedClosing[], count: number, set: ColumnSet, ends: Float64Array, spanOf: Spans): Chunk {
    const rows = new Int32Array(count)
    const offset = new Float64Array(count)
    const timestamp = new Float64Array(count)
    const kinds = new DictionaryColumn(KIND.type, false)
    kinds.reserve(count)
    let n = 0
    let closed = 0
    for (const closing of closings) {
      const kind = kinds.idOf(closing.kind)
      const before = n
      for (const end of closing.windowEnds) {
        const span = spanOf.get(end)
        for (let i = 0; span && i < span.count; i++, n++) {
          rows[n] = span.first + i
          offset[n] = closing.offset
          timestamp[n] = ends[span.first]
          kinds.ids[n] = kind
        }
      }
      if (closing.kind === 'close') closed += n - before
    }
    kinds.length = count
    return {
      ...this.#partition,
      from: closings[0].offset,
      next: closings[closings.length - 1].offset + 1,
      bytes: count * 16 * this.#schema.fields.length + 64,
      repeated: count - closed,
      block: count === 0 ? null : this.#block([...set.columns.map(c => takeColumn(c, rows)), kinds], offset, timestamp),
    }
  }

  #block(columns: readonly Column[], offset: Float64Array, timestamp: Float64Array): { kind: 'columns' } & ColumnBlock {
    const schema = this.#schema
    const partition = this.#partition
    return {
      kind: 'columns',
      ...partition,
      count: offset.length,
      schema,
      columns,
      offset,
      timestamp,
      rejected: [],
      raw: row => ({
        ...partition,
        offset: offset[row],
        timestamp: timestamp[row],
        key: null,
        value: Buffer.from(rowJson(schema, columns, row)),
        headers: [],
      }),
    }
  }
}

/** Rows of each window: they come in window order. */
type Spans = ReadonlyMap<number, { readonly first: number; readonly count: number }>

function spansByEnd(ends: Float64Array): Spans {
  const spans = new Map<number, { first: number; count: number }>()
  ends.forEach((end, row) => {
    const span = spans.get(end)
    if (span) span.count++
    else spans.set(end, { first: row, count: 1 })
  })
  return spans
}

/** `window_end` of each row in milliseconds. */
function milliseconds({ schema, columns, rows }: ColumnSet): Float64Array {
  const at = schema.fields.findIndex(f => f.name === 'window_end')
  const column = columns[at]
  const { type } = schema.fields[at]
  if (column.layout !== 'i64' || type.kind !== 'timestamp') throw new ConnectError('R001_INTERNAL', 'window_end is no timestamp')
  const ticks = TICKS_PER_MS[type.unit]
  const ends = new Float64Array(rows)
  for (let i = 0; i < rows; i++) ends[i] = column.number(i) / ticks
  return ends
}
