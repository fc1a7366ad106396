import { partitionKey, type TopicPartition } from '../../runtime/origin'
import type { Block, Chunk, Committed, LaneReader, Position, TransactionGroup } from '../../runtime/plugin'
import type { Schema } from '../../runtime/schema'
import { parseClosing } from '../../runtime/views/closing_record'
import type { LoggedClosing } from '../../runtime/views/contracts'
import { ClosedRows } from './closed_rows'
import type { ShardReads } from './shard_reads'

/** Closings of one shard that were read and whose rows were not. */
interface Waiting extends TopicPartition {
  /** Everything from here to `next` is covered. */
  readonly from: number
  readonly next: number
  readonly closings: readonly ShardClosing[]
}

type ShardClosing = LoggedClosing & { readonly shards: number }

/** A lane of closings as a lane of their rows: positions, pausing and ends are those of the closings. */
export class ShardLane implements LaneReader {
  readonly #inner: LaneReader
  readonly #schema: Schema
  readonly #reads: ShardReads
  readonly #rows = new Map<string, ClosedRows>()
  #waiting: ReadonlyMap<string, Waiting> = new Map()

  /** `schema`: that of the rows, `_kind` included; its name is the view's. */
  constructor(inner: LaneReader, schema: Schema, reads: ShardReads) {
    this.#inner = inner
    this.#schema = schema
    this.#reads = reads
  }

  get lane(): number {
    return this.#inner.lane
  }

  get partitions(): readonly TopicPartition[] {
    return this.#inner.partitions
  }

  get group(): TransactionGroup | null {
    return this.#inner.group
  }

  async poll(signal: AbortSignal): Promise<readonly Chunk[] | null> {
    if (this.#waiting.size === 0) {
      const chunks = await this.#inner.poll(signal)
      if (chunks === null) return null
      this.#waiting = joined(chunks, this.#schema.name ?? '')
    }
    // all at once, so that their statements can be one
    const done = await Promise.all([...this.#waiting.values()].map(w => this.#read(w, signal)))
    this.#waiting = new Map(done.flatMap(d => (d.left ? [[partitionKey(d.left), d.left] as const] : [])))
    const read = done.flatMap(d => d.chunks)
    // the next window closes a slide later: an alarm must not wait for it
    return this.#waiting.size > 0 ? read : read.map(c => ({ ...c, urgent: true }))
  }

  committed(signal: AbortSignal): Promise<ReadonlyMap<string, Committed>> {
    return this.#inner.committed(signal)
  }

  startOffsets(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    return this.#inner.startOffsets(partitions, signal)
  }

  begin(next: ReadonlyMap<string, number>): void {
    this.#inner.begin(next)
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#inner.pause(partitions)
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#inner.resume(partitions)
  }

  commit(positions: readonly Position[], signal: AbortSignal): Promise<void> {
    return this.#inner.commit(positions, signal)
  }

  ends(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    return this.#inner.ends(signal)
  }

  async #read(
    waiting: Waiting,
    signal: AbortSignal,
  ): Promise<{ readonly chunks: readonly Chunk[]; readonly left: Waiting | null }> {
    const { topic, partition, closings, next } = waiting
    if (closings.length === 0) return { chunks: [{ ...waiting, bytes: 0, block: null }], left: null }
    const rows = this.#rowsOf(waiting, closings[0].shards)
    const other = closings.findIndex(c => c.shards !== closings[0].shards)
    const alike = Math.min(rows.atOnce, other < 0 ? closings.length : other)
    const read = await rows.read(closings.slice(0, alike), signal)
    const reached = read[read.length - 1].next
    const rest = closings.filter(c => c.offset >= reached)
    const end = rest.length === 0 ? next : reached
    // between closings stand the marks of transactions
    let from = waiting.from
    const chunks = read.map((chunk, i): Chunk => {
      const covered = { ...chunk, from, next: i === read.length - 1 ? end : chunk.next }
      from = covered.next
      return covered
    })
    return { chunks, left: rest.length === 0 ? null : { topic, partition, from: reached, next, closings: rest } }
  }

  #rowsOf({ topic, partition }: TopicPartition, of: number): ClosedRows {
    const key = `${partition} of ${of}`
    const known = this.#rows.get(key)
    if (known) return known
    const windows = this.#reads.reader(partition, of)
    const rows = new ClosedRows({ windows, schema: this.#schema, partition: { topic, partition } })
    this.#rows.set(key, rows)
    return rows
  }
}

/** What was fetched, by partition. */
function joined(chunks: readonly Chunk[], view: string): ReadonlyMap<string, Waiting> {
  const found = new Map<string, Waiting>()
  for (const chunk of chunks) {
    // read past, its windows would be lost
    if (chunk.damaged) throw chunk.damaged.error
    const { topic, partition, from, next } = chunk
    const key = partitionKey(chunk)
    const before = found.get(key) ?? { topic, partition, from, next, closings: [] }
    found.set(key, { ...before, next, closings: [...before.closings, ...closingsOf(chunk.block, view)] })
  }
  return found
}

function closingsOf(block: Block | null, view: string): readonly ShardClosing[] {
  if (block?.kind !== 'records') return []
  const { topic, partition, buffer, valueStart, valueEnd } = block
  return Array.from({ length: block.count }, (_, row) => row).flatMap(row => {
    const offset = block.offset[row]
    const value = buffer.subarray(valueStart[row], valueEnd[row])
    const closing = parseClosing(view, value, `${topic}/${partition} offset ${offset}`)
    return closing ? [{ ...closing, offset }] : []
  })
}
