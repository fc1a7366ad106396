import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { type Bench, CONNECTIONS, connect, type Outcome, runResult, startBench } from '../support/connect'

/** A pipeline file written from what a topic holds, and run as it is. */

let bench: Bench
const COUNT = 300

beforeAll(async () => {
  bench = await startBench()
  const make = (value: string): string => `
  ${value}:
    source:
      type: generate
      count: ${COUNT}
      start: 2024-01-01T00:00:00Z
      keys: {column: device, count: 5, prefix: d-}
      fields: {id: {type: sequence}, v: {type: uniform, min: 0, max: 100}}
    sink: {type: kafka, topic: {name: ${bench.unique(value)}, partitions: 2}, key: [device], value: ${value}}`
  const file = bench.file('make.yaml', `name: ${bench.unique('make')}\n${CONNECTIONS}flows:${make('avro')}${make('json')}\n`)
  expect((await bench.run(file)).code).toBe(0)
})
afterAll(() => bench?.stop())

const command = (...args: readonly string[]): Promise<Outcome> => connect(args, { env: bench.env, cwd: bench.folder })

const init = (topic: string, ...args: readonly string[]): Promise<Outcome> => {
  const addresses = ['--brokers', bench.kafka.address, '--registry', bench.registry.address]
  const data = ['--data', path.join(bench.folder, 'data')]
  return command('init', '--from-topic', topic, ...addresses, ...data, ...args)
}

test.each(['avro', 'json'])('%s: found, written, valid, run', async value => {
  const topic = bench.unique(value)
  const outcome = await init(topic, '--table', value, '--name', topic)
  expect(outcome).toMatchObject({ code: 0, stdout: expect.stringContaining('4 columns found') })
  const file = path.join(bench.folder, `${topic}.yaml`)
  const text = readFileSync(file, 'utf8')
  expect(text).toContain(value === 'json' ? '      value:\n        format: json ' : 'value: avro')
  expect(text).toMatch(/^# Records that were found:\n# {3}\{.*"id":\d+,.*\}\n/m)
  expect(text).toContain(value === 'json' ? '          device: utf8\n' : '#   device: utf8\n')
  expect(text).toContain(`${value === 'json' ? '          ' : '#   '}ts: timestamp(ms)\n`)
  expect(text).toContain('      time: ts ')
  expect(text).toContain('order_by: [device, ts]')
  expect(text).toContain('#     keys: [device]\n')
  expect((await command('validate', file)).code).toBe(0)
  const run = await bench.run(file)
  expect(runResult(run).flows.ingest).toMatchObject({ read: COUNT, written: COUNT, dead_lettered: 0 })
  const database = topic.replaceAll('-', '_')
  const rows = await bench.sql(`SELECT count() AS n, uniqExact(id) AS ids FROM ${database}.${value}`)
  expect(rows).toEqual([{ n: String(COUNT), ids: String(COUNT) }])
  await bench.command(`DROP DATABASE ${database}`)
})

test('a topic that is not there, and those that are', async () => {
  const near = bench.unique('avroo')
  expect((await init(near, '--out', 'nowhere.yaml')).stderr).toContain(
    `did you mean ${bench.unique('avro')}? the topics are ${bench.unique('avro')}, `,
  )
  const outcome = await init('nowhere', '--out', 'nowhere.yaml')
  expect([outcome.code, outcome.stderr]).toEqual([1, expect.stringContaining('K005_UNKNOWN_TOPIC')])
  // only a run waits
  expect(outcome.stderr).not.toMatch(/waits|embedded/)
  expect(outcome.stderr).toMatch(/^ {2}the topics are .*\bavro-/m)
  expect(outcome.stderr).not.toMatch(/__|_schemas/)
})

test('the topic is read where the written file will read it', async () => {
  const topic = bench.unique('avro')
  const args = ['init', '--from-topic', topic, '--name', `${topic}-env`, '--data', 'unused']
  expect(await command(...args)).toMatchObject({ code: 0, stdout: expect.stringContaining('4 columns found') })
  expect(existsSync(path.join(bench.folder, 'unused'))).toBe(false)
})

test('a registry that nobody named is told where it is needed, and left out where it is not', async () => {
  const { SCHEMA_REGISTRY_URL: _, ...env } = bench.env
  const from = (topic: string): Promise<Outcome> =>
    connect(['init', '--from-topic', topic, '--name', `${topic}-unnamed`, '--data', 'unused'], { env, cwd: bench.folder })
  const another = '--registry URL or the variable SCHEMA_REGISTRY_URL names another'
  // whether one answers there, with the schemas of somebody else, is up to the machine
  const avro = await from(bench.unique('avro'))
  expect(avro.stderr).toContain(`its schemas are looked for in http://localhost:8081; ${another}\n`)
  const json = bench.unique('json')
  expect(await from(json)).toMatchObject({ code: 0, stderr: `reading ${json} ...\n` })
  expect(readFileSync(path.join(bench.folder, `${json}-unnamed.yaml`), 'utf8')).not.toContain('registry')
})

test('services that are new have nothing in them, and this is said once', async () => {
  const look = (): Promise<Outcome> => connect(['init', '--from-topic', 'a', '--data', 'fresh'], { cwd: bench.folder })
  const note = 'kafka, schema_registry: embedded, new and empty in fresh; --data names another folder\n'
  expect(await look()).toMatchObject({ code: 1, stderr: expect.stringContaining(note) })
  const again = await look()
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('K005_UNKNOWN_TOPIC')])
  expect(again.stderr).not.toContain('embedded')
})
