import { DictionaryColumn, F64Column, I64Column, VarColumn } from '../runtime/column'
import { field, type Schema, timestamp } from '../runtime/schema'
import { encodeArrow, loadArrow } from '../sql/arrow'
import { bind } from '../sql/bind'
import { checkRows } from '../sql/check'
import { createStore } from '../sql/client'
import { deduplication, INSERT_SETTINGS, insertStatement } from '../sql/insert'
import { columnsFor } from '../sql/types'

/**
 * CPU of this process per row: checking, encoding, and sending 100,000 rows as one insert.
 *
 *     node dist/bench/insert.js http://127.0.0.1:8123
 *
 * Prints one JSON line. The table is ENGINE = Null, so that the server costs little beside.
 */
const ROWS = 100_000
const ROUNDS = 40

const SCHEMA: Schema = {
  fields: [
    field('ts', timestamp('ms')),
    field('device', 'utf8'),
    field('region', 'dictionary'),
    field('cpu', 'f64'),
    field('mem', 'f64', true),
    field('seq', 'i64'),
  ],
}

async function main(url: string): Promise<void> {
  const store = createStore({ url, database: 'default', username: 'default', password: '', request_timeout: 60_000 })
  const table = { database: 'olap_connect_bench', table: 'rows' }
  const columns = columnsFor(SCHEMA)
  await store.send('CREATE DATABASE IF NOT EXISTS olap_connect_bench', [])
  await store.send(
    `CREATE OR REPLACE TABLE olap_connect_bench.rows (${columns.map(c => `${c.name} ${c.type}`).join(', ')}) ENGINE = Null`,
    [],
  )
  const binding = bind(
    SCHEMA,
    columns.map(c => ({ ...c, defaultKind: '' })),
  )
  const arrow = await loadArrow()
  const data = makeColumns()
  const encode = (): Uint8Array[] => encodeArrow(arrow, binding, data, ROWS)
  const settings = { ...INSERT_SETTINGS, ...deduplication(null) }
  const send = (body: Uint8Array[]): Promise<Buffer> => store.send(insertStatement(table, binding), body, { settings })
  const body = encode()
  const perRow = {
    check: await cpu(async () => void checkRows(binding, data, ROWS)),
    encode: await cpu(async () => void encode()),
    send: await cpu(async () => void (await send(body))),
    all: await cpu(async () => {
      checkRows(binding, data, ROWS)
      await send(encode())
    }),
  }
  const bytes = body.reduce((sum, part) => sum + part.byteLength, 0)
  process.stdout.write(`${JSON.stringify({ bench: 'insert', unit: 'us CPU/row', ...perRow, bytes_per_row: bytes / ROWS })}\n`)
  await store.send('DROP DATABASE olap_connect_bench', [])
  await store.close()
}

/** Microseconds of this process's CPU per row. */
async function cpu(work: () => Promise<void>): Promise<number> {
  for (let i = 0; i < 5; i++) await work()
  const before = process.cpuUsage()
  for (let i = 0; i < ROUNDS; i++) await work()
  const { user, system } = process.cpuUsage(before)
  return Number(((user + system) / ROUNDS / ROWS).toFixed(4))
}

function makeColumns() {
  const ts = new I64Column(timestamp('ms'), false)
  const device = new VarColumn({ kind: 'utf8' }, false)
  const region = new DictionaryColumn({ kind: 'dictionary' }, false, ['eu', 'us', 'ap'])
  const load = new F64Column({ kind: 'f64' }, false)
  const mem = new F64Column({ kind: 'f64' }, true)
  const seq = new I64Column({ kind: 'i64' }, false)
  const columns = [ts, device, region, load, mem, seq]
  for (const column of columns) column.reserve(ROWS, ROWS * 12)
  for (let i = 0; i < ROWS; i++) {
    ts.setNumber(i, 1_700_000_000_000 + i)
    const name = `device-${i % 1000}`
    device.data.write(name, device.offsets[i], 'latin1')
    device.offsets[i + 1] = device.offsets[i] + name.length
    region.ids[i] = i % 3
    load.values[i] = (i % 1000) / 10
    mem.values[i] = i % 512
    if (mem.nulls) mem.nulls[i] = i % 10 === 0 ? 1 : 0
    seq.setNumber(i, i)
  }
  for (const column of columns) column.length = ROWS
  return columns
}

void main(process.argv[2] ?? 'http://127.0.0.1:8123')
