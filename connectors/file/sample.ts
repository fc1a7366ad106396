import type { FileOptions } from './options'
import { blocksOf, pagesOf } from './pages'
import { endOf, type FileShape } from './shape'

interface Sampled {
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
}

/** The first `infer.rows` records of a file, its header line left out. */
export async function* firstRecords(shape: FileShape, options: FileOptions): AsyncGenerator<Sampled> {
  const blocks = blocksOf({ path: shape.file.path, from: 0, to: shape.file.size }, 65_536)
  let skip = shape.format === 'csv' && options.csv.header ? 1 : 0
  let left = options.infer.rows
  for await (const page of pagesOf(blocks, { end: endOf(shape), maxRecord: options.max_record, firstLine: 1 })) {
    for (let i = 0; i < page.count; i++) {
      if (skip > 0) {
        skip -= 1
        continue
      }
      if (left-- === 0) return
      if (!page.tooLong[i]) yield { buffer: page.buffer, start: page.start[i], end: page.end[i] }
    }
  }
}
