import type { Schema } from '../../../runtime/schema'
import { batchOf, schemaOf } from '../../support/batches'
import { Harness } from './harness'

let harness: Harness
beforeAll(async () => {
  harness = await Harness.start('tables_test')
})
afterAll(() => harness.stop())
beforeEach(() => {
  harness.seen.length = 0
})

const cpu = schemaOf({ ts: 'timestamp(ms)', device: 'utf8', cpu: 'f64?' })
const ddl = async (table: string): Promise<string> =>
  String(
    (await harness.one(`SELECT create_table_query AS q FROM system.tables WHERE database = 'tables_test' AND name = '${table}'`))
      .q,
  )
const sql = (text: string): Promise<void> => harness.store.command(text)
const WINDOW = 'SETTINGS non_replicated_deduplication_window = 1000'
const PROVENANCE = '_source LowCardinality(String), _partition Int32, _offset Int64'

test('a missing database is made', async () => {
  await sql('DROP DATABASE IF EXISTS tables_fresh')
  const sink = await harness.sink({ table: 'cpu' }, cpu, { database: 'tables_fresh' })
  await sink.write(batchOf(cpu, [{ ts: 1, device: 'a', cpu: null }]), 't')
  expect(await harness.store.query('SELECT device, cpu FROM tables_fresh.cpu')).toEqual([{ device: 'a', cpu: null }])
  await sql('DROP DATABASE tables_fresh')
})

test('a missing table is made, with order, partitions, retention and provenance', async () => {
  await harness.sink({ table: 'cpu', time: 'ts', order_by: ['device', 'ts'], retain: '90d' }, cpu)
  const made = await ddl('cpu')
  expect(made).toContain('`cpu` Nullable(Float64)')
  expect(made).toContain('PARTITION BY toYYYYMM(ts) ORDER BY (device, ts) TTL ts + toIntervalSecond(7776000)')
  expect(made).toContain('non_replicated_deduplication_window = 1000000')
  expect(made).toContain('ttl_only_drop_parts = 1')
  for (const column of ['_source', '_partition', '_offset', '_behind']) expect(made).toContain(`\`${column}\``)
  expect(await ddl('cpu__in')).toContain('ENGINE = `Null`')
  expect(await ddl('cpu__mv')).toContain('TO tables_test.cpu')
  expect(harness.events('table_created')).toHaveLength(3)
})

test('opening again makes nothing and changes nothing', async () => {
  await harness.sink({ table: 'again', time: 'ts' }, cpu)
  const before = [await ddl('again'), await ddl('again__in'), await ddl('again__mv')]
  harness.seen.length = 0
  await harness.sink({ table: 'again', time: 'ts' }, cpu)
  expect(harness.events('table_created')).toEqual([])
  expect([await ddl('again'), await ddl('again__in'), await ddl('again__mv')]).toEqual(before)
})

test.each([
  [{ time: 'ts', retain: '31d' }, 'PARTITION BY toYYYYMMDD(ts) ORDER BY (ts)'],
  [{ time: 'ts', retain: '32d' }, 'PARTITION BY toYYYYMM(ts) ORDER BY (ts)'],
  [{ time: 'ts', partition_by: 'none' }, 'ENGINE = MergeTree ORDER BY (ts)'],
  [{}, 'ENGINE = MergeTree ORDER BY tuple()'],
  [{ order_by: ['device', 'toStartOfHour(ts)'] }, 'ORDER BY (device, toStartOfHour(ts))'],
  [{ mode: 'upsert', version: 'ts', order_by: ['device'] }, 'ENGINE = ReplacingMergeTree(ts) ORDER BY (device)'],
  [{ settings: { index_granularity: 1024 } }, 'index_granularity = 1024'],
])('%j', async (options, expected) => {
  const table = `made_${expected.replace(/\W+/g, '_').slice(-30)}`
  await harness.sink({ table, ...options }, cpu)
  expect((await ddl(table)).replace(/\s+/g, ' ')).toContain(expected)
})

test('an existing table is held against the flow; every difference is told at once', async () => {
  await sql(
    `CREATE TABLE other (ts DateTime, cpu Float32, device UInt64 MATERIALIZED 1, ${PROVENANCE}) ENGINE = MergeTree ORDER BY ts ${WINDOW}`,
  )
  const flow = schemaOf({ ts: 'timestamp(ms)', cpu: 'utf8', device: 'i64', site: 'utf8?' })
  await expect(harness.sink({ table: 'other' }, flow)).rejects.toMatchObject({
    code: 'S003_TABLE_MISMATCH',
    message: expect.stringMatching(
      /column ts: timestamp\(ms\) does not go into DateTime: .*; column cpu: utf8 does not go into Float32: .*; column device is MATERIALIZED .*; column site \(utf8\?\) is not in the table/,
    ),
    hint: 'run: ALTER TABLE `tables_test`.`other` ADD COLUMN `site` Nullable(String)',
  })
  // nothing was made beside a table that does not fit
  expect(
    await harness.store.query("SELECT name FROM system.tables WHERE database = 'tables_test' AND name LIKE 'other\\_\\_%'"),
  ).toEqual([])
})

test('columns that only the table has keep their defaults', async () => {
  await sql(`CREATE TABLE wider (n Int64, at DateTime DEFAULT '2020-01-01 00:00:00', twice Int64 MATERIALIZED n * 2, ${PROVENANCE})
             ENGINE = MergeTree ORDER BY n ${WINDOW}`)
  const schema = schemaOf({ n: 'i32' })
  const sink = await harness.sink({ table: 'wider' }, schema)
  await sink.write(batchOf(schema, [{ n: 4 }]), 't')
  expect(await harness.store.query('SELECT n, at, twice FROM wider')).toEqual([{ n: '4', at: '2020-01-01 00:00:00', twice: '8' }])
})

test.each([
  ['no window', `ENGINE = MergeTree ORDER BY n`, 'S004_CANNOT_DEDUPLICATE'],
  ['rows that merge away', `ENGINE = ReplacingMergeTree ORDER BY n ${WINDOW}`, 'S004_CANNOT_DEDUPLICATE'],
  ['another engine', 'ENGINE = Memory', 'S004_CANNOT_DEDUPLICATE'],
])('a table that cannot be written exactly once is refused: %s', async (name, engine, code) => {
  const table = `cannot_${name.replace(/\W/g, '_')}`
  await sql(`CREATE TABLE ${table} (n Int32, ${PROVENANCE}) ${engine}`)
  await expect(harness.sink({ table }, schemaOf({ n: 'i32' }))).rejects.toMatchObject({ code })
  await harness.sink({ table, delivery: 'at_least_once' }, schemaOf({ n: 'i32' }))
})

test('provenance is required exactly where rows are looked up by it', async () => {
  await sql(`CREATE TABLE bare (n Int32) ENGINE = MergeTree ORDER BY n ${WINDOW}`)
  await expect(harness.sink({ table: 'bare' }, schemaOf({ n: 'i32' }))).rejects.toMatchObject({
    code: 'S003_TABLE_MISMATCH',
    hint: expect.stringContaining(
      'ADD COLUMN `_source` LowCardinality(String), ADD COLUMN `_partition` Int32, ADD COLUMN `_offset` Int64',
    ),
  })
  const sink = await harness.sink({ table: 'bare', delivery: 'at_least_once' }, schemaOf({ n: 'i32' }))
  await sink.write(batchOf(schemaOf({ n: 'i32' }), [{ n: 1 }]), 't')
  expect(await harness.store.query('SELECT * FROM bare')).toEqual([{ n: 1 }])
  // a view on the input table still sees where a row came from
  expect(await ddl('bare__in')).toContain('`_offset`')
})

test('a table of another pipeline is refused', async () => {
  await harness.sink({ table: 'owned' }, schemaOf({ n: 'i32' }), { pipeline: 'first' })
  await expect(harness.sink({ table: 'owned' }, schemaOf({ n: 'i32' }), { pipeline: 'second' })).rejects.toMatchObject({
    code: 'S009_TABLE_OWNED',
    message: expect.stringContaining('"first"'),
  })
  await harness.sink({ table: 'owned' }, schemaOf({ n: 'i32' }), { pipeline: 'first', flow: 'another' })
})

test('create: false shows what it would have run', async () => {
  await expect(harness.sink({ table: 'absent', create: false }, schemaOf({ n: 'i32' }))).rejects.toMatchObject({
    code: 'S003_TABLE_MISMATCH',
    hint: expect.stringMatching(/^run: CREATE TABLE IF NOT EXISTS `tables_test`.`absent`/),
  })
})

test('the input table follows when a column is added or changed', async () => {
  const before = schemaOf({ n: 'i32' })
  const sink = await harness.sink({ table: 'grows', order_by: ['_offset'] }, before).catch(() => null)
  expect(sink).toBeNull() // the key must be the flow's own
  await harness.sink({ table: 'grows' }, before)
  await sql('ALTER TABLE grows ADD COLUMN site Nullable(String), MODIFY COLUMN n Int64')
  const after = schemaOf({ n: 'i64', site: 'utf8?' })
  const wide = await harness.sink({ table: 'grows' }, after)
  await wide.write(batchOf(after, [{ n: 2 ** 40, site: 'x' }]), 't')
  expect(await harness.store.query('SELECT n, site FROM grows')).toEqual([{ n: String(2 ** 40), site: 'x' }])
  // and a third time nothing more is done
  harness.seen.length = 0
  await harness.sink({ table: 'grows' }, after)
  expect(harness.events('table_created')).toEqual([])
})

test.each([
  ['time names no column', { time: 'at' }, cpu, 'C015_UNKNOWN_COLUMN'],
  ['time may be null', { time: 'ts' }, schemaOf({ ts: 'timestamp(ms)?' }), 'C020_TYPE_MISMATCH'],
  ['time is a number', { time: 'ts' }, schemaOf({ ts: 'i64' }), 'C020_TYPE_MISMATCH'],
  ['order_by names no column', { order_by: ['nope'] }, cpu, 'C015_UNKNOWN_COLUMN'],
  ['order_by may be null', { order_by: ['cpu'] }, cpu, 'C020_TYPE_MISMATCH'],
  ['version may be null', { mode: 'upsert', version: 'cpu', order_by: ['ts'] }, cpu, 'C020_TYPE_MISMATCH'],
  ['a column of ours', {}, schemaOf({ _offset: 'i64' }), 'C020_TYPE_MISMATCH'],
] as readonly (readonly [string, object, Schema, string])[])(
  'refused before anything is made: %s',
  async (_, options, schema, code) => {
    await expect(harness.sink({ table: 'refused', ...options }, schema)).rejects.toMatchObject({ code })
    expect(
      await harness.store.query("SELECT name FROM system.tables WHERE database = 'tables_test' AND name LIKE 'refused%'"),
    ).toEqual([])
  },
)

/** What ClickHouse takes without a word and changes on the way: each is refused when opening, or row by row, or comes out right. */
describe('silent traps', () => {
  const trap = async (table: string, column: string, schema: Schema, values: readonly unknown[]) => {
    await sql(`CREATE TABLE ${table} (v ${column}, ${PROVENANCE}) ENGINE = MergeTree ORDER BY _offset ${WINDOW}`)
    const sink = await harness.sink({ table }, schema)
    const result = await sink.write(
      batchOf(
        schema,
        values.map(v => ({ v })),
      ),
      't',
    )
    const rows = await harness.store.query(`SELECT v FROM ${table} ORDER BY _offset`)
    return { failed: result.failed.map(f => [f.row, f.error.code]), rows: rows.map(r => r.v) }
  }

  test('null into a column without NULL', async () => {
    expect(await trap('trap_null', 'String', schemaOf({ v: 'utf8?' }), ['a', null, ''])).toEqual({
      failed: [[1, 'D008_NULL']],
      rows: ['a', ''],
    })
  })
  test('a wide integer into a narrow column', async () => {
    expect(await trap('trap_narrow', 'UInt8', schemaOf({ v: 'i32' }), [255, 300, -1, 0])).toEqual({
      failed: [
        [1, 'D005_OUT_OF_RANGE'],
        [2, 'D005_OUT_OF_RANGE'],
      ],
      rows: [255, 0],
    })
  })
  test('a negative number into UInt64', async () => {
    expect(await trap('trap_unsigned', 'UInt64', schemaOf({ v: 'i64' }), [-1, 1])).toEqual({
      failed: [[0, 'D005_OUT_OF_RANGE']],
      rows: ['1'],
    })
  })
  test('a date before 1970 into Date', async () => {
    expect(await trap('trap_date', 'Date', schemaOf({ v: 'date' }), [-1, 1, 65536])).toEqual({
      failed: [
        [0, 'D005_OUT_OF_RANGE'],
        [2, 'D005_OUT_OF_RANGE'],
      ],
      rows: ['1970-01-02'],
    })
  })
  test('a double too large for Float32, an integer too long for Float64', async () => {
    expect(await trap('trap_float', 'Float32', schemaOf({ v: 'f64' }), [1e39, 1.5])).toEqual({
      failed: [[0, 'D005_OUT_OF_RANGE']],
      rows: [1.5],
    })
    expect(await trap('trap_exact', 'Float64', schemaOf({ v: 'i64' }), [2n ** 53n + 1n, 5])).toEqual({
      failed: [[0, 'D005_OUT_OF_RANGE']],
      rows: [5],
    })
  })
  test('a decimal with more digits than the column', async () => {
    expect(
      await trap('trap_decimal', 'Decimal(9, 4)', schemaOf({ v: 'decimal(18, 2)' }), ['12345.67', '123456.78', '-0.01']),
    ).toEqual({
      failed: [[1, 'D005_OUT_OF_RANGE']],
      rows: ['12345.67', '-0.01'],
    })
  })
  test('a string into a FixedString of another length, and one not in an Enum', async () => {
    expect(await trap('trap_fixed', 'FixedString(3)', schemaOf({ v: 'utf8' }), ['abc', 'ab'])).toEqual({
      failed: [[1, 'D005_OUT_OF_RANGE']],
      rows: ['abc'],
    })
    expect(await trap('trap_enum', `Enum8('a' = 1)`, schemaOf({ v: 'dictionary' }), ['a', 'b', 'a'])).toEqual({
      failed: [[1, 'D005_OUT_OF_RANGE']],
      rows: ['a', 'a'],
    })
  })
  test('milliseconds as a plain number into DateTime64', async () => {
    await expect(trap('trap_ms', `DateTime64(3)`, schemaOf({ v: 'i64' }), [1])).rejects.toMatchObject({
      code: 'S003_TABLE_MISMATCH',
    })
  })
  test('digits of a second that the column lacks', async () => {
    await expect(trap('trap_digits', `DateTime64(3)`, schemaOf({ v: 'timestamp(us)' }), [1])).rejects.toMatchObject({
      code: 'S003_TABLE_MISMATCH',
    })
  })
  test('the elements of a tuple in another order', async () => {
    const schema: Schema = {
      fields: [
        {
          name: 'v',
          nullable: false,
          type: {
            kind: 'struct',
            fields: [
              { name: 'x', type: { kind: 'i32' }, nullable: false },
              { name: 'y', type: { kind: 'utf8' }, nullable: true },
            ],
          },
        },
      ],
    }
    expect(
      await trap('trap_tuple', 'Tuple(y Nullable(String), x Int32)', schema, [
        { x: 1, y: 'p' },
        { x: 2, y: null },
      ]),
    ).toEqual({
      failed: [],
      rows: [
        { y: 'p', x: 1 },
        { y: null, x: 2 },
      ],
    })
  })
  test('the byte order of a UUID', async () => {
    const id = '61f0c404-5cb3-11e7-907b-a6006ad3dba0'
    expect(await trap('trap_uuid', 'UUID', schemaOf({ v: 'uuid' }), [id])).toEqual({ failed: [], rows: [id] })
  })
  test('null where only the table says that there is none, inside a list', async () => {
    expect(await trap('trap_list', 'Array(String)', schemaOf({ v: 'list<utf8?>' }), [['a'], ['b', null], []])).toEqual({
      failed: [[1, 'D008_NULL']],
      rows: [['a'], []],
    })
    expect(await trap('trap_nulls', 'Array(String)', schemaOf({ v: 'list<utf8>?' }), [null, []])).toEqual({
      failed: [[0, 'D008_NULL']],
      rows: [[]],
    })
  })
})
