import path from 'node:path'
import { type Bench, connect, envelopeOf, type Outcome, startBench } from '../support/connect'
import { eventsPipeline } from '../support/events'

/** What the commands beside `run` print, and exit with, about a pipeline that has run. */

let bench: Bench
let topic: string
let file: string
const COUNT = 2_000

beforeAll(async () => {
  bench = await startBench()
  topic = bench.unique('events')
  file = eventsPipeline(bench, topic, COUNT)
  expect((await bench.run(file)).code).toBe(0)
})
afterAll(() => bench?.stop())

const command = (...args: readonly string[]): Promise<Outcome> => connect(args, { env: bench.env, cwd: bench.folder })
const data = (): readonly string[] => ['--data', path.join(bench.folder, 'data')]

test('sql', async () => {
  const one = await command('sql', file, 'SELECT count() AS n, max(id) AS most FROM events', '--json', ...data())
  const [{ n }] = await bench.sql('SELECT count() AS n FROM {db}.events')
  expect({ code: one.code, ...envelopeOf(one) }).toMatchObject({ code: 0, ok: true, result: { rows: [{ n }] } })
  const two = await command('sql', file, 'SELECT number AS n, toString(number) AS t FROM system.numbers LIMIT 2', ...data())
  expect(two).toMatchObject({ code: 0, stdout: 'n\tt\n0\t0\n1\t1\n' })
  const wrong = await command('sql', file, 'SELECT * FROM no_such_table', '--json', ...data())
  expect({ code: wrong.code, ...envelopeOf(wrong) }).toMatchObject({
    ok: false,
    error: { message: expect.stringContaining('no_such_table') },
  })
  expect(wrong.code).toBeGreaterThan(0)
  const near = await command('sql', file, 'SELECT * FROM event', ...data())
  expect(near.stderr).toMatch(/did you mean \S*events\?/)
  const several = await command('sql', file, "SYSTEM FLUSH LOGS; SELECT ';' AS b;", ...data())
  expect(several).toMatchObject({ code: 0, stdout: 'b\n;\n' })
  // the rows of the first would be lost
  const asking = await command('sql', file, 'SELECT 1 AS a; SELECT 2 AS b', ...data())
  expect(asking).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('2 of these statements give rows') })
})

test('tail', async () => {
  const all = await command('tail', file, topic, '--from', 'beginning', '--limit', String(COUNT + 5), ...data())
  expect(all.code).toBe(0)
  const rows = all.stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)
  expect(rows.map(r => Number(r.id)).sort((a, b) => a - b)).toEqual(Array.from({ length: COUNT }, (_, i) => i))
  expect(rows.every(r => r._key === r.device)).toBe(true)
  const three = await command('tail', file, topic, '--from', 'beginning', '--limit', '3', '--json', ...data())
  expect(envelopeOf(three)).toMatchObject({ ok: true, command: 'tail', summary: '3 record(s)' })
  expect((envelopeOf(three).result as { records: unknown[] }).records).toHaveLength(3)
  const key = String(rows[0]._key)
  const own = await command(
    'tail',
    file,
    topic,
    '--from',
    'beginning',
    '--limit',
    String(COUNT),
    '--key',
    key,
    '--json',
    ...data(),
  )
  const { records } = envelopeOf(own).result as { records: readonly Record<string, unknown>[] }
  expect(records.map(r => r.id).sort()).toEqual(
    rows
      .filter(r => r._key === key)
      .map(r => r.id)
      .sort(),
  )
  expect(records.length).toBeLessThan(COUNT)
})

test('tail of a topic that is not there', async () => {
  const outcome = await command('tail', file, bench.unique('nowhere'), '--from', 'beginning', '--limit', '1', '--json', ...data())
  expect({ code: outcome.code, error: envelopeOf(outcome).error?.code }).toEqual({ code: 1, error: 'K005_UNKNOWN_TOPIC' })
})

test('validate', async () => {
  const good = await command('validate', file, '--json')
  expect(envelopeOf(good)).toMatchObject({
    ok: true,
    result: { files: [{ file: 'events.yaml', flows: ['publish', 'ingest'] }] },
  })
  bench.file(
    'two_wrong.yaml',
    'name: x\nflows:\n  f:\n    source: {type: generat, count: 1}\n    sink: {type: stdout, formt: json}\n',
  )
  const bad = await command('validate', file, 'two_wrong.yaml', '--json')
  expect(bad.code).toBe(2)
  const { error } = envelopeOf(bad)
  expect(error?.problems?.length).toBeGreaterThan(1)
  for (const p of error?.problems ?? []) expect(p).toMatchObject({ file: 'two_wrong.yaml', line: expect.any(Number) })
})

test('schema', async () => {
  const language = await command('schema')
  expect(JSON.parse(language.stdout)).toMatchObject({ type: 'object', definitions: expect.any(Object) })
  const columns = await command('schema', file, 'ingest', '--json')
  expect(columns.code).toBe(0)
  const { result } = envelopeOf(columns)
  const { flows } = result as { flows: Record<string, unknown> }
  expect(Object.keys(flows)).toEqual(['ingest'])
  expect(JSON.stringify(flows)).toMatch(/"name":"id","type":"i64"/)
  const text = await command('schema', file)
  expect(text.stdout).toMatch(/^publish\n {2}generate: .*id i64/)
})

test('schema tells the columns that a view has, and those that its readers are given', async () => {
  const viewed = bench.pipeline(
    'viewed',
    `  fill:
    source:
      type: generate
      count: 100
      start: 2024-01-01T00:00:00Z
      keys: {column: device, count: 2}
      fields: {v: {type: uniform}}
    sink: {type: clickhouse, table: viewed, time: ts}
  read:
    source: {type: view, view: viewed_10s}
    sink: {type: stdout}
views:
  viewed_10s: {from: viewed, size: 10s, keys: [device], columns: {n: count(), mean: avg(v)}}
`,
  )
  const run = await command('run', viewed, '--until-caught-up', '--listen', 'off', ...data())
  expect(run).toMatchObject({ code: 0, stdout: expect.stringContaining('window_start') })
  type Columns = readonly { readonly name: string }[]
  const { result } = envelopeOf(await command('schema', viewed, '--json'))
  const { flows, views } = result as { flows: { read: readonly { columns: Columns }[] }; views: Record<string, Columns> }
  const row = JSON.parse(run.stdout.slice(0, run.stdout.indexOf('\n'))) as object
  expect(flows.read[0].columns.map(c => c.name)).toEqual(Object.keys(row))
  const there = await bench.sql(
    `SELECT name FROM system.columns WHERE database = '{db}' AND table = 'viewed_10s' ORDER BY position`,
  )
  expect(views.viewed_10s.map(c => c.name)).toEqual(there.map(c => c.name))
})

test('plugins', async () => {
  const list = await command('plugins', '--json')
  const { plugins } = envelopeOf(list).result as { plugins: readonly { kind: string; name: string }[] }
  expect(plugins).toEqual(expect.arrayContaining([expect.objectContaining({ kind: 'sink', name: 'clickhouse' })]))
  const page = await command('plugins', 'clickhouse')
  expect(page.stdout).toContain('clickhouse (sink)\n\n')
  // for people, not for a renderer
  expect(page.stdout).not.toMatch(/^#|```|^\|/m)
  const wrong = await command('plugins', 'clickhous', '--json')
  expect({ code: wrong.code, ...envelopeOf(wrong) }).toMatchObject({
    code: 2,
    error: { code: 'C009_UNKNOWN_PLUGIN', message: expect.stringContaining('did you mean "clickhouse"') },
  })
})

test('help and version are no errors', async () => {
  expect(await command('--version')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  expect(await command('help')).toMatchObject({ code: 0, stdout: expect.stringContaining('validate') })
})
