import { randomInt } from 'node:crypto'
import path from 'node:path'
import { type Bench, CONNECTIONS, type RunningConnect, startBench } from '../support/connect'
import { registerReadings } from '../support/readings'
import { until } from '../support/until'

/**
 * Two workers on one pipeline: they share partitions of the topic and shards of the view, one of them closes its windows. Whatever
 * each of them did, windows equal a computation by hand, every closing stands once in every shard, and anomalies are those that a
 * single worker finds.
 */

const S = 1000
const SIZE = 10 * S
const SLIDE = 5 * S
const PARTITIONS = 4
const DEVICES = 12
const T0 = Date.UTC(2026, 0, 1)
const UP_TO_NOW = ['--until-caught-up'] as const
const TALKATIVE = ['--log-level', 'debug'] as const

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench?.stop())

const pipeline = (name: string, topic: string, detectors: string): string => `name: ${name}
shutdown_timeout: 20s
${CONNECTIONS}
flows:
  ingest:
    source: {type: kafka, topics: [${topic}], value: avro, idle: 1h, session_timeout: 2s}
    sink: {type: clickhouse, table: ${name}, time: ts, order_by: [device, ts], flush: {interval: 50ms}}
  detect:
    source: {type: view, view: ${name}_v}
    transforms:
      - {type: score, detectors: {${detectors}}, threshold: 2}
    # anomalies are stamped with the ends of their windows, long ago, and a broker would delete them
    sink: {type: kafka, topic: {name: ${name}-anomalies, config: {retention.ms: "-1"}}}
views:
  ${name}_v: {from: ${name}, size: 10s, slide: 5s, keys: [device], columns: {n: count(), mean: avg(cpu)}, delay: 1s, lateness: 5s}
`

/** Readings of all devices at one second; each device has its partition. Some jump. */
const readingsAt = (second: number) =>
  Array.from({ length: DEVICES }, (_, d) => ({
    device: `d${d}`,
    ts: T0 + second * S + d,
    cpu: 40 + ((second * 7 + d * 3) % 5) + (second % 97 === d * 8 ? 400 : 0),
  }))

interface Input {
  readonly topic: string
  /** Produces the readings of these seconds, `lag` of them later for the last partition. */
  produce(from: number, to: number): Promise<void>
  close(): Promise<void>
}

async function createInput(): Promise<Input> {
  const topic = bench.unique(`readings-${randomInt(1e6)}`)
  await bench.createTopic(topic, PARTITIONS)
  const encode = await registerReadings(bench, topic)
  const producer = bench.client.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  return {
    topic,
    async produce(from, to) {
      const messages = Array.from({ length: to - from }, (_, i) => readingsAt(from + i))
        .flat()
        .map(r => ({ partition: Number(r.device.slice(1)) % PARTITIONS, key: r.device, value: encode(r) }))
      await producer.send({ topic, messages })
    },
    close: () => producer.disconnect(),
  }
}

/** `device end n` of every window of these seconds, by hand. */
function windowsBy(seconds: number): readonly string[] {
  const counts = new Map<string, number>()
  for (let s = 0; s < seconds; s++) {
    for (const { device, ts } of readingsAt(s)) {
      for (let end = ts - (ts % SLIDE) + SLIDE; end <= ts - (ts % SLIDE) + SIZE; end += SLIDE) {
        counts.set(`${device} ${end}`, (counts.get(`${device} ${end}`) ?? 0) + 1)
      }
    }
  }
  return [...counts].map(([key, n]) => `${key} ${n}`).sort()
}

const windowsIn = async (view: string): Promise<readonly string[]> => {
  const rows = await bench.sql(`SELECT device, toUnixTimestamp64Milli(window_end) AS end, n FROM {db}.${view}`)
  return rows.map(r => `${r.device} ${r.end} ${r.n}`).sort()
}

/** `kind end` of every closing of each shard, in order. */
async function closingsOf(name: string): Promise<readonly (readonly string[])[]> {
  const records = await bench.records(`__olap_connect.${name}.closings.${name}_v`)
  const shards = Array.from({ length: 4 }, (): string[] => [])
  for (const { partition, value } of records) {
    const { kind, ends } = JSON.parse(String(value)) as { kind: string; ends: readonly number[] }
    shards[partition].push(...ends.map(end => `${kind} ${end}`))
  }
  return shards
}

/** Each shard has each window's end once as closed and once as final, in the same order as the others. */
async function expectEachOnce(name: string, seconds: number): Promise<void> {
  const shards = await closingsOf(name)
  for (const shard of shards) expect(shard).toEqual(shards[0])
  const ends = [...new Set(windowsBy(seconds).map(w => w.split(' ')[1]))]
  expect([...shards[0]].sort()).toEqual(ends.flatMap(end => [`close ${end}`, `final ${end}`]).sort())
}

/** What a single worker would say, whatever the names: the latest verdict of each window and detector. */
async function anomaliesOf(name: string): Promise<readonly string[]> {
  const latest = new Map<string, string>()
  for (const record of await bench.records(`${name}-anomalies`)) {
    const anomaly = (await bench.decode(record)) as { id: string }
    const text = JSON.stringify(anomaly).replaceAll(name, 'x')
    latest.set(anomaly.id.replaceAll(name, 'x'), text)
  }
  return [...latest.values()].sort()
}

const data = (worker: string): readonly string[] => ['--data', path.join(bench.folder, worker)]
const worker = (file: string, name: string, args: readonly string[] = []): RunningConnect =>
  bench.startRun(file, [...data(name), ...TALKATIVE, ...args])

/** Both are members of a flow's group and have half of its partitions each. */
async function shared(workers: readonly RunningConnect[], flow: string): Promise<void> {
  await Promise.all(
    workers.map(w => w.says(new RegExp(`${flow}: session \\S+ generation \\d+ with lanes \\d, \\d \\(2 partitions\\)`))),
  )
}

/** It ended in order, with nothing failed. */
async function well(run: RunningConnect): Promise<void> {
  const { code, stderr } = await run.ended
  if (code !== 0) throw new Error(`it ended with ${code}:\n${stderr.slice(-6_000)}`)
}

const OWNED = /_v: this worker closes its windows/

const closedAtLeast = (name: string, count: number): Promise<unknown> =>
  until(
    `${count} windows closed`,
    async () => Number((await bench.sql(`SELECT uniqExact(window_end) AS n FROM {db}.${name}_v`))[0].n),
    n => n >= count,
  )

test('windows, closings and anomalies of two workers are those of one', async () => {
  const SECONDS = 400
  const names = ['two', 'one'].map(bench.identifier)
  const input = await createInput()
  const detectors = 'level: {type: ewma, features: [mean], warmup: 20}'
  const [two, one] = names.map(name => bench.file(`${name}.yaml`, pipeline(name, input.topic, detectors)))
  const running = [worker(two, 'a'), worker(two, 'b')]
  await Promise.all([shared(running, 'ingest'), shared(running, 'detect')])
  for (let s = 0; s < SECONDS; s += 50) await input.produce(s, s + 50)
  // the last windows wait for more
  await closedAtLeast(names[0], SECONDS / 5 - 2)
  expect(running.filter(w => OWNED.test(w.stderr()))).toHaveLength(1)
  for (const { child } of running) child.kill('SIGTERM')
  await Promise.all(running.map(well))

  const rest = [worker(two, 'a', UP_TO_NOW), worker(two, 'b', UP_TO_NOW)]
  await Promise.all(rest.map(well))
  expect(await windowsIn(`${names[0]}_v`)).toEqual(windowsBy(SECONDS))
  await expectEachOnce(names[0], SECONDS)

  await well(worker(one, 'c', UP_TO_NOW))
  // in the same order, too: in that order windows are scored and learnt
  expect(await closingsOf(names[0])).toEqual(await closingsOf(names[1]))
  const expected = await anomaliesOf(names[1])
  expect(expected.length).toBeGreaterThan(5)
  expect(await anomaliesOf(names[0])).toEqual(expected)
  await input.close()
})

test('another worker closes on where the one that closed was killed', async () => {
  const SECONDS = 300
  const name = bench.identifier('killed')
  const input = await createInput()
  const file = bench.file(`${name}.yaml`, pipeline(name, input.topic, 'high: {type: threshold, if: mean > 60.0}'))
  const running = [worker(file, 'd'), worker(file, 'e')]
  await shared(running, 'ingest')
  let at = 0
  const more = async (): Promise<void> => {
    await input.produce(at, at + 10)
    at += 10
  }
  for (let i = 0; i < 10; i++) await more()
  await closedAtLeast(name, 8)
  const owner = running.find(w => OWNED.test(w.stderr())) as RunningConnect
  const other = running.find(w => w !== owner) as RunningConnect
  await more()
  owner.child.kill('SIGKILL')
  while (at < SECONDS) await more()
  await other.says(OWNED)
  await closedAtLeast(name, SECONDS / 5 - 2)
  other.child.kill('SIGTERM')
  await well(other)
  await well(worker(file, 'f', UP_TO_NOW))
  expect(await windowsIn(`${name}_v`)).toEqual(windowsBy(SECONDS))
  await expectEachOnce(name, SECONDS)
  await input.close()
})
