import type { Block } from './plugin'
import { takeColumn } from './take'

/** Rows `from`..`to` (exclusive) of a block. Records share the buffer; typed columns are copied. */
export function sliceBlock(block: Block, from: number, to: number): Block {
  if (from === 0 && to === block.count) return block
  const offset = block.offset.subarray(from, to)
  const timestamp = block.timestamp.subarray(from, to)
  if (block.kind === 'records') {
    return {
      ...block,
      count: to - from,
      keyStart: block.keyStart.subarray(from, to),
      keyEnd: block.keyEnd.subarray(from, to),
      valueStart: block.valueStart.subarray(from, to),
      valueEnd: block.valueEnd.subarray(from, to),
      headersStart: block.headersStart.subarray(from, to),
      headersEnd: block.headersEnd.subarray(from, to),
      offset,
      timestamp,
    }
  }
  const rows = Int32Array.from({ length: to - from }, (_, i) => from + i)
  const { raw } = block
  return {
    ...block,
    count: to - from,
    columns: block.columns.map(c => takeColumn(c, rows)),
    offset,
    timestamp,
    rejected: block.rejected.filter(r => r.row >= from && r.row < to).map(r => ({ ...r, row: r.row - from })),
    raw: row => raw(row + from),
  }
}
