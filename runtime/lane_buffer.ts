import type { Clock } from './clock'
import { ConnectError } from './errors'
import type { Flush } from './fields'
import type { Lease } from './memory'
import { type OffsetRange, partitionKey, type TopicPartition } from './origin'
import type { Block, Chunk } from './plugin'
import { sliceBlock } from './slice'

/** A batch's worth of input: exact ranges, fixed before anything is written, and what was read in them. */
export interface Cut {
  readonly ranges: readonly OffsetRange[]
  readonly blocks: readonly Block[]
  readonly damaged: readonly NonNullable<Chunk['damaged']>[]
  readonly rows: number
  /** Those of them that were read before: `Chunk.repeated`. */
  readonly repeated: number
  readonly bytes: number
  /** Of the chunks that were taken, each to be released once. */
  readonly leases: readonly Lease[]
}

interface PartitionBuffer extends TopicPartition {
  readonly key: string
  readonly chunks: Chunk[]
  /** First offset not yet cut. */
  position: number
  /** Offset after the last one read. */
  read: number
}

/**
 * What a lane has read and not yet cut, per partition in the lane's order. Bounded by whoever fills it: `room` waits until
 * there is space.
 */
export class LaneBuffer {
  readonly #partitions: readonly PartitionBuffer[]
  readonly #byKey: ReadonlyMap<string, PartitionBuffer>
  readonly #clock: Clock
  readonly #quiet: number | null
  #rows = 0
  #bytes = 0
  #since: number | null = null
  /** Since when there is anything that is not cut. */
  #uncutSince: number | null = null
  #ended = false
  /** A chunk that is not cut asks not to wait for more. */
  #urgent = false
  #wake: (() => void)[] = []

  /**
   * `quiet`: ranges without rows (control records) are due by themselves after so many milliseconds, so that the position shows
   * that nothing is left; null: they wait for rows.
   */
  constructor(
    partitions: readonly TopicPartition[],
    next: ReadonlyMap<string, number>,
    clock: Clock,
    quiet: number | null = null,
  ) {
    this.#clock = clock
    this.#quiet = quiet
    this.#partitions = partitions.map(p => {
      const key = partitionKey(p)
      const start = next.get(key) ?? 0
      return { topic: p.topic, partition: p.partition, key, chunks: [], position: start, read: start }
    })
    this.#byKey = new Map(this.#partitions.map(p => [p.key, p]))
  }

  get rows(): number {
    return this.#rows
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Rows that are here for the first time. */
  get fresh(): number {
    const all = this.#partitions.flatMap(p => p.chunks)
    return all.reduce((rows, chunk) => rows + rowsOf(chunk) - (chunk.repeated ?? 0), 0)
  }

  /** True once the source has said that there will be no more. */
  get ended(): boolean {
    return this.#ended
  }

  /** Next offset to read, per partition: everything before it is cut or waits here. */
  reads(): ReadonlyMap<string, number> {
    return new Map(this.#partitions.map(p => [p.key, p.read]))
  }

  /** First offset not yet cut, per partition. */
  positions(): ReadonlyMap<string, number> {
    return new Map(this.#partitions.map(p => [p.key, p.position]))
  }

  position(key: string): number {
    return this.#byKey.get(key)?.position ?? 0
  }

  /** True while records of a partition wait to be cut. */
  hasRows(key: string): boolean {
    return this.#byKey.get(key)?.chunks.some(c => rowsOf(c) > 0) ?? false
  }

  /** Offsets are an invariant: what comes must go on exactly where the last one ended. */
  add(chunk: Chunk): void {
    const key = partitionKey(chunk)
    const partition = this.#byKey.get(key)
    if (!partition) throw new ConnectError('R001_INTERNAL', `${key} does not belong to this lane`)
    if (chunk.from !== partition.read) {
      throw new ConnectError('K002_OFFSET_JUMP', `${key}: expected offset ${partition.read}, got ${chunk.from}`, {
        stage: 'read',
      })
    }
    partition.read = chunk.next
    this.#uncutSince ??= this.#clock.monotonic()
    const last = partition.chunks.at(-1)
    if (last && isBare(last) && isBare(chunk)) {
      // as one: a partition may bring nothing else for weeks, and nothing here would bound their number
      partition.chunks[partition.chunks.length - 1] = { ...last, next: chunk.next }
      this.#notify()
      return
    }
    partition.chunks.push(chunk)
    this.#rows += rowsOf(chunk)
    this.#bytes += chunk.bytes
    if (rowsOf(chunk) > 0) this.#since ??= this.#clock.monotonic()
    this.#urgent ||= chunk.urgent ?? false
    this.#notify()
  }

  end(): void {
    this.#ended = true
    this.#notify()
  }

  /**
   * Waits until a batch is due: enough rows or bytes, the oldest is old enough, the source does not expect more for now, or the
   * input has ended with something left. Resolves false when the input has ended and nothing that is due by itself is left.
   */
  async due(flush: Flush, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      signal.throwIfAborted()
      if (this.isDue(flush)) return true
      if (this.#ended) return this.#rows > 0 || (this.#quiet !== null && this.#uncutSince !== null)
      const dueAt =
        this.#since !== null
          ? this.#since + flush.interval
          : this.#uncutSince !== null && this.#quiet !== null
            ? this.#uncutSince + this.#quiet
            : null
      await this.#changed(signal, dueAt === null ? null : Math.max(0, dueAt - this.#clock.monotonic()))
    }
  }

  isDue(flush: Flush): boolean {
    if (this.#rows === 0) {
      return this.#quiet !== null && this.#uncutSince !== null && this.#clock.monotonic() - this.#uncutSince >= this.#quiet
    }
    if (this.#urgent || this.#rows >= flush.rows || this.#bytes >= flush.bytes) return true
    return this.#since !== null && this.#clock.monotonic() - this.#since >= flush.interval
  }

  /**
   * Waits until fewer than `limit` bytes wait here and less than a whole batch (a second one would only take memory), or until it
   * is `urgent` to read on all the same.
   */
  async room(limit: number, flush: Flush, signal: AbortSignal, urgent: () => boolean): Promise<void> {
    while ((this.#bytes >= limit || this.#rows >= flush.rows) && !urgent()) await this.#changed(signal, null)
  }

  /** Waits for any change, at most `ms`. */
  async changed(signal: AbortSignal, ms: number): Promise<void> {
    await this.#changed(signal, ms)
  }

  /**
   * Takes up to `maxRows` rows, shared evenly among the partitions that have any, each up to the end of what was read where it
   * fits. Ranges without a row (control records) ride along.
   */
  cut(maxRows: number): Cut {
    const busy = this.#partitions.filter(p => p.chunks.length > 0)
    const share = Math.max(1, Math.floor(maxRows / Math.max(1, busy.length)))
    const all = this.#rows <= maxRows
    return this.#take(busy.map(p => [p, all ? p.read - 1 : lastOffsetWithin(p.chunks, share)] as const))
  }

  /** Like `cut`, but takes no offset at or beyond these. No ranges if nothing before them has been read. */
  cutBefore(limits: ReadonlyMap<string, number>, maxRows: number): Cut {
    const busy = this.#partitions.filter(p => p.chunks.length > 0 && p.position < (limits.get(p.key) ?? p.position))
    const share = Math.max(1, Math.floor(maxRows / Math.max(1, busy.length)))
    return this.#take(busy.map(p => [p, Math.min(lastOffsetWithin(p.chunks, share), (limits.get(p.key) ?? 0) - 1)] as const))
  }

  /** True while something waits that lies before these offsets. */
  holdsBefore(limits: ReadonlyMap<string, number>): boolean {
    return this.#partitions.some(p => p.chunks.length > 0 && p.position < (limits.get(p.key) ?? p.position))
  }

  /** True once everything in these ranges has been read. */
  holds(ranges: readonly { readonly key: string; readonly to: number }[]): boolean {
    return ranges.every(r => (this.#byKey.get(r.key)?.read ?? -1) > r.to)
  }

  /** Takes exactly these ranges; each must start at the partition's position and be held. */
  cutExactly(ranges: readonly { readonly key: string; readonly from: number; readonly to: number }[]): Cut {
    const wanted = new Map(ranges.map(r => [r.key, r]))
    const parts: (readonly [PartitionBuffer, number])[] = []
    for (const p of this.#partitions) {
      const range = wanted.get(p.key)
      if (!range) continue
      if (range.from !== p.position || p.read <= range.to) {
        throw new ConnectError(
          'R001_INTERNAL',
          `${p.key}: cannot cut ${range.from}..${range.to} from ${p.position}..${p.read - 1}`,
        )
      }
      parts.push([p, range.to])
    }
    return this.#take(parts)
  }

  #take(parts: readonly (readonly [PartitionBuffer, number])[]): Cut {
    const ranges: OffsetRange[] = []
    const blocks: Block[] = []
    const damaged: NonNullable<Chunk['damaged']>[] = []
    const leases: Lease[] = []
    let rows = 0
    let repeated = 0
    let bytes = 0
    for (const [p, to] of parts) {
      if (to < p.position) continue
      ranges.push({ topic: p.topic, partition: p.partition, from: p.position, to })
      while (p.chunks.length > 0 && p.chunks[0].from <= to) {
        const chunk = p.chunks[0]
        const [taken, rest] = chunk.next <= to + 1 ? [chunk, null] : splitChunk(chunk, to + 1)
        if (rest) {
          p.chunks[0] = rest
          rest.lease?.retain()
        } else p.chunks.shift()
        if (taken.lease) leases.push(taken.lease)
        if (taken.block) blocks.push(taken.block)
        if (taken.damaged) damaged.push(taken.damaged)
        rows += rowsOf(taken)
        repeated += taken.repeated ?? 0
        bytes += taken.bytes
      }
      p.position = to + 1
    }
    this.#rows -= rows
    this.#bytes -= bytes
    this.#since = this.#rows > 0 ? this.#clock.monotonic() : null
    this.#uncutSince = this.#partitions.some(p => p.chunks.length > 0) ? this.#clock.monotonic() : null
    this.#urgent &&= this.#rows > 0
    this.#notify()
    return { ranges, blocks, damaged, rows, repeated, bytes, leases }
  }

  /** Gives back what waits here; nothing may be added or cut afterwards. */
  close(): void {
    for (const partition of this.#partitions) {
      for (const { lease } of partition.chunks.splice(0)) lease?.release()
    }
  }

  #notify(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }

  #changed(signal: AbortSignal, ms: number | null): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      let timer: NodeJS.Timeout | null = null
      const finish = (): void => {
        if (timer) clearTimeout(timer)
        signal.removeEventListener('abort', abort)
        this.#wake = this.#wake.filter(w => w !== finish)
        resolve()
      }
      const abort = (): void => {
        finish()
        reject(signal.reason)
      }
      if (ms !== null) timer = setTimeout(finish, ms)
      this.#wake.push(finish)
      signal.addEventListener('abort', abort, { once: true })
    })
  }
}

/** A damaged stretch counts as one row: it must be settled like a record. */
const rowsOf = (chunk: Chunk): number => (chunk.block?.count ?? 0) + (chunk.damaged ? 1 : 0)

/** A stretch of offsets and nothing else: no records, no bytes to be given back. */
const isBare = (chunk: Chunk): boolean => chunk.block === null && !chunk.damaged && !chunk.lease

/** Offset up to which about `rows` rows lie (at least one chunk's first row). */
function lastOffsetWithin(chunks: readonly Chunk[], rows: number): number {
  let left = rows
  for (const chunk of chunks) {
    const count = rowsOf(chunk)
    if (count > left) return chunk.block && left > 0 ? chunk.block.offset[left - 1] : chunk.from - 1
    left -= count
    if (left === 0) return chunk.next - 1
  }
  return chunks[chunks.length - 1].next - 1
}

/** Cuts a chunk in two before offset `at`. */
function splitChunk(chunk: Chunk, at: number): readonly [Chunk, Chunk] {
  if (chunk.damaged) {
    throw new ConnectError(
      'P001_POSITION_STOP',
      `${partitionKey(chunk)}: a range ends at ${at - 1}, inside a damaged batch ${chunk.from}..${chunk.next - 1}`,
    )
  }
  const { block } = chunk
  let row = 0
  if (block) while (row < block.count && block.offset[row] < at) row++
  const share = block && block.count > 0 ? row / block.count : 0
  const firstBytes = Math.round(chunk.bytes * share)
  // which of the rows they are is the source's knowledge, so this is right for the sum of both
  const repeated = chunk.repeated ?? 0
  const firstRepeated = Math.round(repeated * share)
  return [
    {
      ...chunk,
      next: at,
      block: block && row > 0 ? sliceBlock(block, 0, row) : null,
      bytes: firstBytes,
      repeated: firstRepeated,
    },
    {
      ...chunk,
      from: at,
      block: block && row < block.count ? sliceBlock(block, row, block.count) : null,
      bytes: chunk.bytes - firstBytes,
      repeated: repeated - firstRepeated,
    },
  ]
}
