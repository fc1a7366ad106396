import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Bench, CONNECTIONS, envelopeOf, runResult, startBench } from '../support/connect'

/** Several files and flows in one process; what the ClickHouse sink makes of `retain` and `upsert`. */

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench?.stop())

const inFolder = (folder: string, files: Readonly<Record<string, string>>): string => {
  const at = path.join(bench.folder, folder)
  mkdirSync(at, { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(at, name), text)
  return at
}
const numbers = (from: number, count: number): string =>
  `id,text\n${Array.from({ length: count }, (_, i) => `${from + i},row ${from + i}`).join('\n')}\n`

test('a folder of pipeline files runs in one process; a flow that fails ends alone', async () => {
  const topic = bench.unique('numbers')
  const one = bench.unique('one')
  const two = bench.unique('two')
  const folder = inFolder('several', {
    'a.csv': numbers(0, 1_000),
    'b.csv': numbers(1_000, 500),
    'broken.csv': 'id,text\n1,ok\nnot a number,bad\n3,ok\n',
    'one.yaml': `name: ${one}
${CONNECTIONS}
flows:
  publish:
    source: {type: file, path: a.csv, schema: {id: i64, text: utf8}}
    sink: {type: kafka, topic: {name: ${topic}, partitions: 2}, key: [id], value: avro}
  ingest:
    source: {type: kafka, topics: [${topic}], value: avro}
    sink: {type: clickhouse, table: several, order_by: [id]}
`,
    'two.yaml': `name: ${two}
${CONNECTIONS}
flows:
  direct:
    source: {type: file, path: b.csv, schema: {id: i64, text: utf8}}
    sink: {type: clickhouse, table: direct, order_by: [id]}
  broken:
    source: {type: file, path: broken.csv, schema: {id: i64, text: utf8}}
    sink: {type: clickhouse, table: broken, order_by: [id]}
`,
  })
  const outcome = await bench.run(folder)
  expect({ code: outcome.code, ...envelopeOf(outcome) }).toMatchObject({
    code: 1,
    ok: false,
    command: 'run',
    summary: expect.stringMatching(/^1 of 4 /),
    error: { message: expect.stringMatching(/broken\.csv/) },
  })
  expect(runResult(outcome).flows).toEqual({
    [`${one}/publish`]: { read: 1_000, written: 1_000, filtered: 0, dead_lettered: 0, restarts: 0 },
    [`${one}/ingest`]: { read: 1_000, written: 1_000, filtered: 0, dead_lettered: 0, restarts: 0 },
    [`${two}/direct`]: { read: 500, written: 500, filtered: 0, dead_lettered: 0, restarts: 0 },
    [`${two}/broken`]: expect.objectContaining({ written: 0, error: expect.stringMatching(/^D00/) }),
  })
  const sums = (table: string): Promise<readonly unknown[]> =>
    bench.sql(
      `SELECT count() AS n, uniqExact(id) AS ids, sum(id) AS sum, countIf(text = 'row ' || toString(id)) AS same FROM {db}.${table}`,
    )
  expect(await sums('several')).toEqual([{ n: '1000', ids: '1000', sum: '499500', same: '1000' }])
  expect(await sums('direct')).toEqual([{ n: '500', ids: '500', sum: '624750', same: '500' }])
})

test('two files of one name are refused', async () => {
  const text = `name: twin\nflows:\n  f:\n    source: {type: generate, count: 1, fields: {v: {type: sequence}}}\n    sink: {type: stdout}\n`
  const outcome = await bench.run(inFolder('twins', { 'a.yaml': text, 'b.yaml': text }))
  expect({ code: outcome.code, error: envelopeOf(outcome).error?.code }).toEqual({ code: 2, error: 'C008_DUPLICATE_KEY' })
})

test('retain: old rows go with their partition, younger ones stay; a second run adds what the file got', async () => {
  const day = 86_400_000
  const now = Date.now()
  const line = (age: number): string => `${new Date(now - age * day).toISOString()},${age}`
  const ages = [0, 1, 6, 20, 400]
  const folder = inFolder('retain', {
    'in.csv': `ts,age\n${ages.map(line).join('\n')}\n`,
    'retain.yaml': `name: ${bench.unique('retain')}
${CONNECTIONS}
flows:
  ingest:
    source: {type: file, path: in.csv, schema: {ts: timestamp(ms), age: i32}, time: ts}
    sink: {type: clickhouse, table: retained, time: ts, order_by: [ts], retain: 7d}
`,
  })
  const file = path.join(folder, 'retain.yaml')
  expect(runResult(await bench.run(file)).flows.ingest).toMatchObject({ read: 5, written: 5 })
  const [table] = await bench.sql(
    `SELECT partition_key, create_table_query AS text FROM system.tables WHERE database = '{db}' AND name = 'retained'`,
  )
  expect(table.partition_key).toBe('toYYYYMMDD(ts)')
  expect(table.text).toMatch(/TTL ts \+ toIntervalSecond\(604800\)/)
  await bench.command('OPTIMIZE TABLE {db}.retained FINAL')
  const left = async (): Promise<readonly unknown[]> =>
    (await bench.sql('SELECT age FROM {db}.retained ORDER BY age')).map(r => r.age)
  expect(await left()).toEqual([0, 1, 6])
  // what ClickHouse deleted is not taken for lost rows
  writeFileSync(path.join(folder, 'in.csv'), `ts,age\n${[...ages, 2].map(line).join('\n')}\n`)
  expect(runResult(await bench.run(file)).flows.ingest).toMatchObject({ read: 1, written: 1 })
  expect(await left()).toEqual([0, 1, 2, 6])
})

test('upsert: the row with the highest version stays, whatever the order', async () => {
  const versions = [
    [1, 1, 'a1'],
    [1, 3, 'a3'],
    [1, 2, 'a2'],
    [2, 5, 'b5'],
    [2, 4, 'b4'],
  ]
  const folder = inFolder('upsert', {
    'in.csv': `id,rev,text\n${versions.map(v => v.join(',')).join('\n')}\n`,
    'upsert.yaml': `name: ${bench.unique('upsert')}
${CONNECTIONS}
flows:
  ingest:
    source: {type: file, path: in.csv, schema: {id: i64, rev: i64, text: utf8}}
    sink: {type: clickhouse, table: latest, mode: upsert, version: rev, order_by: [id]}
`,
  })
  const file = path.join(folder, 'upsert.yaml')
  expect((await bench.run(file)).code).toBe(0)
  const rows = (): Promise<readonly unknown[]> => bench.sql('SELECT id, rev, text FROM {db}.latest FINAL ORDER BY id')
  expect(await rows()).toEqual([
    { id: '1', rev: '3', text: 'a3' },
    { id: '2', rev: '5', text: 'b5' },
  ])
  writeFileSync(
    path.join(folder, 'in.csv'),
    `id,rev,text\n${[...versions, [1, 1, 'late'], [2, 9, 'b9']].map(v => v.join(',')).join('\n')}\n`,
  )
  expect(runResult(await bench.run(file)).flows.ingest).toMatchObject({ read: 2, written: 2 })
  expect(await rows()).toEqual([
    { id: '1', rev: '3', text: 'a3' },
    { id: '2', rev: '9', text: 'b9' },
  ])
})
