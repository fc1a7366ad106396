import { open } from 'node:fs/promises'
import { ConnectError } from '../../runtime/errors'
import type { FileOptions } from './options'
import { blocksOf, countNewlines, isCompressed, type Page, pagesOf, type Segment } from './pages'
import { endOf, type FileShape } from './shape'

/** A place in one stretch of a file, record by record. `page` and `at` say where the current one stands. */
export class Cursor {
  page: Page | null = null
  at = 0
  /** Set by a merge: order of the current record. */
  key = Number.NEGATIVE_INFINITY
  readonly #pages: AsyncGenerator<Page>

  /** `order`: place of the file among those of its generation, which decides between equal keys. */
  private constructor(
    readonly shape: FileShape,
    readonly order: number,
    pages: AsyncGenerator<Page>,
  ) {
    this.#pages = pages
  }

  /** At the first record. Throws P001_POSITION_STOP where the stretch goes on in the middle of a line already read. */
  static async open(
    shape: FileShape,
    order: number,
    stretch: { readonly from: number; readonly to: number },
    options: FileOptions & { readonly blockSize: number },
  ): Promise<Cursor> {
    const segment: Segment = { path: shape.file.path, ...stretch }
    if (stretch.from > 0) await requireNewLine(segment)
    const firstLine = stretch.from > 0 && !isCompressed(segment.path) ? 1 + (await linesBefore(segment)) : 1
    const pages = pagesOf(blocksOf(segment, options.blockSize), { end: endOf(shape), maxRecord: options.max_record, firstLine })
    const cursor = new Cursor(shape, order, pages)
    await cursor.#load()
    const hasHeader = shape.format === 'csv' && options.csv.header && stretch.from === 0
    if (hasHeader && cursor.page) await cursor.next()
    return cursor
  }

  /** To the next record; synchronous within a page. `page` is null after the last one. */
  next(): Promise<void> | void {
    this.at += 1
    if (this.page && this.at >= this.page.count) return this.#load()
  }

  /** Leaves out the rest of the page at once; returns how many records that were. */
  async nextPage(): Promise<number> {
    const left = this.page ? this.page.count - this.at : 0
    await this.#load()
    return left
  }

  async close(): Promise<void> {
    this.page = null
    await this.#pages.return(undefined)
  }

  async #load(): Promise<void> {
    const { value, done } = await this.#pages.next()
    this.page = done ? null : value
    this.at = 0
  }
}

/** What was read before must have ended with its line, else the record would be counted twice, in two halves. */
async function requireNewLine(segment: Segment): Promise<void> {
  const file = await open(segment.path, 'r')
  try {
    const around = Buffer.alloc(3)
    const { bytesRead } = await file.read(around, 0, 3, segment.from - 1)
    const [last, next, second] = around.subarray(0, bytesRead)
    if (last === 10 || next === 10 || (next === 13 && second === 10)) return
  } finally {
    await file.close()
  }
  throw new ConnectError('P001_POSITION_STOP', `${segment.path}: its last line was read before it was complete`, {
    hint: 'write whole lines, or give the flow another name to read all again',
  })
}

async function linesBefore(segment: Segment): Promise<number> {
  let lines = 0
  for await (const block of blocksOf({ ...segment, from: 0, to: segment.from }, 1 << 20))
    lines += countNewlines(block, 0, block.length)
  return lines
}
