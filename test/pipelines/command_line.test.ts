import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import type { FlowStatus, Status } from '../../runtime/status'
import { type Bench, connect, envelopeOf, headersOf, type Outcome, runResult, start, startBench } from '../support/connect'
import { eventsPipeline } from '../support/events'
import { until } from '../support/until'

/** What `run` prints, serves and exits with, seen from a shell; and that no secret is in it, nor in what other commands say. */

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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return (address as { port: number }).port
}

const endless = (name: string, table: string): string =>
  bench.pipeline(
    name,
    `  ingest:
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

  test('of several pipelines each line names the pipeline, and the last one fits a terminal', async () => {
    const names = ['first', 'second', 'third'].map(name => `${name}-pipeline`)
    const flow = '    source: {type: generate, count: 3, fields: {v: {type: sequence}}}\n    sink: {type: stdout}\n'
    const files = names.map(name => bench.pipeline(name, `  load:\n${flow}  copy:\n${flow}`))
    const { code, stderr } = await command('run', ...files, '--until-caught-up', '--listen', 'off', ...data())
    expect({ code, ended: stderr.trim().split('\n').at(-1) }).toEqual({ code: 0, ended: '6 flow(s) ended well' })
    const finished = [...stderr.matchAll(/^\S+ info {2}(\S+): finished/gm)].map(([, place]) => place)
    expect(finished.sort()).toEqual(names.flatMap(n => ['copy', 'load'].map(f => `${bench.unique(n)}/${f}`)))
  })

  test('latency is that of records with a time of now', async () => {
    const live = bench.pipeline(
      'live',
      `  make:
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
