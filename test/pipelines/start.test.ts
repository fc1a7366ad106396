import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import path from 'node:path'
import { DEFAULT_LISTEN } from '../../cli/listen'
import { type Bench, envelopeOf, type RunningConnect, runResult, start, startBench } from '../support/connect'

/** What a run says and does where something is in its way from the start. */

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench?.stop())

const JSON_LOG = ['--log-format', 'json'] as const

/** The log of a run: one object a line, after what was said of the file. */
const eventsOf = (run: RunningConnect): readonly Record<string, unknown>[] =>
  run
    .stderr()
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line))
const named = (run: RunningConnect, event: string) => eventsOf(run).filter(e => e.event === event)

const createTopic = async (topic: string): Promise<void> => {
  const admin = bench.client.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }], waitForLeaders: true })
  await admin.disconnect()
}

/** Where nothing listens. */
async function nowhere(): Promise<string> {
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const address = `127.0.0.1:${(gone.address() as AddressInfo).port}`
  gone.close()
  return address
}

test('a broker that is not there is told once, not at each try', async () => {
  const address = await nowhere()
  const file = bench.file(
    'gone.yaml',
    `name: gone
connections: {kafka: {brokers: "${address}"}}
flows:
  f:
    source: {type: kafka, topics: [t], value: json}
    sink: {type: stdout}
`,
  )
  const run = bench.startRun(file, JSON_LOG)
  await run.says(/"service_unreachable"/)
  run.child.kill('SIGTERM')
  const outcome = await run.ended
  // a stop is no failure, but nothing ended well
  expect([outcome.code, envelopeOf(outcome).summary]).toEqual([
    0,
    `stopped by SIGTERM; never reached: kafka ${address}; records written: f 0`,
  ])
  const warnings = eventsOf(run).filter(e => e.level === 'warn')
  expect(warnings).toEqual([
    expect.objectContaining({
      event: 'service_unreachable',
      code: 'E001_UNREACHABLE',
      message: expect.stringContaining(address),
      hint: expect.stringContaining('check the address'),
    }),
  ])
})

describe('a topic that does not exist', () => {
  const reader = (name: string, topics: readonly string[]): string =>
    bench.pipeline(
      name,
      `  ingest:
    source: {type: kafka, topics: [${topics}], value: json}
    sink: {type: kafka, topic: ${bench.unique(name)}-out, value: json}
`,
    )

  test('is told by its name, and again as the reason why a stopped run did not do its work', async () => {
    const [there, missing] = [bench.unique('there'), bench.unique('mispelled')]
    await createTopic(there)
    const run = bench.startRun(reader('typo', [there, missing]), JSON_LOG)
    await run.says(/"service_unreachable"/)
    run.child.kill('SIGTERM')
    const outcome = await run.ended
    const told = {
      code: 'K005_UNKNOWN_TOPIC',
      message: `there is no topic "${missing}" on ${bench.env.KAFKA_BROKERS}`,
      hint: expect.stringContaining('start what writes it, create the topic or correct its name'),
    }
    expect(named(run, 'service_unreachable')).toEqual([expect.objectContaining({ ...told, level: 'warn' })])
    expect(named(run, 'flow_failed')).toEqual([expect.objectContaining({ ...told, level: 'error' })])
    // nothing in the words of the client, which names no topic
    expect(named(run, 'client_log')).toEqual([])
    expect([outcome.code, runResult(outcome).flows.ingest.error]).toEqual([1, 'K005_UNKNOWN_TOPIC'])
  })

  test('is read once it is there', async () => {
    const late = bench.unique('late')
    const run = bench.startRun(reader('late', [late]), JSON_LOG)
    await run.says(/"service_unreachable"/)
    await createTopic(late)
    await run.says(/"session_started"/)
    run.child.kill('SIGTERM')
    expect((await run.ended).code).toBe(0)
  })
})

describe('a topic that another flow of the run creates', () => {
  /** The sink of `first` is opened with the columns of its first record. */
  const chain = (name: string, source: string) => {
    const [input, middle] = [bench.unique(`${name}-in`), bench.unique(`${name}-middle`)]
    const file = bench.pipeline(
      name,
      `  second:
    source: {type: kafka, topics: [${middle}], value: json}
    sink: {type: stdout}
  first:
    source: ${source.replace('INPUT', input)}
    sink: {type: kafka, topic: ${middle}, value: json}
`,
    )
    return { file, input, middle }
  }

  test('is waited for as long as that flow has not made it, and no failure of a run that is stopped before', async () => {
    const { file, input, middle } = chain('pending', '{type: kafka, topics: [INPUT], value: json, start: earliest}')
    await createTopic(input)
    const pending = expect.objectContaining({
      code: 'K009_TOPIC_PENDING',
      message: `there is no topic "${middle}" on ${bench.env.KAFKA_BROKERS} yet: waits for flow first, which creates it`,
    })
    const early = bench.startRun(file, JSON_LOG)
    await early.says(/K009_TOPIC_PENDING/)
    early.child.kill('SIGTERM')
    expect((await early.ended).code).toBe(0)

    const run = bench.startRun(file, JSON_LOG)
    await run.says(/K009_TOPIC_PENDING/)
    expect(named(run, 'service_unreachable')).toEqual([pending])
    const producer = bench.client.producer()
    await producer.connect()
    await producer.send({ topic: input, messages: [{ value: '{"a": 1}' }] })
    await producer.disconnect()
    await run.says(/"session_started".*"second"/)
    run.child.kill('SIGTERM')
    expect((await run.ended).code).toBe(0)
  })

  test('ends with that flow where it fails', async () => {
    const { file } = chain('lost', '{type: file, path: nothing-here/*.csv, schema: {ts: timestamp(ms)}}')
    // a run without an end of its own
    const run = bench.startRun(file, JSON_LOG)
    const outcome = await run.ended
    expect(outcome.code).not.toBe(0)
    expect(named(run, 'flow_failed').find(e => e.flow === 'second')).toMatchObject({
      code: 'K005_UNKNOWN_TOPIC',
      hint: 'flow first, which creates it, has failed: see what it says',
    })
  })
})

test('a run whose time is over before it has reached anything has not ended well', async () => {
  const address = await nowhere()
  const file = bench.file(
    'never.yaml',
    `name: never
connections: {kafka: {brokers: "${address}"}}
flows:
  f:
    source: {type: kafka, topics: [t], value: json}
    sink: {type: stdout}
`,
  )
  const outcome = await bench.startRun(file, [...JSON_LOG, '--for', '8s']).ended
  expect([outcome.code, runResult(outcome).flows.f.error]).toEqual([3, 'E001_UNREACHABLE'])
})

test('a flow of a view ends with the flow that should have made it', async () => {
  const table = bench.identifier('noview')
  const file = bench.pipeline(
    'noview',
    `  ingest:
    source: {type: file, path: nothing-here/*.csv, schema: {ts: timestamp(ms), value: f64}}
    sink: {type: clickhouse, table: ${table}, time: ts}
  detect:
    source: {type: view, view: v}
    sink: {type: stdout}
views:
  v: {from: ${table}, size: 10s, slide: 5s, columns: {n: count()}}
`,
  )
  const outcome = await bench.startRun(file, [...JSON_LOG, '--until-caught-up']).ended
  const { flows } = runResult(outcome)
  expect([flows.ingest.error, flows.detect.error]).toEqual([expect.any(String), 'S011_NO_VIEW'])
})

test('a second run in the same data folder is refused before it takes lanes from the first', async () => {
  const topic = bench.unique('made')
  const file = bench.pipeline(
    'twice',
    `  copy:
    source: {type: kafka, topics: [${topic}], value: json, session_timeout: 2s}
    sink: {type: kafka, topic: ${topic}-copy, value: json}
  make:
    source: {type: generate, rate: 5000/s, fields: {id: {type: sequence}}}
    sink: {type: kafka, topic: ${topic}, value: json}
`,
  )
  const first = bench.startRun(file, JSON_LOG)
  await first.says(/"session_started".*"copy"/)
  // the topic was not there when its reader started; its own file makes it
  expect(named(first, 'service_unreachable')).toEqual([])
  const second = bench.startRun(file, JSON_LOG)
  const refused = await second.ended
  expect(refused.code).toBe(3)
  expect(JSON.parse(refused.stdout).error).toMatchObject({
    code: 'E008_DATA_LOCKED',
    message: expect.stringContaining(`in use by process ${first.child.pid}`),
  })
  expect(named(second, 'flow_started')).toEqual([])
  await first.says(/"batch_written"|"records_read"|"session_started".*"make"/)
  first.child.kill('SIGTERM')
  const outcome = await first.ended
  expect(named(first, 'session_over')).toEqual([])
  const { flows } = runResult(outcome)
  // what a stop leaves unsettled is not said to have been read
  expect([flows.make.read, flows.copy.read]).toEqual([flows.make.written, flows.copy.written])
  expect(flows.make.written).toBeGreaterThan(0)
})

test('a page that has to go elsewhere says so in the log', async () => {
  const [host, port] = DEFAULT_LISTEN.split(':')
  const other = createServer()
  const listening = once(other, 'listening')
  other.listen(Number(port), host)
  // where something listens there already, that will do
  await listening.catch(() => {})
  const file = bench.file(
    'page.yaml',
    'name: page\nflows:\n  f:\n    source: {type: generate, count: 1, fields: {id: {type: sequence}}}\n    sink: {type: stdout}\n',
  )
  const run = start(['run', file, ...JSON_LOG, '--data', path.join(bench.folder, 'page'), '--until-caught-up'])
  await run.ended
  other.close()
  const lines = run.stderr().split('\n')
  const line = lines.find(l => l.includes('taken by another program'))
  expect(JSON.parse(line ?? '{}')).toMatchObject({ level: 'warn', event: 'port_taken', address: DEFAULT_LISTEN })
})
