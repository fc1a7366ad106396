import { createColumn, type VarColumn } from '../runtime/column'
import { ConnectError } from '../runtime/errors'
import { field } from '../runtime/schema'
import type { StateStore } from '../runtime/state'
import { appendValue } from '../runtime/value'
import type { ClickHouseStore } from './client'
import { ensureDatabase } from './database'

const TABLE = '_connect_state'

const SCHEMA = { fields: [field('pipeline', 'utf8'), field('flow', 'utf8'), field('lane', 'i32'), field('state', 'bytes')] }

/** A flow that did not run for so long begins anew. Longer than the pause between the runs of a monthly job; only frees what is abandoned. */
const KEPT_DAYS = 90

/**
 * Snapshots of stateful transforms in the table `_connect_state` of the pipeline's database, where every worker finds them. The latest
 * row of a lane wins; older ones go with the next merge.
 */
export function tableStates(store: ClickHouseStore, pipeline: string): StateStore {
  let made: Promise<void> | null = null
  const make = (signal: AbortSignal): Promise<void> => {
    made ??= createTable(store, signal).catch(error => {
      made = null
      throw error
    })
    return made
  }
  return {
    async read(flow, lane, signal) {
      await make(signal)
      const { columns, rows } = await store.select(
        `SELECT state FROM ${TABLE} WHERE pipeline = {pipeline:String} AND flow = {flow:String} AND lane = {lane:Int32} ORDER BY at DESC LIMIT 1`,
        { params: { pipeline, flow, lane }, signal },
      )
      const [column] = columns
      if (rows === 0) return null
      if (column?.layout !== 'var') throw new ConnectError('S003_TABLE_MISMATCH', `${TABLE}.state is not a string`)
      return Buffer.from((column satisfies VarColumn).bytes(0))
    },
    async write(flow, lane, bytes, signal) {
      await make(signal)
      const columns = SCHEMA.fields.map(f => createColumn(f, 1))
      ;[pipeline, flow, lane, bytes].forEach((value, i) => {
        appendValue(columns[i], value)
      })
      await store.insert({ database: store.database, table: TABLE }, { schema: SCHEMA, columns, rows: 1 }, { signal })
    },
  }
}

async function createTable(store: ClickHouseStore, signal: AbortSignal): Promise<void> {
  await ensureDatabase(store, signal)
  await store.command(
    `CREATE TABLE IF NOT EXISTS ${TABLE} (pipeline String, flow String, lane Int32, state String CODEC(ZSTD(1)), at DateTime64(6, 'UTC') DEFAULT now64(6)) ENGINE = ReplacingMergeTree(at) ORDER BY (pipeline, flow, lane) TTL toDateTime(at) + INTERVAL ${KEPT_DAYS} DAY`,
    { signal },
  )
}
