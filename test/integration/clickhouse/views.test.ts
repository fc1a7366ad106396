import type { ViewSpec } from '../../../runtime/spec'
import { valueAt } from '../../../runtime/value'
import { type CompiledView, compileView } from '../../../sql/windows/compile'
import { createWindowStore } from '../../../sql/windows/window_store'
import { batchOf, type Row, schemaOf } from '../../support/batches'
import { viewSpec } from '../../support/views'
import { Harness, type SinkUnderTest } from './harness'

const SCHEMA = schemaOf({ ts: 'timestamp(ms)', device: 'dictionary', cpu: 'f64' })
const T0 = Date.UTC(2024, 0, 31, 23, 50)
const { signal } = new AbortController()

let harness: Harness
beforeAll(async () => {
  harness = await Harness.start('views_test')
})
afterAll(() => harness?.stop())

/** A table of its own with one view on it. */
async function setUp(table: string, changes: Partial<ViewSpec> = {}) {
  const spec = viewSpec({ name: `${table}_v`, from: table, ...changes })
  const sink = await harness.sink({ table, time: 'ts', partition_by: 'day' }, SCHEMA, { views: [spec] })
  const input = { database: harness.database, table: `${table}__in` }
  const view = await compileView(spec, input, harness.database, harness.store)
  return { spec, sink, view, windows: createWindowStore(view, harness.store) }
}

const minutes = (n: number, of: (i: number) => Row): readonly Row[] => Array.from({ length: n }, (_, i) => of(i))
const send = (
  sink: SinkUnderTest,
  rows: readonly Row[],
  token: string,
  options: { offset?: number; resend?: boolean; namedAt?: number } = {},
) =>
  sink.write(batchOf(SCHEMA, rows, { offset: options.offset ?? 0 }), token, {
    resend: options.resend ?? false,
    namedAt: options.namedAt ?? null,
    behind: new Float64Array(rows.length),
  })

const endsOf = async (view: CompiledView): Promise<number[]> => {
  const { size, slide } = view.spec.window ?? { size: 0, slide: 1 }
  const totals = await createWindowStore(view, harness.store).paneTotals(null, signal)
  return [...new Set(totals.flatMap(t => Array.from({ length: size / slide }, (_, i) => t.pane + slide * (i + 1))))].sort(
    (a, b) => a - b,
  )
}

const rows = (view: string) =>
  harness.store.query(
    `SELECT toUnixTimestamp64Milli(window_end) AS end, * EXCEPT (window_start, window_end) FROM ${view} ORDER BY end, device`,
  )

test('windows are merged from panes, across a day, and equal what the table itself says', async () => {
  const { sink, view, windows } = await setUp('plain', {
    columns: {
      n: 'count()',
      spread: 'max(cpu) - min(cpu)',
      p: 'quantileExact(0.5)(cpu)',
      hot: 'countIf(cpu > 50)',
      names: 'uniqExact(device)',
    },
    where: 'cpu >= 0',
  })
  await send(
    sink,
    minutes(60, i => ({ ts: T0 + i * 30_000, device: i % 2 ? 'a' : 'b', cpu: ((i * 37) % 101) - 5 })),
    'one',
  )
  const ends = await endsOf(view)
  await windows.finalise(ends, signal)
  const truth = await harness.store.query(
    `SELECT arrayJoin(arrayMap(i -> intDiv(toUnixTimestamp64Milli(ts), 60000) * 60000 + 60000 * (i + 1), range(5))) AS end, toString(device) AS device,
       count() AS n, max(cpu) - min(cpu) AS spread, quantileExact(0.5)(cpu) AS p, countIf(cpu > 50) AS hot, uniqExact(device) AS names, count() AS _rev
     FROM plain AS t WHERE cpu >= 0 GROUP BY end, device ORDER BY end, device`,
  )
  expect(truth.length).toBeGreaterThan(50)
  expect(await rows('plain_v')).toEqual(truth)
  // one by one gives the same rows, and doing it again changes nothing
  for (const end of ends) await windows.finalise([end], signal)
  expect(await rows('plain_v')).toEqual(truth)
})

test('late records raise the revision; the newest rows win', async () => {
  const { sink, view, windows } = await setUp('late')
  await send(sink, [{ ts: T0, device: 'a', cpu: 1 }], 'one')
  await windows.finalise(await endsOf(view), signal)
  await send(sink, [{ ts: T0 + 1, device: 'a', cpu: 3 }], 'two', { offset: 100 })
  await windows.finalise([T0 + 60_000], signal)
  const [first, second] = await rows('late_v')
  expect(first).toMatchObject({ n: '2', mean: 2, _rev: '2' })
  expect(second).toMatchObject({ n: '1', mean: 1, _rev: '1' })
  expect(await windows.rowTotals(T0 + 60_000, signal)).toEqual(
    new Map([1, 2, 3, 4, 5].map(i => [T0 + i * 60_000, i === 1 ? 2 : 1])),
  )
})

test('closed windows are read as they are now, those asked for and no others, in window order', async () => {
  const { sink, windows } = await setUp('asked', { window: { size: 60_000, slide: 60_000, offset: 0 } })
  const batch = minutes(600, i => ({ ts: T0 + Math.floor(i / 2) * 60_000, device: `d${i % 2}`, cpu: i }))
  await send(sink, batch, 'one')
  const ends = Array.from({ length: 300 }, (_, i) => T0 + 60_000 * (i + 1))
  await windows.finalise(ends, signal)
  await send(sink, [{ ts: T0, device: 'd1', cpu: 9 }], 'two', { offset: 1000 })
  await windows.finalise([ends[0]], signal)
  const read = async (asked: readonly number[], most: number | null = null) => {
    const { schema, columns, rows } = await windows.read(asked, most, signal)
    expect(schema.fields.map(f => f.name)).toEqual(['window_start', 'window_end', 'device', 'n', 'mean', '_rev'])
    return Array.from({ length: rows }, (_, i) => [1, 2, 5].map(c => valueAt(columns[c], i)))
  }
  const expected = (asked: readonly number[]): unknown[] =>
    asked.flatMap(end => ['d0', 'd1'].map(d => [end / 1000, d, end === ends[0] && d === 'd1' ? 2 : 1]))
  expect(await read(ends)).toEqual(expected(ends))
  expect(await read(ends, 5)).toEqual(expected(ends).slice(0, 5))
  const [third, second] = [3, 2].map(n => ends.filter((_, i) => i % n === 0))
  expect(await read(second)).toEqual(expected(second))
  expect(await read(third)).toEqual(expected(third))
})

test('panes that an acknowledged insert lost are found by a re-send and inserted once', async () => {
  const { sink, windows } = await setUp('lost')
  const batch = minutes(40, i => ({ ts: T0 + i * 30_000, device: `d${i % 3}`, cpu: i }))
  await send(sink, batch.slice(0, 20), 'before')
  await send(sink, batch, 'batch', { offset: 20 })
  const whole = await windows.paneTotals(null, signal)
  // the second day's part of the panes vanishes, as when a server dies between logging a token and publishing the part
  const lose = async (): Promise<void> => {
    const names = await harness.store.query(
      `SELECT name FROM system.parts WHERE active AND database = '${harness.database}' AND table = 'lost_v__panes' AND partition = '20240201'`,
    )
    for (const { name } of names) await harness.store.command(`ALTER TABLE lost_v__panes DETACH PART '${name}'`)
  }
  await lose()
  expect(await windows.paneTotals(null, signal)).not.toEqual(whole)
  await send(sink, batch, 'batch', { offset: 20, resend: true })
  expect(await windows.paneTotals(null, signal)).toEqual(whole)
  await send(sink, batch, 'batch', { offset: 20, resend: true })
  await lose() // the repair's own token may lie too
  await send(sink, batch, 'batch', { offset: 20, resend: true })
  expect(await windows.paneTotals(null, signal)).toEqual(whole)
  expect(await harness.one('SELECT count() AS n FROM lost')).toEqual({ n: '60' })
})

test('an old batch of which only the panes arrived is not counted twice', async () => {
  const { sink, windows } = await setUp('old')
  const batch = minutes(10, i => ({ ts: T0 + i, device: 'a', cpu: i }))
  await send(sink, batch, 'batch')
  await harness.store.command('TRUNCATE TABLE old') // forgets its tokens as well
  await harness.store.command('ALTER TABLE old_v__panes MODIFY SETTING non_replicated_deduplication_window = 1')
  await send(sink, [{ ts: T0, device: 'b', cpu: 1 }], 'next', { offset: 1000 })
  await harness.store.command(`ALTER TABLE old_v__panes DELETE WHERE device = 'b'`, { settings: { mutations_sync: 2 } })
  await send(sink, batch, 'batch', { resend: true, namedAt: Date.now() - 3_600_000 })
  expect(await windows.paneTotals(null, signal)).toEqual([{ pane: T0, records: 10, rows: 1 }])
  expect(await harness.one(`SELECT count() AS n FROM old WHERE device = 'a'`)).toEqual({ n: '10' })
})

test('a view without windows is one row a key over everything', async () => {
  const spec = viewSpec({
    name: 'running_v',
    from: 'running',
    window: null,
    time: null,
    columns: { n: 'count()', top: 'max(cpu)' },
  })
  const sink = await harness.sink({ table: 'running' }, SCHEMA, { views: [spec] })
  await send(
    sink,
    minutes(10, i => ({ ts: T0, device: `d${i % 2}`, cpu: i })),
    'a',
  )
  await send(sink, [{ ts: T0, device: 'd0', cpu: 99 }], 'b', { offset: 10 })
  await send(sink, [{ ts: T0, device: 'd0', cpu: 99 }], 'b', { offset: 10, resend: true })
  expect(await harness.store.query('SELECT * FROM running_v ORDER BY device')).toEqual([
    { device: 'd0', n: '6', top: 99 },
    { device: 'd1', n: '5', top: 9 },
  ])
})

test('a changed view is refused with what would make room for it', async () => {
  await setUp('changed')
  await setUp('changed') // the same again is fine
  const again = setUp('changed', { columns: { n: 'count()' } })
  await expect(again).rejects.toMatchObject({
    code: 'S010_VIEW_CHANGED',
    hint: expect.stringContaining('DROP VIEW IF EXISTS `views_test`.`changed_v__mv`'),
  })
})

test('a view on a table that has rows says at each start how many it lacks', async () => {
  const { sink } = await setUp('before')
  await send(sink, [{ ts: T0, device: 'a', cpu: 1 }], 'one')
  const lacking = () => harness.seen.filter(e => e.name === 'view_lacks_rows').map(e => e.data)
  expect(lacking()).toEqual([])
  const later = viewSpec({ name: 'later_v', from: 'before' })
  for (let start = 1; start <= 2; start++) {
    const second = await harness.sink({ table: 'before', time: 'ts', partition_by: 'day' }, SCHEMA, { views: [later] })
    await send(second, [{ ts: T0, device: 'a', cpu: 1 }], `start ${start}`, { offset: start })
    expect(lacking()).toEqual(
      Array(start).fill({ pipeline: 'test', flow: expect.any(String), view: 'later_v', table: 'before', rows: 1 }),
    )
  }
})

test('SQL that cannot be is refused at its view', async () => {
  await expect(setUp('wrong', { columns: { n: 'sum(nothing)' } })).rejects.toMatchObject({
    code: 'S006_STATEMENT',
    message: 'test.yaml:1:1: view wrong_v: the table wrong has no column "nothing"',
    hint: expect.stringContaining('the columns of wrong are '),
  })
  await expect(setUp('wrong', { keys: ['devic'] })).rejects.toMatchObject({
    code: 'S006_STATEMENT',
    message: 'test.yaml:1:1: view wrong_v: the table wrong has no column "devic"',
    hint: 'did you mean "device"?',
  })
  await expect(setUp('wrong', { columns: { n: 'cpu + 1' } })).rejects.toMatchObject({ code: 'S006_STATEMENT' })
  await expect(setUp('wrong', { columns: { n: 'count(' } })).rejects.toMatchObject({ code: 'S006_STATEMENT' })
})

test('several workers that start at once make the objects of a view together', async () => {
  for (const n of [1, 2, 3]) {
    const spec = viewSpec({ name: `together${n}`, from: `together${n}_t` })
    const open = () => harness.sink({ table: spec.from, time: 'ts', partition_by: 'none' }, SCHEMA, { views: [spec] })
    await Promise.all([open(), open(), open()])
    const [{ made }] = await harness.store.query(
      `SELECT count() AS made FROM system.tables WHERE database = '${harness.database}' AND startsWith(name, 'together${n}')`,
    )
    expect(Number(made)).toBe(7)
  }
})
