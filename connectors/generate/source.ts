import { createHash } from 'node:crypto'
import type { Clock } from '../../runtime/clock'
import { ConnectError } from '../../runtime/errors'
import type { LocalInput } from '../../runtime/local_source'
import { partitionKey, type TopicPartition } from '../../runtime/origin'
import type { Block, Chunk } from '../../runtime/plugin'
import type { PositionStore } from '../../runtime/positions'
import { rowJson } from '../../runtime/row_json'
import type { Schema } from '../../runtime/schema'
import { type ColumnContext, damaged, type Generated, generated, keyColumn, labelColumn, timeColumn } from './columns'
import { damage, type Faults, faultsOf } from './faults'
import { endOffset, type Layout, layoutOf, recordAt } from './layout'
import type { GenerateOptions } from './options'
import { createPace, type Pace } from './pace'
import { type Disturbance, type Rows, rowsAt } from './rows'
import { windows } from './shapes'

export const TOPIC = 'generate'

/** Rows of one chunk: small enough to answer a pause quickly, large enough that its fixed costs vanish. */
const CHUNK_ROWS = 8192

interface Note {
  readonly version: 1
  /** Event time of the first record, milliseconds since 1970. */
  readonly start: number
  /** Changes when the same offset would give another row. */
  readonly settings: string
}

/**
 * Rows made by arithmetic. What must be remembered to make them again is the start of time and a fingerprint of the settings;
 * both stand in the note beside the positions.
 */
export class GenerateInput implements LocalInput {
  readonly #options: GenerateOptions
  readonly #clock: Clock
  readonly #layout: Layout
  readonly #partitions: readonly TopicPartition[]
  #start = 0
  /** Null once the note is there. It is written before the first row leaves, but not before `begin` accepted the position. */
  #writeNote: (() => Promise<void>) | null = null
  #columns: readonly Generated[] = []
  #schema: Schema = { fields: [] }
  readonly #faults: Faults | null
  readonly #disturbance: Disturbance
  #pace: Pace | null = null
  #next: number[] = []

  constructor(options: GenerateOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
    this.#layout = layoutOf(options)
    this.#faults = faultsOf(options)
    const { gaps, seed, label } = options
    this.#disturbance = {
      silent: gaps ? windows(seed, 'gaps', gaps) : null,
      faults: this.#faults,
      keepSilenced: label !== undefined,
    }
    this.#partitions = Array.from({ length: options.partitions }, (_, partition) => ({ topic: TOPIC, partition }))
  }

  async open(positions: PositionStore): Promise<{ schema: Schema; partitions: readonly TopicPartition[] }> {
    const settings = settingsOf(this.#options)
    const note = (await positions.note()) as Note | null
    if (note && note.settings !== settings) {
      throw new ConnectError('P001_POSITION_STOP', 'this generator ran before with settings that give other rows', {
        hint: 'take back the change of fields, keys, interval, seed or partitions, or give the flow another name to begin anew',
      })
    }
    this.#start = note?.start ?? this.#firstStart()
    const first: Note = { version: 1, start: this.#start, settings }
    this.#writeNote = note ? null : () => positions.writeNote(first)
    this.#columns = this.#makeColumns()
    this.#schema = { fields: this.#columns.map(c => c.field) }
    return { schema: this.#schema, partitions: this.#partitions }
  }

  begin(next: ReadonlyMap<string, number>): void {
    this.#next = this.#partitions.map(p => next.get(partitionKey(p)) ?? 0)
    if (this.#writeNote && this.#options.start === undefined && this.#next.some(offset => offset > 0)) {
      throw new ConnectError(
        'P001_POSITION_STOP',
        'there is a position, but the data folder does not know when time began for it',
        {
          hint: 'bring the data folder back, or give `start:` so that the rows do not depend on it',
        },
      )
    }
    const records = this.#next.map((offset, p) => recordAt(this.#layout, p, offset))
    this.#pace = createPace(this.#options, this.#layout, {
      start: this.#start,
      from: Math.min(...records),
      now: this.#clock.now(),
    })
  }

  async read(wanted: (p: TopicPartition) => boolean, signal: AbortSignal): Promise<readonly Chunk[] | null> {
    const pace = this.#pace
    if (!pace) throw new ConnectError('R001_INTERNAL', 'poll() before begin()')
    await this.#writeNote?.()
    this.#writeNote = null
    for (;;) {
      signal.throwIfAborted()
      const due = Math.min(pace.due(this.#clock.now()), this.#layout.count ?? Number.POSITIVE_INFINITY)
      const chunks = this.#chunks(wanted, due)
      if (chunks.length > 0) return chunks
      if (this.#delivered()) return null
      const wait = this.#waits(wanted) ? pace.wait(due, this.#clock.now()) : IDLE_MS
      await this.#clock.sleep(wait, signal)
    }
  }

  /** All of a bounded input; else what is due by now, or, where nothing holds it back, what was made so far. */
  async ends(): Promise<ReadonlyMap<string, number>> {
    const records = this.#layout.count ?? this.#pace?.due(this.#clock.now()) ?? 0
    const end = ({ partition }: TopicPartition): number => {
      const made = this.#next[partition] ?? 0
      return Number.isFinite(records) ? Math.max(made, endOffset(this.#layout, partition, records)) : made
    }
    return new Map(this.#partitions.map(p => [partitionKey(p), end(p)]))
  }

  async close(): Promise<void> {
    this.#pace = null
  }

  /** The given start, or now less the history, on a whole tick so that repeated runs look alike. */
  #firstStart(): number {
    const { start, history = 0, interval } = this.#options
    if (start !== undefined) return Date.parse(start)
    const grain = interval ?? 1000
    return Math.floor((this.#clock.now() - history) / grain) * grain
  }

  #makeColumns(): readonly Generated[] {
    const { keys, fields, time, seed, label } = this.#options
    const digits = String((keys?.count ?? 1) - 1).length
    const keyText = (key: number): string => (keys ? keys.prefix + String(key).padStart(digits, '0') : String(key))
    const context: ColumnContext = { seed, start: this.#start, layout: this.#layout, keyText }
    return [
      timeColumn(time),
      ...(keys ? [keyColumn(keys.column, context)] : []),
      ...Object.entries(fields).map(([name, options]) => damaged(generated(name, options, context), damage(name, this.#options))),
      ...(label !== undefined && this.#faults ? [labelColumn(label, context, this.#faults)] : []),
    ]
  }

  #chunks(wanted: (p: TopicPartition) => boolean, due: number): readonly Chunk[] {
    const chunks: Chunk[] = []
    for (const p of this.#partitions) {
      const from = this.#next[p.partition]
      if (!wanted(p)) continue
      const end = Number.isFinite(due) ? endOffset(this.#layout, p.partition, due) : Number.POSITIVE_INFINITY
      const next = Math.min(end, from + CHUNK_ROWS)
      if (next <= from) continue
      const rows = rowsAt(this.#layout, this.#start, { partition: p.partition, from, next }, this.#disturbance)
      chunks.push(this.#chunk(p, from, next, rows))
      this.#next[p.partition] = next
    }
    return chunks
  }

  #chunk(p: TopicPartition, from: number, next: number, rows: Rows): Chunk {
    if (rows.count === 0) return { ...p, from, next, block: null, bytes: 0 }
    const columns = this.#columns.map(c => c.fill(rows))
    const schema = this.#schema
    const block: Block = {
      kind: 'columns',
      ...p,
      count: rows.count,
      schema,
      columns,
      offset: rows.offset,
      timestamp: rows.time,
      rejected: [],
      raw: row => ({
        ...p,
        offset: rows.offset[row],
        timestamp: rows.time[row],
        key: null,
        value: Buffer.from(rowJson(schema, columns, row)),
        headers: [],
      }),
    }
    return { ...p, from, next, block, bytes: rows.count * (16 + 12 * columns.length) }
  }

  #delivered(): boolean {
    const { count } = this.#layout
    return count !== null && this.#partitions.every(p => this.#next[p.partition] >= endOffset(this.#layout, p.partition, count))
  }

  /** Some wanted partition has records left, so it is the clock that is waited for and not a resume. */
  #waits(wanted: (p: TopicPartition) => boolean): boolean {
    const { count } = this.#layout
    return this.#partitions.some(
      p => wanted(p) && (count === null || this.#next[p.partition] < endOffset(this.#layout, p.partition, count)),
    )
  }
}

/** Between two looks whether a paused partition was resumed while the others are done. */
const IDLE_MS = 50

/** What decides the rows. The pace, the count and the end do not: they may change between runs. Faults begin after the history. */
function settingsOf(options: GenerateOptions): string {
  const { count, for: length, history, rate, ...rest } = options
  const decisive = { ...rest, ...(rest.faults ? { history } : {}), step: layoutOf(options).step }
  return createHash('sha256').update(JSON.stringify(decisive)).digest('hex').slice(0, 32)
}
