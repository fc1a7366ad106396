import { ConnectError } from '../../runtime/errors'
import { Cursor } from './cursor'
import type { Generation } from './note'
import type { FileOptions } from './options'
import { inSequence, type KeyOf, merged, type Order } from './order'
import type { FileShape } from './shape'

/** Memory for blocks of all files of a generation together, and the bounds of one block. */
const BLOCKS_BYTES = 32 * 1024 * 1024
const LEAST_BLOCK_BYTES = 4096
const MOST_BLOCK_BYTES = 256 * 1024

export interface ReadingOptions {
  readonly generations: readonly Generation[]
  readonly shapes: ReadonlyMap<string, FileShape>
  readonly options: FileOptions
  /** Null: files one after the other. */
  readonly keyOf: KeyOf | null
}

/** One pass over all records of all generations, in the order in which they are counted. */
export class Reading {
  /** Number of the record it stands at. */
  next = 0
  readonly #o: ReadingOptions
  #generation = -1
  #cursors: readonly Cursor[] = []
  #order: Order = inSequence([])

  constructor(options: ReadingOptions) {
    this.#o = options
  }

  /** The cursor at the record `next`, or null after the last one. Waits only where a file has to be opened. */
  current(): Cursor | null | Promise<Cursor | null> {
    return this.#order.current() ?? this.#followingGeneration()
  }

  /** To the next record; waits only where a page is used up. */
  advance(): Promise<void> | void {
    this.next += 1
    return this.#order.advance()
  }

  /** To record number `to`. Throws P001_POSITION_STOP if there are fewer. */
  async skip(to: number, signal: AbortSignal): Promise<void> {
    while (this.next < to) {
      signal.throwIfAborted()
      const cursor = await this.current()
      if (!cursor) {
        throw new ConnectError('P001_POSITION_STOP', `the position is ${to}, but the files hold ${this.next} records`)
      }
      const whole = cursor.page ? cursor.page.count - cursor.at : 0
      // without a merge nobody has to look at the records
      if (this.#o.keyOf === null && this.next + whole <= to) this.next += await cursor.nextPage()
      else await this.advance()
    }
  }

  /** How many records there are; only without a merge. Uses the reading up. */
  async count(signal: AbortSignal): Promise<number> {
    if (this.#o.keyOf !== null) throw new ConnectError('R001_INTERNAL', 'count() of a merge')
    for (let cursor = await this.current(); cursor; cursor = await this.current()) {
      signal.throwIfAborted()
      this.next += await cursor.nextPage()
    }
    return this.next
  }

  async close(): Promise<void> {
    const cursors = this.#cursors
    this.#cursors = []
    this.#order = inSequence([])
    this.#generation = this.#o.generations.length
    for (const cursor of cursors) await cursor.close()
  }

  async #followingGeneration(): Promise<Cursor | null> {
    const { generations, keyOf, options } = this.#o
    while (this.#generation + 1 < generations.length) {
      await this.#closeCursors()
      this.#generation += 1
      this.#cursors = await this.#open(generations[this.#generation])
      this.#order = keyOf ? merged(this.#cursors, keyOf, options.unsorted) : inSequence(this.#cursors)
      const cursor = this.#order.current()
      if (cursor) return cursor
    }
    return null
  }

  async #open(generation: Generation): Promise<readonly Cursor[]> {
    const { shapes, options } = this.#o
    const share = Math.floor(BLOCKS_BYTES / Math.max(1, generation.length))
    const blockSize = Math.min(MOST_BLOCK_BYTES, Math.max(LEAST_BLOCK_BYTES, share))
    const cursors: Cursor[] = []
    for (const [order, stretch] of generation.entries()) {
      const shape = shapes.get(stretch.id)
      if (!shape) throw new ConnectError('R001_INTERNAL', `the note names ${stretch.id}, which was not found`)
      cursors.push(await Cursor.open(shape, order, stretch, { ...options, blockSize }))
    }
    return cursors
  }

  async #closeCursors(): Promise<void> {
    for (const cursor of this.#cursors) await cursor.close()
    this.#cursors = []
  }
}
