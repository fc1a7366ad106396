import type { Batch } from '../../../runtime/batch'
import { I32Column, I64Column, VarColumn } from '../../../runtime/column'
import { ConnectError } from '../../../runtime/errors'
import { field, type Schema, timestamp } from '../../../runtime/schema'
import { batchOf, schemaOf } from '../../support/batches'
import { Harness, type SinkUnderTest } from './harness'

let harness: Harness
beforeAll(async () => {
  harness = await Harness.start('delivery_test')
})
afterAll(() => harness.stop())
beforeEach(() => {
  harness.seen.length = 0
})

const DAY = 86_400_000
const START = Date.UTC(2024, 0, 30)
const SCHEMA: Schema = { fields: [field('ts', timestamp('ms')), field('device', 'utf8'), field('n', 'i32')] }

/** Rows over `days` days, one partition, offsets from `offset`. */
const rows = (count: number, days: number, offset = 100): Batch =>
  batchOf(
    SCHEMA,
    Array.from({ length: count }, (_, i) => ({ ts: START + (i % days) * DAY + i, device: `d${i % 7}`, n: i })),
    { offset },
  )

const state = (table: string) =>
  harness.one(`SELECT count() AS rows, uniqExact(_offset) AS different, sum(n) AS total FROM ${table}`)
const parts = async (table: string): Promise<number> =>
  Number(
    (
      await harness.one(
        `SELECT count() AS c FROM system.parts WHERE database = 'delivery_test' AND table = '${table}' AND active`,
      )
    ).c,
  )
const exactly = (count: number) => ({ rows: String(count), different: String(count), total: String((count * (count - 1)) / 2) })

/** The state after a crash between ClickHouse's token log and its part: the token is known, rows of some table partitions are not. */
const losePartition = (table: string, day: string): Promise<void> =>
  harness.store.command(`ALTER TABLE ${table} DELETE WHERE toYYYYMMDD(ts) = ${day}`, { settings: { mutations_sync: 1 } })

const byDay = { time: 'ts', order_by: ['device', 'ts'], partition_by: 'day', settings: {} }

test('a batch is one block: one part per table partition, however many rows', async () => {
  const n = 300_000
  const sink = await harness.sink({ table: 'block', ...byDay }, SCHEMA)
  await harness.store.command('SYSTEM STOP MERGES block')
  expect(await sink.write(big(n), 'one')).toEqual({ written: n, failed: [] })
  expect(await state('block')).toEqual(exactly(n))
  expect(await parts('block')).toBe(3)
})

test('the same token twice leaves the rows once; another token twice', async () => {
  const sink = await harness.sink({ table: 'token', ...byDay }, SCHEMA)
  await sink.write(rows(1000, 3), 'a')
  await sink.write(rows(1000, 3), 'a')
  expect(await state('token')).toEqual(exactly(1000))
  // which shows that it is the token that does it
  await sink.write(rows(1000, 3), 'b')
  expect(await state('token')).toMatchObject({ rows: '2000' })
})

test('a token that was remembered without its part is seen through, and only the missing rows are inserted', async () => {
  const sink = await harness.sink({ table: 'lost', ...byDay }, SCHEMA)
  const batch = rows(999, 3)
  await sink.write(batch, 'lost')
  await losePartition('lost', '20240131')
  expect(await state('lost')).toMatchObject({ rows: '666' })
  await sink.write(batch, 'lost')
  expect(await state('lost')).toMatchObject({ rows: '666' }) // the token lies
  expect(await sink.write(batch, 'lost', { resend: true })).toEqual({ written: 999, failed: [] })
  expect(await state('lost')).toEqual(exactly(999))
  expect(harness.events('rows_repaired')).toEqual([expect.objectContaining({ table: 'lost', rows: 333 })])
  // and the repair's own token may lie as well
  await losePartition('lost', '20240131')
  await sink.write(batch, 'lost', { resend: true })
  expect(await state('lost')).toEqual(exactly(999))
})

test('a re-send of a batch that arrived changes nothing', async () => {
  const sink = await harness.sink({ table: 'arrived', ...byDay }, SCHEMA)
  await sink.write(rows(500, 2), 'x')
  await sink.write(rows(500, 2), 'x', { resend: true })
  await sink.write(rows(500, 2), 'x', { resend: true, namedAt: Date.now() })
  expect(await state('arrived')).toEqual(exactly(500))
  expect(harness.events('rows_repaired')).toEqual([])
})

test('an old batch whose token is forgotten is looked up before it is sent', async () => {
  const sink = await harness.sink({ table: 'old', ...byDay, settings: { non_replicated_deduplication_window: 2 } }, SCHEMA)
  await sink.write(rows(100, 1), 'first')
  for (const offset of [1000, 2000, 3000, 4000]) await sink.write(rows(100, 1, offset), `later ${offset}`)
  await sink.write(rows(100, 1), 'first', { resend: true, namedAt: Date.now() - 11 * 60_000 })
  expect(await harness.one('SELECT count() AS rows FROM old')).toEqual({ rows: '500' })
  // never sent at all: it goes the whole way, through the input table and its views
  await sink.write(rows(100, 1, 9000), 'never', { resend: true, namedAt: 0 })
  expect(await harness.one('SELECT count() AS rows, max(_offset) AS top FROM old')).toEqual({ rows: '600', top: '9099' })
  expect(harness.events('rows_repaired')).toEqual([])
})

test('rows that stand twice stop the flow instead of being accepted', async () => {
  const sink = await harness.sink({ table: 'twice', ...byDay }, SCHEMA)
  await sink.write(rows(10, 1), 'a')
  await harness.store.command('INSERT INTO twice SELECT * FROM twice LIMIT 1')
  await expect(sink.write(rows(10, 1), 'a', { resend: true })).rejects.toMatchObject({ code: 'S005_PARTIAL_PART' })
})

test('rows that the table has already expired are not missed', async () => {
  const sink = await harness.sink({ table: 'expired', time: 'ts', retain: '30d' }, SCHEMA)
  const now = Date.now()
  const batch = batchOf(SCHEMA, [
    { ts: now - 60 * DAY, device: 'old', n: 0 },
    { ts: now, device: 'new', n: 1 },
  ])
  await sink.write(batch, 'e')
  await harness.store.command('OPTIMIZE TABLE expired FINAL')
  expect(await harness.one('SELECT count() AS rows FROM expired')).toEqual({ rows: '1' })
  await sink.write(batch, 'e', { resend: true })
  expect(await harness.one('SELECT count() AS rows FROM expired')).toEqual({ rows: '1' })
})

test('several topics and partitions in one batch are told apart; highest() knows each', async () => {
  const sink = await harness.sink({ table: 'many', order_by: ['n'] }, schemaOf({ n: 'i32' }))
  const batch: Batch = {
    ...batchOf(schemaOf({ n: 'i32' }), [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }]),
    origin: {
      lane: 0,
      ranges: [
        { topic: 'a', partition: 0, from: 5, to: 6 },
        { topic: 'a', partition: 1, from: 5, to: 5 },
        { topic: 'b', partition: 0, from: 5, to: 9 },
      ],
    },
    rows: { range: Int32Array.of(0, 0, 1, 2), offset: Float64Array.of(5, 6, 5, 8), timestamp: new Float64Array(4) },
  }
  await sink.write(batch, 'm')
  await sink.write(batch, 'm', { resend: true })
  expect(await harness.store.query('SELECT n, _source, _partition, _offset FROM many ORDER BY n')).toEqual([
    { n: 0, _source: 'ingest/a', _partition: 0, _offset: '5' },
    { n: 1, _source: 'ingest/a', _partition: 0, _offset: '6' },
    { n: 2, _source: 'ingest/a', _partition: 1, _offset: '5' },
    { n: 3, _source: 'ingest/b', _partition: 0, _offset: '8' },
  ])
  const partitions = [
    { topic: 'a', partition: 0 },
    { topic: 'a', partition: 1 },
    { topic: 'b', partition: 0 },
    { topic: 'b', partition: 1 },
  ]
  const highest = await sink.lane.highest(partitions, new AbortController().signal)
  expect([...(highest ?? [])]).toEqual([
    ['a|0', 6],
    ['a|1', 5],
    ['b|0', 8],
    ['b|1', -1],
  ])
  const known = new Map([
    ['a|0', 6],
    ['a|1', 4],
    ['b|0', 8],
    ['b|1', -1],
  ])
  const above = await sink.lane.highest(partitions, new AbortController().signal, known)
  expect([...(above ?? [])].map(([, v]) => v)).toEqual([-1, 5, -1, -1])
  // another flow's rows are not ours
  const other = await harness.sink({ table: 'many', order_by: ['n'] }, schemaOf({ n: 'i32' }), { flow: 'second' })
  expect([...((await other.lane.highest(partitions, new AbortController().signal)) ?? [])].map(([, v]) => v)).toEqual([
    -1, -1, -1, -1,
  ])
})

test('upsert keeps the highest version, also when a batch is sent again', async () => {
  const schema = schemaOf({ id: 'utf8', rev: 'i64', text: 'utf8?' })
  const sink = await harness.sink({ table: 'latest', mode: 'upsert', version: 'rev', order_by: ['id'] }, schema)
  const first = batchOf(schema, [
    { id: 'a', rev: 1, text: 'old' },
    { id: 'b', rev: 1, text: 'only' },
  ])
  const second = batchOf(schema, [{ id: 'a', rev: 2, text: 'new' }], { offset: 200 })
  await sink.write(first, 'u1')
  await sink.write(second, 'u2')
  await sink.write(first, 'u1', { resend: true })
  await harness.store.command('ALTER TABLE latest DELETE WHERE 1', { settings: { mutations_sync: 1 } })
  // tokens are known and the rows are gone: a re-send must bring them back
  await sink.write(first, 'u1', { resend: true })
  await sink.write(second, 'u2', { resend: true })
  await sink.write(first, 'u1', { resend: true })
  expect(await harness.store.query('SELECT id, rev, text FROM latest FINAL ORDER BY id')).toEqual([
    { id: 'a', rev: '2', text: 'new' },
    { id: 'b', rev: '1', text: 'only' },
  ])
  expect(await sink.lane.highest([{ topic: 'in', partition: 0 }], new AbortController().signal)).toBeNull()
})

test('at least once drops nothing, however equal two batches look', async () => {
  const sink = await harness.sink({ table: 'plain', delivery: 'at_least_once' }, schemaOf({ n: 'i32' }))
  const batch = batchOf(schemaOf({ n: 'i32' }), [{ n: 1 }])
  await sink.write(batch, 'same')
  await sink.write(batch, 'same', { resend: true })
  expect(await harness.one('SELECT count() AS rows FROM plain')).toEqual({ rows: '2' })
})

test('rows that do not fit are failed rows with the reason; the others are written', async () => {
  await harness.store.command(
    `CREATE TABLE narrow (small UInt8, u UUID, e Enum8('a' = 1, 'b' = 2), t DateTime64(3, 'UTC'), _source LowCardinality(String),
     _partition Int32, _offset Int64) ENGINE = MergeTree ORDER BY small SETTINGS non_replicated_deduplication_window = 1000`,
  )
  const schema = schemaOf({ small: 'i32', u: 'utf8?', e: 'utf8', t: 'timestamp(ms)' })
  const sink = await harness.sink({ table: 'narrow' }, schema)
  const good = { small: 1, u: '61f0c404-5cb3-11e7-907b-a6006ad3dba0', e: 'a', t: 0 }
  const data = [
    { ...good, small: 300 },
    good,
    { ...good, u: 'no uuid' },
    { ...good, u: null },
    { ...good, small: 2, e: 'b' },
    { ...good, e: 'c' },
    { ...good, t: 99_999_999_999_999 },
    { ...good, u: 'neither' },
    { ...good, small: 255 },
  ]
  const batch = batchOf(schema, data)
  const result = await sink.write(batch, 'n')
  expect(result.written).toBe(3)
  expect(result.failed.map(f => [f.row, f.error.code])).toEqual([
    [0, 'D005_OUT_OF_RANGE'],
    [2, 'D014_REFUSED_BY_STORE'],
    [3, 'D008_NULL'],
    [5, 'D005_OUT_OF_RANGE'],
    [6, 'D005_OUT_OF_RANGE'],
    [7, 'D014_REFUSED_BY_STORE'],
  ])
  expect(result.failed[0].error.message).toBe('column small: 300 does not fit UInt8')
  expect(result.failed[1].error.message).toMatch(/UUID/)
  expect(result.failed[3].error.message).toBe(`column e: "c" does not fit Enum8('a' = 1, 'b' = 2)`)
  // the same rows fail at a second try, so the rest is the same block under the same token
  expect(await sink.write(batch, 'n', { resend: true })).toEqual(result)
  expect(await harness.store.query('SELECT small, e, _offset FROM narrow ORDER BY _offset')).toEqual([
    { small: 1, e: 'a', _offset: '101' },
    { small: 2, e: 'b', _offset: '104' },
    { small: 255, e: 'a', _offset: '108' },
  ])
})

test('a store that dies in the middle gives retriable errors, and sending again completes the batch', async () => {
  const sink = await harness.sink({ table: 'killed', ...byDay }, SCHEMA)
  await sink.write(rows(1000, 3), 'before')
  const attempt = sendUntilAcknowledged(sink, big(300_000), 'during')
  await harness.service.kill()
  await harness.service.restart()
  const errors = await attempt
  for (const error of errors) expect(error).toMatchObject({ retriable: true })
  expect(await harness.one('SELECT count() AS rows, uniqExact(_offset, n) AS different FROM killed')).toEqual({
    rows: '301000',
    different: '301000',
  })
}, 120_000)

test('an aborted write ends at once with the reason it was given', async () => {
  const sink = await harness.sink({ table: 'aborted' }, SCHEMA)
  const controller = new AbortController()
  const reason = new ConnectError('P005_SESSION_OVER', 'rebalanced')
  controller.abort(reason)
  await expect(sink.write(rows(10, 1), 'a', { signal: controller.signal })).rejects.toBe(reason)
})

/** Sends as the engine does: after an error the same batch again, as a re-send. Gives the errors on the way. */
async function sendUntilAcknowledged(sink: SinkUnderTest, batch: Batch, token: string): Promise<unknown[]> {
  const errors: unknown[] = []
  for (;;) {
    try {
      await sink.write(batch, token, { resend: errors.length > 0, namedAt: Date.now() })
      return errors
    } catch (error) {
      errors.push(error)
      if (!(error instanceof ConnectError && error.retriable)) return errors
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

/** Like `rows(count, 3)`, filled column by column: appending values one by one takes seconds for so many. */
function big(count: number): Batch {
  const ts = new I64Column(timestamp('ms'), false)
  const device = new VarColumn({ kind: 'utf8' }, false)
  const n = new I32Column({ kind: 'i32' }, false)
  const offset = new Float64Array(count)
  for (const column of [ts, device, n]) column.reserve(count, count * 2)
  for (let i = 0; i < count; i++) {
    ts.setNumber(i, START + (i % 3) * DAY + i)
    device.data.write(`d${i % 7}`, device.offsets[i], 2, 'latin1')
    device.offsets[i + 1] = device.offsets[i] + 2
    n.values[i] = i
    offset[i] = 5000 + i
  }
  for (const column of [ts, device, n]) column.length = count
  return {
    ...batchOf(SCHEMA, []),
    columns: [ts, device, n],
    length: count,
    origin: { lane: 0, ranges: [{ topic: 'in', partition: 0, from: 5000, to: 5000 + count - 1 }] },
    rows: { range: new Int32Array(count), offset, timestamp: new Float64Array(count) },
  }
}
