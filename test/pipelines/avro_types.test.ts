import { EVERYTHING, JSON_COLUMNS, REDRESSED, type Row, rowsOf, SELECT, seen } from '../support/avro_everything'
import { avscType } from '../support/avsc'
import { type Bench, CONNECTIONS, envelopeOf, runResult, startBench } from '../support/connect'
import { wire } from '../support/wire'

/** Every Avro type through Kafka into ClickHouse, and through our Kafka sink, against avsc; and what a table must not change. */

const ROWS = 300
const rows = rowsOf(ROWS, 20_260_101)
const type = avscType(EVERYTHING)
const bodies = rows.map(row => type.toBuffer(row))

let bench: Bench
let topic: string
beforeAll(async () => {
  bench = await startBench()
  topic = bench.unique('everything')
  await produceAvro(topic, EVERYTHING, bodies)
})
afterAll(() => bench?.stop())

async function schemaOf(id: number): Promise<unknown> {
  const response = await fetch(`${bench.registry.address}/schemas/ids/${id}`)
  return JSON.parse(((await response.json()) as { schema: string }).schema)
}

async function produceAvro(name: string, schema: object, records: readonly Buffer[]): Promise<void> {
  const id = await bench.registerValues(name, schema)
  await produce(
    name,
    records.map(body => wire(id, body)),
  )
}

async function produce(name: string, values: readonly Buffer[]): Promise<void> {
  const producer = bench.client.producer()
  await producer.connect()
  await producer.send({ topic: name, messages: values.map(value => ({ value })) })
  await producer.disconnect()
}

test('into ClickHouse and back', async () => {
  const file = bench.file(
    'types.yaml',
    `name: ${bench.unique('types')}
${CONNECTIONS}
flows:
  ingest:
    source: {type: kafka, topics: [${topic}], value: avro}
    sink: {type: clickhouse, table: everything, order_by: [id]}
`,
  )
  const outcome = await bench.run(file)
  expect({ code: outcome.code, flows: runResult(outcome).flows }).toEqual({
    code: 0,
    flows: { ingest: { read: ROWS, written: ROWS, filtered: 0, dead_lettered: 0, restarts: 0 } },
  })
  const read = await bench.sql(`SELECT ${SELECT} FROM {db}.everything ORDER BY id`)
  const plain = read.map(row => {
    const parsed = Object.entries(row).map(([name, value]) =>
      JSON_COLUMNS.has(name.slice(0, -1)) && typeof value === 'string' ? [name, JSON.parse(value)] : [name, value],
    )
    return Object.fromEntries(parsed) as Row
  })
  expect(plain).toEqual(rows.map(seen))
})

const inOrder = (a: { offset: string }, b: { offset: string }): number => Number(a.offset) - Number(b.offset)

test('through our Kafka sink with the original schema: the same bytes', async () => {
  const out = bench.unique('same')
  bench.file('everything.avsc', JSON.stringify(EVERYTHING))
  const file = bench.file(
    'same.yaml',
    `name: ${bench.unique('same')}
${CONNECTIONS}
flows:
  copy:
    source: {type: kafka, topics: [${topic}], value: avro}
    sink: {type: kafka, topic: ${out}, value: {format: avro, schema: everything.avsc}}
`,
  )
  const outcome = await bench.run(file)
  expect({ code: outcome.code, flows: runResult(outcome).flows }).toMatchObject({ code: 0, flows: { copy: { written: ROWS } } })
  const records = [...(await bench.records(out))].sort(inOrder)
  expect(records.map(r => r.value?.subarray(5).toString('hex'))).toEqual(bodies.map(b => b.toString('hex')))
})

test('through our Kafka sink with the schema it makes: avsc reads the same values', async () => {
  const out = bench.unique('derived')
  const file = bench.file(
    'derived.yaml',
    `name: ${bench.unique('derived')}
${CONNECTIONS}
flows:
  copy:
    source: {type: kafka, topics: [${topic}], value: avro}
    sink: {type: kafka, topic: ${out}, value: avro}
`,
  )
  const outcome = await bench.run(file)
  expect({ code: outcome.code, flows: runResult(outcome).flows }).toMatchObject({ code: 0, flows: { copy: { written: ROWS } } })
  const records = [...(await bench.records(out))].sort(inOrder)
  const ids = new Set(records.map(r => r.value?.readInt32BE(1)))
  expect(ids.size).toBe(1)
  const derived = avscType(await schemaOf([...ids][0] ?? 0))
  const dressed = (row: Row): Row =>
    Object.fromEntries(Object.entries(row).map(([k, v]) => [k, REDRESSED[k] ? REDRESSED[k](v as never) : v]))
  expect(records.map(r => dressed({ ...derived.fromBuffer(r.value?.subarray(5) ?? Buffer.alloc(0)) }))).toEqual(
    // avsc's values are class instances; bytes compare as buffers
    rows.map(row => dressed({ ...type.fromBuffer(type.toBuffer(row)) })),
  )
})

describe('what a table would change silently is refused or right', () => {
  const PROVENANCE = '_source LowCardinality(String), _partition Int32, _offset Int64'
  const create = (table: string, columns: string): Promise<void> =>
    bench.command(
      `CREATE TABLE {db}.${table} (${columns}, ${PROVENANCE}) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 1000`,
    )
  const letters = async (name: string): Promise<readonly (readonly [string, string])[]> =>
    (await bench.records(`${bench.unique(name)}-dead`)).map(r => [
      String(r.headers?.['__connect.errors.exception.class.name']),
      String(r.headers?.['__connect.errors.exception.message']),
    ])

  async function ingest(name: string, schema: object, values: readonly Row[]) {
    const from = bench.unique(name)
    const made = avscType(schema)
    await produceAvro(
      from,
      schema,
      values.map(v => made.toBuffer(v)),
    )
    const file = bench.file(
      `${name}.yaml`,
      `name: ${from}
${CONNECTIONS}
flows:
  ingest:
    source: {type: kafka, topics: [${from}], value: avro}
    sink: {type: clickhouse, table: ${name}, order_by: [id]}
    on_error: {dead_letter: ${from}-dead}
`,
    )
    return bench.run(file)
  }
  const record = (...fields: readonly (readonly [string, unknown])[]) => ({
    type: 'record',
    name: 'R',
    fields: [{ name: 'id', type: 'int' }, ...fields.map(([name, t]) => ({ name, type: t }))],
  })

  test('null into a column that is not Nullable', async () => {
    await create('null_in', 'id Int32, v String')
    const outcome = await ingest('null_in', record(['v', ['null', 'string']]), [
      { id: 1, v: { string: 'a' } },
      { id: 2, v: null },
      { id: 3, v: { string: '' } },
    ])
    expect(runResult(outcome).flows.ingest).toMatchObject({ written: 2, dead_lettered: 1 })
    expect(await bench.sql('SELECT id, v FROM {db}.null_in ORDER BY id')).toEqual([
      { id: 1, v: 'a' },
      { id: 3, v: '' },
    ])
    expect(await letters('null_in')).toEqual([['D008_NULL', 'column v: null into String']])
  })

  test('300 into UInt8', async () => {
    await create('narrow', 'id Int32, v UInt8')
    const outcome = await ingest(
      'narrow',
      record(['v', 'int']),
      [255, 256, 300, -1, 0].map((v, id) => ({ id, v })),
    )
    expect(runResult(outcome).flows.ingest).toMatchObject({ written: 2, dead_lettered: 3 })
    expect(await bench.sql('SELECT id, v FROM {db}.narrow ORDER BY id')).toEqual([
      { id: 0, v: 255 },
      { id: 4, v: 0 },
    ])
    expect((await letters('narrow')).map(([code]) => code)).toEqual(Array(3).fill('D005_OUT_OF_RANGE'))
  })

  test('a long of milliseconds into DateTime64', async () => {
    await create('seconds', 'id Int32, v DateTime64(3)')
    const outcome = await ingest('seconds', record(['v', 'long']), [{ id: 1, v: 1_700_000_000_000n }])
    expect({ code: outcome.code, error: envelopeOf(outcome).error }).toMatchObject({
      code: 1,
      error: { code: 'S003_TABLE_MISMATCH' },
    })
    expect(envelopeOf(outcome).error?.message).toMatch(/column v: i64 does not go into DateTime64\(3\)/)
    expect(await bench.sql('SELECT count() AS n FROM {db}.seconds')).toEqual([{ n: '0' }])
  })

  test('milliseconds into a column of seconds; a finer one takes them', async () => {
    await create('scales', `id Int32, ms DateTime64(6, 'UTC'), s DateTime('UTC')`)
    const ts = { type: 'long', logicalType: 'timestamp-millis' }
    const outcome = await ingest('scales', record(['ms', ts], ['s', ts]), [
      { id: 1, ms: 1_700_000_000_123n, s: 1_700_000_000_000n },
      { id: 2, ms: 0n, s: 5_000_000_000_000n },
    ])
    // whole seconds cannot hold milliseconds
    expect({ code: outcome.code, error: envelopeOf(outcome).error }).toMatchObject({
      code: 1,
      error: { code: 'S003_TABLE_MISMATCH' },
    })
    expect(envelopeOf(outcome).error?.message).toMatch(/column s: /)
    expect(envelopeOf(outcome).error?.message).not.toMatch(/column ms: /)
    expect(await bench.sql('SELECT count() AS n FROM {db}.scales')).toEqual([{ n: '0' }])
  })

  test('a column that the table does not have; one that only the table has gets its default', async () => {
    await create('unknown', `id Int32, extra String DEFAULT 'by default'`)
    const refused = await ingest('unknown', record(['surplus', 'int']), [{ id: 1, surplus: 7 }])
    expect({ code: refused.code, error: envelopeOf(refused).error }).toMatchObject({
      code: 1,
      error: { code: 'S003_TABLE_MISMATCH' },
    })
    expect(envelopeOf(refused).error?.message).toContain('surplus')
    expect(envelopeOf(refused).error?.hint).toContain('ADD COLUMN')
    await bench.command('ALTER TABLE {db}.unknown ADD COLUMN surplus Int32')
    const taken = await bench.run(`${bench.folder}/unknown.yaml`)
    expect(taken.code).toBe(0)
    expect(await bench.sql('SELECT id, surplus, extra FROM {db}.unknown')).toEqual([{ id: 1, surplus: 7, extra: 'by default' }])
  })

  test('a tuple whose elements stand in another order', async () => {
    await create('tuples', 'id Int32, v Tuple(y Nullable(String), x Int32)')
    const pair = {
      type: 'record',
      name: 'P',
      fields: [
        { name: 'x', type: 'int' },
        { name: 'y', type: ['null', 'string'] },
      ],
    }
    const outcome = await ingest('tuples', record(['v', pair]), [
      { id: 1, v: { x: 1, y: { string: 'a' } } },
      { id: 2, v: { x: 2, y: null } },
      { id: 3, v: { x: 3, y: { string: '' } } },
    ])
    expect(runResult(outcome).flows.ingest).toMatchObject({ written: 3, dead_lettered: 0 })
    expect(await bench.sql('SELECT id, v FROM {db}.tuples ORDER BY id')).toEqual([
      { id: 1, v: { y: 'a', x: 1 } },
      { id: 2, v: { y: null, x: 2 } },
      { id: 3, v: { y: '', x: 3 } },
    ])
  })

  test('the bytes of a UUID, and a text of 36 characters', async () => {
    await create('uuids', 'id Int32, a UUID, b UUID')
    const text = '00112233-4455-6677-8899-aabbccddeeff'
    const fixed = { type: 'fixed', name: 'F', size: 16, logicalType: 'uuid' }
    const outcome = await ingest('uuids', record(['a', { type: 'string', logicalType: 'uuid' }], ['b', fixed]), [
      { id: 1, a: text, b: Buffer.from(text.replaceAll('-', ''), 'hex') },
    ])
    expect(runResult(outcome).flows.ingest).toMatchObject({ written: 1, dead_lettered: 0 })
    expect(await bench.sql('SELECT a, b FROM {db}.uuids')).toEqual([{ a: text, b: text }])
  })
})
