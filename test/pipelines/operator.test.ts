import { spawn } from 'node:child_process'
import { get } from 'node:http'
import path from 'node:path'
import { count, rate } from '../../cli/live/format'
import { statusLines } from '../../cli/live/lines'
import { announceWorker } from '../../cli/workers'
import type { FlowStatus, Status } from '../../runtime/status'
import { type Bench, CONNECTIONS, connect, envelopeOf, type Outcome, type RunningConnect, startBench } from '../support/connect'
import { until } from '../support/until'

/** What an operator sees of a running worker, held against its metrics. */

let bench: Bench
let run: RunningConnect
let at: string
const COUNT = 500
const NAMES = ['north', 'south', 'west']

/** One file of three: a producer, two tables with a view, and a flow with a long name. Four flows. */
const pipeline = (name: string): string => `name: ${bench.unique(name)}
${CONNECTIONS}
flows:
  make:
    source:
      type: generate
      count: ${COUNT}
      start: 2024-01-01T00:00:00Z
      interval: 1s
      keys: {column: device, count: 5, prefix: d-}
      fields: {id: {type: sequence}, v: {type: uniform, min: 0, max: 100}, api_token: {type: choice, of: [very-secret]}}
    sink: {type: kafka, topic: {name: ${bench.unique(name)}, partitions: 2}, key: [device], value: avro}
  ingest:
    source: {type: kafka, topics: [${bench.unique(name)}], value: avro}
    transforms:
      - {type: filter, if: id >= 100}
      - {type: rename, fields: {v: value}}
    sink: {type: clickhouse, table: ${name}, time: ts, order_by: [id]}
  archive-with-a-name-that-is-longer-than-its-column:
    source: {type: kafka, topics: [${bench.unique(name)}], value: avro}
    sink: {type: clickhouse, table: ${name}_archive, order_by: [id]}
  forward:
    source: {type: kafka, topics: [${bench.unique(name)}], value: avro}
    sink: {type: kafka, topic: ${bench.unique(name)}-forward, value: avro}
views:
  ${name}_1m: {from: ${name}, size: 1m, keys: [device], columns: {n: count()}, delay: 0s, lateness: 10s}
`

const fetchStatus = async (): Promise<Status> => (await (await fetch(`${at}/api/status`)).json()) as Status
const data = (): readonly string[] => ['--data', path.join(bench.folder, 'data')]
const command = (...args: readonly string[]): Promise<Outcome> =>
  connect(args, { env: { ...bench.env, TERM: 'xterm' }, cwd: bench.folder })

beforeAll(async () => {
  bench = await startBench()
  const files = NAMES.map(name => bench.file(`${name}.yaml`, pipeline(name)))
  run = bench.startRun(files[0], files.slice(1))
  // the address stands in the data folder, which is how the commands find it
  let found: string | undefined
  while (found === undefined) {
    const outcome = await command('status', '--json', ...data())
    if (outcome.code === 0) found = (envelopeOf(outcome).result as { workers: readonly { url: string }[] }).workers[0].url
    else if (run.child.exitCode !== null) throw new Error((await run.ended).stderr)
  }
  at = found
  const settled = (s: Status): boolean => {
    const records = s.flows.every(f => f.written + f.filtered === COUNT && (f.lag === 0 || f.state === 'finished'))
    return records && s.views.every(v => v.windows > 0)
  }
  await until('everything read, written and closed', fetchStatus, settled)
})
afterAll(async () => {
  run?.child.kill('SIGTERM')
  await run?.ended
  await bench?.stop()
})

/**
 * `name{labels} value` of the Prometheus text as one number; several lines are added up, none is 0: a counter has no line before
 * it counts. A metric that does not exist is an error.
 */
function metric(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  expect(text).toContain(`# TYPE olap_connect_${name.replace(/_count$/, '')} `)
  let sum = 0
  for (const [, found, value] of text.matchAll(new RegExp(`^olap_connect_${name}\\{([^}]*)\\} (\\S+)$`, 'gm'))) {
    if (Object.entries(labels).every(([key, v]) => found.includes(`${key}="${v}"`))) sum += Number(value)
  }
  return sum
}

/** Status and metrics of one moment: nothing moved between two looks at the status. */
async function bothAtOnce(): Promise<{ status: Status; metrics: string }> {
  for (;;) {
    const status = await fetchStatus()
    const metrics = await (await fetch(`${at}/metrics`)).text()
    const after = await fetchStatus()
    const { now: _, ...before } = status
    const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
    if (same(before.flows, after.flows)) return { status, metrics }
  }
}

test('three files and twelve flows: every number of the table is that of the metrics, and it fits 80 columns', async () => {
  const { status, metrics } = await bothAtOnce()
  expect(status.flows).toHaveLength(12)
  const lines = statusLines(status, { width: 80, color: false })
  expect(Math.max(...lines.map(l => l.length))).toBeLessThanOrEqual(80)
  // flow rows in order: name, state, then figures
  const rows = lines.filter(l => /^ {2}\S+ +(run|done|start|wait)/.test(l)).map(l => l.trim().split(/ +/))
  expect(rows.length).toBeGreaterThanOrEqual(12)
  const checked = status.flows.map((f: FlowStatus, i) => {
    const labels = { pipeline: f.pipeline, flow: f.flow }
    const [, state, read, lag, batch, , , written, dead] = rows[i]
    expect(f.read).toBe(metric(metrics, 'records_read_total', labels))
    expect(f.batches).toBe(metric(metrics, 'batches_total', labels))
    // records of 2024 are history: how old they are is no delay
    expect(f.latency_ms).toEqual({ p50: null, p99: null })
    expect(metric(metrics, 'recent_latency_seconds', { ...labels, quantile: '0.99' })).toBeNaN()
    expect(metric(metrics, 'latency_seconds_count', labels)).toBe(0)
    expect({ state, read, lag, batch, written, dead }).toEqual({
      state: metric(metrics, 'flow_up', labels) === 1 ? 'run' : 'done',
      read: rate(metric(metrics, 'read_rate', labels)),
      lag: count(metric(metrics, 'lag_records', labels)),
      batch: count(metric(metrics, 'recent_batch_rows', labels)),
      written: count(metric(metrics, 'records_written_total', labels), 7),
      dead: count(metric(metrics, 'records_dead_lettered_total', labels)),
    })
    return f.written
  })
  expect(checked.sort((a, b) => a - b)).toEqual([...Array(3).fill(COUNT - 100), ...Array(9).fill(COUNT)])
  expect(status.views).toHaveLength(NAMES.length)
  for (const v of status.views) {
    const labels = { pipeline: v.pipeline, view: v.view }
    expect(v.windows).toBe(metric(metrics, 'windows_total', { ...labels, kind: 'close' }))
    expect(v.revised).toBe(metric(metrics, 'windows_total', { ...labels, kind: 'revise' }))
    expect(v.late).toBe(metric(metrics, 'records_late_total', labels))
    expect(v.watermark_ms).toBeGreaterThan(0)
    expect(Number(v.watermark_ms) / 1000).toBe(metric(metrics, 'view_watermark_seconds', labels))
    expect(lines.find(l => l.trim().startsWith(v.view))).toContain(` ${v.windows} `)
  }
  expect(status.services.map(s => [s.service, s.state]).sort()).toEqual([
    ['clickhouse', 'up'],
    ['kafka', 'up'],
    ['schema_registry', 'up'],
  ])
})

test('status: the same for a person and as an envelope; without a worker it says so with exit code 3', async () => {
  const text = await command('status', ...data())
  expect(text).toMatchObject({ code: 0, stderr: '' })
  for (const name of NAMES) expect(text.stdout).toContain(bench.unique(name))
  expect(text.stdout).toContain(`${at}/metrics`)
  const json = envelopeOf(await command('status', '--json', '--url', at))
  expect(json).toMatchObject({ command: 'status', ok: true, summary: '1 worker(s) with 12 flow(s), none failed' })
  const none = await command('status', '--data', path.join(bench.folder, 'nowhere'))
  expect(none.code).toBe(3)
  expect(none.stderr).toMatch(/^E001_UNREACHABLE: no worker runs with the data folder .*\n.*connect run FILE/)
  const elsewhere = await command('status', '--url', bench.clickhouse.address)
  expect(elsewhere.code).toBe(3)
  expect(elsewhere.stderr).toContain('is no worker')
})

test('status: a worker that does not answer hides no other', async () => {
  const forget = await announceWorker(path.join(bench.folder, 'data'), { address: 'http://127.0.0.1:1', pipelines: [] })
  try {
    const text = await command('status', ...data())
    expect(text).toMatchObject({ code: 1, stderr: 'E001_UNREACHABLE: no worker answers at http://127.0.0.1:1\n' })
    for (const name of NAMES) expect(text.stdout).toContain(bench.unique(name))
    const json = await command('status', '--json', ...data())
    expect([json.code, envelopeOf(json)]).toEqual([1, expect.objectContaining({ summary: 'failed: http://127.0.0.1:1' })])
  } finally {
    await forget()
  }
})

test('top: one look below the other where there is no terminal', async () => {
  const outcome = await command('top', '--count', '2', '--every', '100ms', ...data())
  expect(outcome).toMatchObject({ code: 0, stderr: '' })
  expect(outcome.stdout.match(/12 flow\(s\)/g)).toHaveLength(2)
  expect((await command('top', '--every', 'often', ...data())).code).toBe(2)
})

/** What the completions of a shell ask for. */
const asked = async (...words: readonly string[]): Promise<readonly string[]> =>
  (await command('__complete', '--', 'tap', ...words)).stdout.split('\n').filter(Boolean)

test('completion offers what tap takes: names of stages, of flows that have not ended', async () => {
  const north = bench.unique('north')
  const all = await asked(...data(), '')
  expect(all.filter(w => w.startsWith(`${north}/ingest.`))).toEqual(
    ['source', 'filter', 'rename', 'sink'].map(stage => `${north}/ingest.${stage}`),
  )
  expect(all.filter(w => w.includes('/make.'))).toEqual([])
  // three flows have this name
  expect(await asked(...data(), 'ing')).toEqual([])
  for (const place of all.filter(w => w.startsWith(`${north}/ingest.`)))
    expect(await command('tap', place, '--for', '50ms', ...data())).toMatchObject({ code: 0 })
})

test('on a terminal the run draws a table below its log', async () => {
  const file = bench.file('tty.yaml', pipeline('tty'))
  const main = path.resolve(__dirname, '../../dist/cli/main.js')
  const args = ['run', file, '--until-caught-up', '--listen', 'off', ...data()]
  // a terminal as `script` of util-linux makes it
  const line = ['node', main, ...args].map(a => `'${a}'`).join(' ')
  const child = spawn('script', ['-qec', `stty cols 80 rows 40; ${line}`, '/dev/null'], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TERM: 'xterm', ...bench.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout.on('data', chunk => {
    out += chunk
  })
  const code = await new Promise(resolve => child.on('close', resolve))
  expect(code).toBe(0)
  expect(out).toContain('A\r\u001b[0J')
  expect(out).toMatch(/flow +state rows\/s +lag/)
  expect(out).toContain('100%')
  expect(out.trimEnd().split('\r\n').at(-1)).toMatch(/^4 flow\(s\) ended well/)
})

describe('tap', () => {
  let live: RunningConnect
  const where = (): readonly string[] => ['--data', path.join(bench.folder, 'live')]
  beforeAll(async () => {
    const file = bench.file(
      'live.yaml',
      `name: ${bench.unique('live')}
${CONNECTIONS}
flows:
  make:
    source:
      type: generate
      rate: 500/s
      keys: {column: device, count: 5, prefix: d-}
      fields: {id: {type: sequence}, v: {type: uniform, min: 0, max: 100}, api_token: {type: choice, of: [very-secret]}}
    transforms:
      - {type: rename, fields: {v: value}}
      - {type: filter, if: id % 2 == 0}
      - {type: rename, fields: {value: reading}}
    sink: {type: clickhouse, table: live, order_by: [id]}
`,
    )
    live = bench.startRun(file, ['--data', path.join(bench.folder, 'live')])
    while ((await command('status', ...where())).code !== 0)
      if (live.child.exitCode !== null) throw new Error((await live.ended).stderr)
  })
  afterAll(async () => {
    live?.child.kill('SIGTERM')
    expect((await live?.ended)?.code).toBe(0)
  })
  const rows = async (at: string, ...args: readonly string[]): Promise<readonly Record<string, unknown>[]> => {
    const outcome = await command('tap', at, ...args, ...where())
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    return outcome.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
  }

  test('source, transforms by place and name, sink: the rows as they are there, secrets hidden', async () => {
    const source = await rows('make.source', '--limit', '30')
    expect(source).toHaveLength(30)
    expect(Object.keys(source[0])).toEqual(expect.arrayContaining(['device', 'id', 'v', 'api_token']))
    expect(source.some(r => Number(r.id) % 2 === 1)).toBe(true)
    expect(new Set(source.map(r => r.api_token))).toEqual(new Set(['***']))
    const filtered = await rows('make.filter', '--limit', '7', '--mask', 'device,other')
    expect(filtered).toHaveLength(7)
    for (const row of filtered) {
      expect(row).toMatchObject({ device: '***', api_token: '***', value: expect.any(Number) })
      expect(Number(row.id) % 2).toBe(0)
    }
    expect(await rows('make.1', '--limit', '1')).toEqual([expect.objectContaining({ value: expect.any(Number) })])
    const sink = await rows(`${bench.unique('live')}/make.sink`, '--limit', '3')
    expect(sink).toEqual(Array(3).fill(expect.objectContaining({ reading: expect.any(Number) })))
  })

  test('completion: short where the name is clear and typed, a number where a type stands twice', async () => {
    const stages = ['source', '1', 'filter', '3', 'sink']
    expect(await asked(...where(), '')).toEqual(stages.map(stage => `${bench.unique('live')}/make.${stage}`))
    expect(await asked(...where(), 'ma')).toEqual(stages.map(stage => `make.${stage}`))
  })

  test('--json, --for, and what is refused', async () => {
    const json = envelopeOf(await command('tap', 'make.sink', '--limit', '2', '--json', ...where()))
    expect(json).toMatchObject({ ok: true, summary: '2 row(s)', result: { rows: [{ api_token: '***' }, { api_token: '***' }] } })
    expect((await command('tap', 'make.source', '--limit', '10000', '--for', '300ms', ...where())).code).toBe(0)
    const refusals: readonly (readonly [string, readonly string[], RegExp])[] = [
      ['make', [], /C019_USAGE: "make": expected FLOW.STAGE\n {2}the stages are live-\S+\/make.source, /],
      ['.sink', [], /C019_USAGE: ".sink": expected FLOW.STAGE, such as ingest.sink; with several files PIPELINE\/FLOW.STAGE/],
      ['other.sink', [], /C010_UNKNOWN_REFERENCE: there is no flow "other"\n {2}the flows are live-\S+\/make\n/],
      ['nosuch/mkae.sink', [], /there is no flow "nosuch\/mkae"\n {2}did you mean live-\S+\/make\?/],
      [
        'make.rename',
        [],
        /C010_UNKNOWN_REFERENCE: make has several stages "rename"\n.*make.1 \(rename\), \S+make.filter, \S+make.3 \(rename\), \S+make.sink/,
      ],
      ['make.4', [], /C010_UNKNOWN_REFERENCE/],
      ['make.sink', ['--limit', '0'], /C019_USAGE: limit/],
      ['make.sink', ['--for', 'long'], /C019_USAGE: --for/],
    ]
    for (const [at, args, message] of refusals) {
      const outcome = await command('tap', at, ...args, ...where())
      expect(outcome.stderr).toMatch(message)
      expect(outcome.code).toBe(2)
    }
    const nobody = await command('tap', 'make.sink', '--data', path.join(bench.folder, 'nowhere'))
    expect(nobody.code).toBe(3)
    // of several the candidates, as they can be given
    const several = await command('tap', 'ingest.sink', ...data())
    expect(several.code).toBe(2)
    expect(several.stderr).toMatch(/several flows are called "ingest"/)
    const [, hint] = several.stderr.split('give its pipeline: ')
    expect(hint.trim().split(', ')).toEqual(NAMES.map(name => `${bench.unique(name)}/ingest.sink`))
    expect((await command('tap', `${bench.unique('north')}/make.sink`, ...data())).stderr).toMatch(/has ended/)
  })

  test('a name that stands for flows of two workers is refused, with both', async () => {
    const name = bench.unique('beside')
    const file = bench.file(
      'beside.yaml',
      `name: ${name}
flows:
  make:
    source: {type: generate, rate: 5/s, fields: {id: {type: sequence}}}
    sink: {type: stdout, limit: 1}
`,
    )
    const beside = bench.startRun(file, where())
    const running = async (): Promise<number> =>
      (envelopeOf(await command('status', '--json', ...where())).result as { workers: readonly unknown[] }).workers.length
    while ((await running()) < 2) if (beside.child.exitCode !== null) throw new Error((await beside.ended).stderr)
    const refused = await command('tap', 'make.sink', ...where())
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining(`${name}/make.sink, ${bench.unique('live')}/make.sink`),
    ])
    expect(await rows(`${name}/make.source`, '--limit', '1')).toEqual([expect.objectContaining({ id: expect.any(Number) })])
    beside.child.kill('SIGTERM')
    expect((await beside.ended).code).toBe(0)
  })

  test('a page of another name is refused: only this machine may look', async () => {
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      get(`${at}/api/tap?at=ingest.sink`, { headers: { host: 'evil.example.com' } }, r => {
        r.resume()
        resolve(r.statusCode)
      }).on('error', reject)
    })
    expect(answer).toBe(403)
  })
})

test('a worker with a token is asked with it', async () => {
  const file = bench.file('token.yaml', pipeline('token'))
  const where = ['--data', path.join(bench.folder, 'token')]
  const token = 'a-token-of-some-length'
  const guarded = bench.startRun(file, where, { OLAP_CONNECT_TOKEN: token })
  const withToken = (): Promise<Outcome> =>
    connect(['status', ...where], { env: { OLAP_CONNECT_TOKEN: token }, cwd: bench.folder })
  while ((await withToken()).code !== 0) if (guarded.child.exitCode !== null) throw new Error((await guarded.ended).stderr)
  const without = await command('status', ...where)
  expect(without.code).toBe(3)
  expect(without.stderr).toMatch(
    /^E003_AUTHENTICATION: .* asks for a token, and none was given\n.*OLAP_CONNECT_TOKEN or --token-file/,
  )
  expect((await command('status', ...where, '--token-file', bench.file('secret', `${token}\n`))).code).toBe(0)
  guarded.child.kill('SIGTERM')
  expect((await guarded.ended).code).toBe(0)
})
