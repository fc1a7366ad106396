import { type OffsetRange, partitionKey, type TopicPartition } from '../../runtime/origin'
import type { TableName } from '../../runtime/store'
import type { ClickHouseStore } from '../../sql/client'
import { identifier, integer, literal, tableName } from '../../sql/quote'
import { statement } from '../../sql/templates'
import { OFFSET, PARTITION, SOURCE, sourceName } from './provenance'

/** Rows of a table that came from these ranges. */
export interface Look {
  readonly store: ClickHouseStore
  readonly table: TableName
  readonly flow: string
  readonly ranges: readonly OffsetRange[]
  /** Event time column and the span of the batch in milliseconds, so that ClickHouse reads only the partitions concerned. */
  readonly time: { readonly column: string; readonly from: number; readonly to: number } | null
  readonly signal: AbortSignal
}

/** How many rows are there, and how many different ones. */
export async function countRows(look: Look): Promise<{ readonly rows: number; readonly different: number }> {
  const [row] = await look.store.query(statement('count_rows', { table: tableName(look.table), where: where(look) }), {
    signal: look.signal,
  })
  return { rows: Number(row.rows), different: Number(row.different) }
}

/** Which offsets are there, by source name and partition (see `presentKey`). */
export async function presentOffsets(look: Look): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const rows = await look.store.query(statement('present_rows', { table: tableName(look.table), where: where(look) }), {
    signal: look.signal,
  })
  return new Map(
    rows.map(r => [presentKey(String(r.source), Number(r.partition)), new Set((r.offsets as readonly string[]).map(Number))]),
  )
}

export const presentKey = (source: string, partition: number): string => `${source}|${partition}`

/** Highest offset of each partition, -1 for none (or none above `known`, which lets the index leave out nearly everything). */
export async function highestOffsets(q: {
  readonly store: ClickHouseStore
  readonly table: TableName
  readonly flow: string
  readonly partitions: readonly TopicPartition[]
  readonly known: ReadonlyMap<string, number> | undefined
  readonly signal: AbortSignal
}): Promise<ReadonlyMap<string, number>> {
  const parts = q.partitions.map(p => {
    const above = q.known?.get(partitionKey(p))
    return `(${ofPartition(q.flow, p)}${above === undefined ? '' : ` AND ${identifier(OFFSET)} > ${integer(above)}`})`
  })
  const rows = await q.store.query(statement('highest', { table: tableName(q.table), where: parts.join(' OR ') }), {
    signal: q.signal,
  })
  const found = new Map(rows.map(r => [presentKey(String(r.source), Number(r.partition)), Number(r.highest)]))
  return new Map(q.partitions.map(p => [partitionKey(p), found.get(presentKey(sourceName(q.flow, p.topic), p.partition)) ?? -1]))
}

const ofPartition = (flow: string, p: TopicPartition): string =>
  `${identifier(SOURCE)} = ${literal(sourceName(flow, p.topic))} AND ${identifier(PARTITION)} = ${integer(p.partition)}`

function where({ flow, ranges, time }: Look): string {
  const parts = ranges.map(
    r => `(${ofPartition(flow, r)} AND ${identifier(OFFSET)} BETWEEN ${integer(r.from)} AND ${integer(r.to)})`,
  )
  const any = `(${parts.join(' OR ')})`
  if (!time) return any
  const moment = (ms: number): string => `fromUnixTimestamp64Milli(${integer(ms)}, 'UTC')`
  return `${identifier(time.column)} BETWEEN ${moment(time.from)} AND ${moment(time.to)} AND ${any}`
}
