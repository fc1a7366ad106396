import type { ColumnBlock } from '../../runtime/batch'
import { systemClock } from '../../runtime/clock'
import { contextIn } from '../../runtime/conformance/context'
import { partitionKey } from '../../runtime/origin'
import type { PluginContext, SourceDeclaration } from '../../runtime/plugin'
import { rowJson } from '../../runtime/row_json'
import type { Schema } from '../../runtime/schema'

export interface Read {
  readonly schema: Schema | null
  readonly blocks: readonly ColumnBlock[]
  /** Rows that are not rejected. */
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly rejected: readonly { readonly offset: number; readonly code: string; readonly message: string; readonly raw: string }[]
  readonly offsets: readonly number[]
}

/**
 * Opens a source, reads it to its end (or `limit` records) from an offset of every partition, stores the position it came to,
 * and closes it.
 */
export async function readSource(
  declaration: SourceDeclaration,
  config: unknown,
  options: {
    readonly dataDir: string
    readonly baseDir?: string
    readonly from?: number
    readonly limit?: number
  } & Partial<PluginContext>,
): Promise<Read> {
  const { dataDir, baseDir, from, limit = Number.POSITIVE_INFINITY, ...rest } = options
  const context = { ...contextIn(dataDir, { baseDir: baseDir ?? dataDir }), clock: systemClock, ...rest }
  const source = declaration.create(declaration.config.parse(config), context)
  const { signal } = new AbortController()
  const blocks: ColumnBlock[] = []
  let records = 0
  try {
    const schema = await source.open(signal)
    const [lane] = (await source.session(signal)).lanes
    const stored = await lane.committed(signal)
    const next = new Map(
      lane.partitions.map(p => [partitionKey(p), from ?? Math.max(0, stored.get(partitionKey(p))?.offset ?? 0)]),
    )
    lane.begin(next)
    while (records < limit) {
      const chunks = await lane.poll(signal)
      if (chunks === null) break
      for (const chunk of chunks) {
        records += chunk.next - chunk.from
        next.set(partitionKey(chunk), chunk.next)
        if (chunk.block?.kind === 'columns') blocks.push(chunk.block)
      }
    }
    await lane.commit(
      lane.partitions.map(p => ({ ...p, offset: next.get(partitionKey(p)) ?? 0, metadata: '' })),
      signal,
    )
    return { schema, blocks, ...rowsOf(blocks) }
  } finally {
    await source.close()
  }
}

function rowsOf(blocks: readonly ColumnBlock[]): Pick<Read, 'rows' | 'rejected' | 'offsets'> {
  const rows: Record<string, unknown>[] = []
  const rejected: { offset: number; code: string; message: string; raw: string }[] = []
  const offsets: number[] = []
  for (const block of blocks) {
    const bad = new Map(block.rejected.map(r => [r.row, r.error]))
    for (let i = 0; i < block.count; i++) {
      offsets.push(block.offset[i])
      const error = bad.get(i)
      if (!error) rows.push(JSON.parse(rowJson(block.schema, block.columns, i)))
      else rejected.push({ offset: block.offset[i], code: error.code, message: error.message, raw: String(block.raw(i).value) })
    }
  }
  return { rows, rejected, offsets }
}
