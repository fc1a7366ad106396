import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import type { FlowStatus, Status } from '../../runtime/status'
import {
  type Bench,
  CONNECTIONS,
  connect,
  envelopeOf,
  headersOf,
  type Outcome,
  runResult,
  start,
  startBench,
} from '../support/connect'
import { until } from '../support/until'

/** What every command prints and exits with, seen from a shell. */

let bench: Bench
let topic: string
let file: string
const COUNT = 2_000

beforeAll(async () => {
  bench = await startBench()
  topic = bench.unique('events')
  file = bench.file(
    'events.yaml',
    `name: ${bench.unique('events')}
${CONNECTIONS}
flows:
  publish:
    source:
      type: generate
      count: ${COUNT}
      start: 2024-01-01T00:00:00Z
      keys: {column: device, count: 5, prefix: d-}
      fields: {id: {type: sequence}, v: {type: uniform, min: 0, max: 100}}
    sink: {type: kafka, topic: {name: ${topic}, partitions: 3}, key: [device], value: avro}
  ingest:
    source: {type: kafka, topics: [${topic}], value: avro}
    transforms:
      - {type: filter, if: v < 50.0}
    sink: {type: clickhouse, table: events, order_by: [id]}
`,
  )
  expect((await bench.run(file)).code).toBe(0)
})
afterAll(() => bench?.stop())

const command = (...args: readonly string[]): Promise<Outcome> => connect(args, { env: bench.env, cwd: bench.folder })
const data = (): readonly string[] => ['--data', path.join(bench.folder, 'data')]

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return (address as { port: number }).port
}

const endless = (name: string, table: string): string =>
  bench.file(
    `${name}.yaml`,
    `name: ${bench.unique(name)}
${CONNECTIONS}
flows:
  ingest:
    source: {type: kafka, topics: [${topic}], value: avro}
    transforms:
      - {type: filter, if: id >= 100}
    sink: {type: clickhouse, table: ${table}, order_by: [id]}
`,
  )

describe('run', () => {
  test('/metrics, /health and /status while it runs; SIGTERM ends it well with the same numbers', async () => {
    const port = await freePort()
    const at = `http://127.0.0.1:${port}`
    const run = bench.startRun(endless('pages', 'pages'), ['--listen', `127.0.0.1:${port}`])
    await run.says(/session .* with lanes/)
    const status = async (): Promise<FlowStatus> => ((await (await fetch(`${at}/status`)).json()) as Status).flows[0]
    await until('every record written or filtered', status, s => s.written + s.filtered >= COUNT)
    const health = await fetch(`${at}/health`)
    expect([health.status, await health.json()]).toEqual([200, expect.objectContaining({ ok: true })])
    const metrics = await (await fetch(`${at}/metrics`)).text()
    run.child.kill('SIGTERM')
    const outcome = await run.ended
    expect(outcome.code).toBe(0)
    const { read, written, filtered } = runResult(outcome).flows.ingest
    expect({ read, written, filtered }).toEqual({ read: COUNT, written: COUNT - 100, filtered: 100 })
    const value = (name: string): number =>
      Number(new RegExp(`^olap_connect_${name}\\{[^}]*flow="ingest"[^}]*\\} (\\S+)$`, 'm').exec(metrics)?.[1])
    expect(value('records_read_total')).toBe(read)
    expect(value('records_written_total')).toBe(written)
    expect(value('records_filtered_total')).toBe(filtered)
    expect(value('flow_up')).toBe(1)
    expect(metrics).toMatch(/^# TYPE olap_connect_latency_seconds histogram$/m)
    await expect(fetch(`${at}/health`)).rejects.toThrow()
  })

  test('--for ends a run that would go on', async () => {
    const file = endless('timed', 'timed')
    const outcome = await bench.run(file, ['--for', '3s'])
    expect({ code: outcome.code, ...envelopeOf(outcome) }).toMatchObject({ code: 0, ok: true, error: null })
    // how much it does in that time is the machine's; what it left is done by the next run, and nothing twice
    const rest = await bench.run(file)
    const [first, second] = [outcome, rest].map(o => runResult(o).flows.ingest)
    expect({ written: first.written + second.written, filtered: first.filtered + second.filtered }).toEqual({
      written: COUNT - 100,
      filtered: 100,
    })
    expect(runResult(outcome).services).toEqual({})
  })

  test('without --json the result is for people, and nothing but logs is on stderr', async () => {
    const outcome = await command('run', endless('text', 'text'), '--until-caught-up', '--listen', 'off', ...data())
    expect(outcome).toMatchObject({ code: 0, stdout: '' })
    expect(outcome.stderr).toContain(`ingest: read ${COUNT}, written ${COUNT - 100}, filtered 100, dead-lettered 0, restarts 0\n`)
    expect(outcome.stderr.trim().split('\n').at(-1)).toBe(`1 flow(s) ended well; records written: ingest ${COUNT - 100}`)
  })

  test('latency is that of records with a time of now', async () => {
    const live = bench.file(
      'live.yaml',
      `name: ${bench.unique('live')}
${CONNECTIONS}
flows:
  make:
    source: {type: generate, rate: 200/s, count: 200, fields: {v: {type: sequence}}}
    sink: {type: clickhouse, table: live}
`,
    )
    const { latency_ms, flows } = runResult(await bench.run(live))
    expect(flows.make).toMatchObject({ read: 200, written: 200 })
    expect(latency_ms.p50).toBeGreaterThanOrEqual(0)
    expect(latency_ms.p99).toBeGreaterThanOrEqual(latency_ms.p50 ?? Number.NaN)
    expect(latency_ms.p99).toBeLessThan(60_000)
  })
})

describe('exit codes', () => {
  const flow = (connections: string, source: string, sink: string): string =>
    `name: ${bench.unique('codes')}\n${connections}\nflows:\n  f:\n    source: ${source}\n    sink: ${sink}\n`
  const SOURCE = '{type: generate, count: 3, fields: {v: {type: sequence}}}'

  test('1: the data, while it ran', async () => {
    writeFileSync(path.join(bench.folder, 'bad.csv'), 'v\nx\n')
    const bad = bench.file('code1.yaml', flow('', '{type: file, path: bad.csv, schema: {v: i64}}', '{type: stdout}'))
    const outcome = await command('run', bad, '--until-caught-up', '--listen', 'off', ...data())
    expect({ code: outcome.code, stdout: outcome.stdout }).toEqual({ code: 1, stdout: '' })
    expect(outcome.stderr).toMatch(/f: stopped at \w+ by D00\d_\w+: .*bad\.csv/)
  })

  test.each([
    ['a wrong file', ['run', 'code2.yaml', '--until-caught-up']],
    ['a missing file', ['run', 'nowhere.yaml']],
    ['an unknown option', ['run', 'code2.yaml', '--untill']],
    ['an unknown command', ['runn']],
    ['a duration that is none', ['run', 'events.yaml', '--for', 'soon']],
    ['an address that is none', ['run', 'events.yaml', '--until-caught-up', '--listen', 'nowhere']],
    ['catching up with what never ends', ['run', 'never.yaml', '--until-caught-up']],
    ['an unset variable', ['validate', 'unset.yaml']],
    ['an unknown topic option', ['tail', 'events.yaml', 'x', '--limit', '0']],
  ])('2: %s', async (_, args) => {
    bench.file('code2.yaml', flow('', SOURCE, '{type: stdut}'))
    bench.file('never.yaml', flow('', '{type: generate, rate: 1/s, fields: {v: {type: sequence}}}', '{type: stdout}'))
    bench.file('unset.yaml', flow('', SOURCE, '{type: stdout, format: ${NOT_SET_ANYWHERE}}'))
    const outcome = await command(...args, ...(args[0] === 'run' || args[0] === 'tail' ? data() : []))
    expect({ code: outcome.code, stdout: outcome.stdout }).toEqual({ code: 2, stdout: '' })
    expect(outcome.stderr).not.toBe('')
    expect(outcome.stderr).not.toMatch(/\n\s+at .*\.js:\d+/)
  })

  test('3: embedded services where there is no terminal and no --embedded', async () => {
    const embedded = bench.file(
      'code3.yaml',
      flow('connections: {clickhouse: {url: embedded}}', SOURCE, '{type: clickhouse, table: t}'),
    )
    for (const json of [true, false]) {
      const outcome = await command('run', embedded, '--until-caught-up', ...(json ? ['--json'] : []), ...data())
      expect(outcome.code).toBe(3)
      if (json) expect(envelopeOf(outcome)).toMatchObject({ ok: false, result: null, error: { code: 'E002_CONNECTION_MISSING' } })
      else
        expect(outcome.stderr).toMatch(/^E002_CONNECTION_MISSING: .*connections\.clickhouse\.url is "embedded".*\n .*--embedded/)
    }
  })

  test('3: a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const outcome = await command('run', file, '--until-caught-up', '--json', '--listen', `127.0.0.1:${port}`, ...data())
    server.close()
    expect({ code: outcome.code, error: envelopeOf(outcome).error?.code }).toEqual({ code: 3, error: 'E004_PORT_TAKEN' })
  })
})

describe('the other commands', () => {
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
    const outcome = await command(
      'tail',
      file,
      bench.unique('nowhere'),
      '--from',
      'beginning',
      '--limit',
      '1',
      '--json',
      ...data(),
    )
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
    const viewed = bench.file(
      'viewed.yaml',
      `name: ${bench.unique('viewed')}
${CONNECTIONS}
flows:
  fill:
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
})

describe('secrets', () => {
  const SECRET = 'Gr8!s3cret/with=signs&"quotes"'
  const forms = [
    SECRET,
    encodeURIComponent(SECRET),
    JSON.stringify(SECRET).slice(1, -1),
    Buffer.from(SECRET).toString('base64').slice(0, -4),
  ]
  const clean = (outcome: Outcome): void => {
    for (const form of forms) expect(outcome.stdout + outcome.stderr).not.toContain(form)
    for (const user of ['svc', 'reader'])
      expect(outcome.stdout + outcome.stderr).not.toContain(Buffer.from(`${user}:${SECRET}`).toString('base64').slice(0, -4))
  }
  const debug = ['--until-caught-up', '--log-level', 'debug', '--log-format', 'json', '--for', '4s']

  test('a registry password: neither in debug logs nor in dead letters', async () => {
    const dead = bench.unique('secret-dead')
    const from = bench.unique('secret')
    const producer = bench.client.producer()
    await producer.connect()
    await producer.send({ topic: from, messages: [{ value: 'broken' }, { value: '{"v":1}' }, { value: `{"v":"x"}` }] })
    await producer.disconnect()
    const secret = bench.file(
      'secret.yaml',
      `name: ${from}
connections:
  kafka:
    brokers: \${KAFKA_BROKERS}
    schema_registry: {url: "\${SCHEMA_REGISTRY_URL}", username: svc, password: "\${PASSWORD}"}
  clickhouse: {url: "\${CLICKHOUSE_URL}", database: "\${CLICKHOUSE_DATABASE}"}
flows:
  ingest:
    source: {type: kafka, topics: [${from}], value: {format: json, schema: {v: i32}}}
    sink: {type: clickhouse, table: secret}
    on_error: {dead_letter: ${dead}}
  copy:
    source: {type: kafka, topics: [${topic}], value: avro}
    sink: {type: kafka, topic: ${from}-copy, value: avro}
`,
    )
    const outcome = await bench.run(secret, ['--until-caught-up', '--log-level', 'debug', '--log-format', 'json'], {
      PASSWORD: SECRET,
    })
    expect(runResult(outcome).flows).toMatchObject({ ingest: { written: 1, dead_lettered: 2 }, copy: { written: COUNT } })
    clean(outcome)
    const letters = await bench.records(dead)
    expect(letters).toHaveLength(2)
    for (const letter of letters) for (const form of forms) expect(JSON.stringify(headersOf(letter))).not.toContain(form)
  })

  test('passwords that are refused', async () => {
    const refused = bench.file(
      'refused.yaml',
      `name: ${bench.unique('refused')}
connections:
  kafka: {brokers: "\${KAFKA_BROKERS}", sasl: {mechanism: plain, username: svc, password: "\${PASSWORD}"}}
  clickhouse: {url: "\${CLICKHOUSE_URL}", username: reader, password: "\${PASSWORD}"}
flows:
  a:
    source: {type: generate, count: 3, fields: {v: {type: sequence}}}
    sink: {type: clickhouse, table: refused}
  b:
    source: {type: generate, count: 3, fields: {v: {type: sequence}}}
    sink: {type: kafka, topic: refused, value: json}
`,
    )
    const outcome = await bench.run(refused, debug, { PASSWORD: SECRET })
    expect(outcome.code).not.toBe(0)
    clean(outcome)
    for (const args of [
      ['sql', refused, 'SELECT 1'],
      ['sql', refused, 'SELECT 1', '--json'],
      ['tail', refused, topic, '--limit', '1'],
    ]) {
      const other = start([...args, ...data()], { env: { ...bench.env, PASSWORD: SECRET }, cwd: bench.folder })
      clean(await other.ended)
    }
  })

  test('in a file that is wrong, beside the secret and at it', async () => {
    const wrong = bench.file(
      'wrong.yaml',
      `name: wrong
connections:
  kafka: {brokers: "\${KAFKA_BROKERS}", sasl: {mechanism: plane, username: svc, password: "\${PASSWORD}"}}
  clickhouse: {url: "http://reader:\${PASSWORD}@127.0.0.1:1", passwort: "\${PASSWORD}"}
flows:
  a:
    source: {type: generate, count: \${PASSWORD}, fields: {v: {type: sequence}}}
    sink: {type: "\${PASSWORD}"}
`,
    )
    for (const args of [
      ['validate', wrong],
      ['validate', wrong, '--json'],
      ['run', wrong, '--json', ...data()],
    ]) {
      const outcome = await connect(args, { env: { ...bench.env, PASSWORD: SECRET }, cwd: bench.folder })
      expect(outcome.code).toBe(2)
      clean(outcome)
    }
  })
})
