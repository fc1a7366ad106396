import path from 'node:path'
import { type Bench, CONNECTIONS, type RunningConnect, startBench } from '../support/connect'
import { registerReadings } from '../support/readings'
import { until } from '../support/until'
import {
  bits,
  comparable,
  createWindowsWorld,
  differences,
  type Event,
  expectedRows,
  makeInput,
  PARTITIONS,
  SAME,
  verdicts,
  viewRows,
  type WindowsWorld,
} from '../support/windows_world'

/**
 * A lane that moves to another worker, with a data folder of its own, gives the scores that one worker would have given, to the
 * bit: what was learnt is in ClickHouse, and what came after the last snapshot is learnt again.
 */
const { events } = makeInput(11, 200)
const THIRD = Math.floor(events.length / 3)
const TALKATIVE = ['--log-level', 'debug', '--log-format', 'json']

let bench: Bench
let undisturbed: readonly string[]

interface Scored {
  readonly name: string
  readonly file: string
  produce(events: readonly Event[]): Promise<void>
  /** A worker of its own data folder. */
  worker(data: string, ...args: string[]): RunningConnect
  /** Resolves when so many scores can be read. */
  scored(count: number): Promise<unknown>
  scores(): Promise<readonly string[]>
}

/** Records are scored as they come, without a table or a view. */
async function createScored(prefix: string): Promise<Scored> {
  const name = bench.unique(prefix)
  const out = `${name}-scores`
  // the records are stamped long ago, and a broker would delete them
  await bench.createTopic(name, PARTITIONS, { 'retention.ms': '-1' })
  const encode = await registerReadings(bench, name)
  const file = bench.file(
    `${name}.yaml`,
    `name: ${name}
${CONNECTIONS}
flows:
  detect:
    lanes: 4
    source: { type: kafka, topics: [${name}], value: avro, session_timeout: 1500ms }
    transforms:
      - type: score
        keys: [device]
        time: ts
        detectors:
          level: { type: ewma, features: [cpu], warmup: 20, half_life: 50 }
          shape: { type: novelty, features: [cpu], warmup: 60 }
        threshold: 4
        emit: all
    sink: { type: kafka, topic: { name: ${out}, partitions: 2, config: { retention.ms: "-1" } } }
`,
  )
  return {
    name,
    file,
    async produce(some) {
      const producer = bench.client.producer({ idempotent: true, maxInFlightRequests: 1 })
      await producer.connect()
      const messages = some.map(({ partition, ...row }) => ({ partition, value: encode(row), timestamp: '1' }))
      await producer.send({ topic: name, messages })
      await producer.disconnect()
    },
    worker: (data, ...args) =>
      bench.startRun(file, ['--data', path.join(bench.folder, `${name}-${data}`), ...TALKATIVE, ...args]),
    async scored(count) {
      const enough = (n: number): boolean => n >= count
      // offsets count transaction markers too, so they are there first; asking for them costs little
      await until('enough offsets', async () => (await bench.endOffsets(out)).reduce((n, end) => n + Number(end), 0), enough)
      return until('enough scores', async () => (await bench.records(out)).length, enough)
    },
    async scores() {
      const records = await bench.records(out)
      const said = (await Promise.all(records.map(bench.decode))) as readonly { readonly id: string }[]
      // each run has a pipeline and a topic of its own
      const same = ({ id, ...rest }: (typeof said)[number]) => ({ ...rest, pipeline: '', id: id.replace(`|${name}|`, '|') })
      return said.map(s => JSON.stringify(same(s), (_, x) => (typeof x === 'number' ? bits(x) : x))).sort()
    },
  }
}

const ends = async (run: RunningConnect): Promise<void> => {
  const outcome = await run.ended
  if (outcome.code !== 0) throw new Error(`it ended with ${outcome.code ?? outcome.signal}:\n${outcome.stderr.slice(-3_000)}`)
}

beforeAll(async () => {
  bench = await startBench()
  const one = await createScored('one-worker')
  await one.produce(events)
  await ends(one.worker('a', '--until-caught-up'))
  undisturbed = await one.scores()
  expect(undisturbed.length).toBeGreaterThan(events.length)
  expect(new Set(undisturbed).size).toBeGreaterThan(events.length)
}, 120_000)
afterAll(() => bench?.stop())

test.each(['SIGTERM', 'SIGKILL'] as const)('a worker that ends with %s and one in another folder that goes on', async signal => {
  const pair = await createScored(`pair-${signal.toLowerCase()}`)
  await pair.produce(events.slice(0, THIRD))
  const first = pair.worker('a')
  await pair.scored(1)
  first.child.kill(signal)
  await first.ended
  await pair.produce(events.slice(THIRD))
  await ends(pair.worker('b', '--until-caught-up'))
  expect(differences(await pair.scores(), undisturbed)).toEqual(SAME)
})

test('lanes that move to a second worker while both run, and back', async () => {
  const pair = await createScored('pair-moving')
  await pair.produce(events.slice(0, THIRD))
  const first = pair.worker('a')
  await pair.scored(1)
  const second = pair.worker('b')
  await second.says(/"event":"session_started".*"lanes":"\d/)
  await pair.produce(events.slice(THIRD, 2 * THIRD))
  first.child.kill('SIGTERM')
  await ends(first)
  const third = pair.worker('c')
  await third.says(/"event":"session_started".*"lanes":"\d/)
  await pair.produce(events.slice(2 * THIRD))
  await pair.scored(undisturbed.length)
  for (const run of [second, third]) run.child.kill('SIGTERM')
  await Promise.all([ends(second), ends(third)])
  expect(differences(await pair.scores(), undisturbed)).toEqual(SAME)
})

describe('windows of a view', () => {
  const input = makeInput(12, 400)
  const half = Math.floor(input.events.length / 2)
  let calm: readonly string[]

  const worker = (world: WindowsWorld, data: string, ...args: string[]): RunningConnect =>
    bench.startRun(world.file, ['--data', path.join(bench.folder, `${world.name}-${data}`), ...TALKATIVE, ...args])
  const expectSame = async (world: WindowsWorld): Promise<void> => {
    expect(differences(await viewRows(bench, world), expectedRows(input.events))).toEqual(SAME)
    expect(differences(comparable(await verdicts(bench, world), input), calm)).toEqual(SAME)
  }

  beforeAll(async () => {
    const world = await createWindowsWorld(bench, 'view_one')
    await world.produce(input.events)
    await ends(worker(world, 'a', '--until-caught-up'))
    calm = comparable(await verdicts(bench, world), input)
    expect(calm.length).toBeGreaterThan(400)
    await world.close()
  }, 120_000)

  test.each(['SIGTERM', 'SIGKILL'] as const)('are closed and scored by another worker after %s', async signal => {
    const world = await createWindowsWorld(bench, `view_${signal.toLowerCase()}`)
    await world.produce(input.events.slice(0, half))
    const first = worker(world, 'a')
    await first.says(/"event":"rows_scored"/)
    first.child.kill(signal)
    await first.ended
    await world.produce(input.events.slice(half))
    await ends(worker(world, 'b', '--until-caught-up'))
    await expectSame(world)
    await world.close()
  })

  test('are closed and scored by a second worker that joins, after the first has left', async () => {
    const world = await createWindowsWorld(bench, 'view_moving')
    const first = worker(world, 'a')
    await world.produce(input.events.slice(0, half))
    await first.says(/"event":"rows_scored"/)
    const second = worker(world, 'b')
    await second.says(/"event":"session_started"/)
    await world.produce(input.events.slice(half))
    first.child.kill('SIGTERM')
    await ends(first)
    second.child.kill('SIGTERM')
    await ends(second)
    await ends(worker(world, 'c', '--until-caught-up'))
    await expectSame(world)
    await world.close()
  })
})
