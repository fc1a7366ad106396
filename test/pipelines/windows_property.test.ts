import { appendFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { connect } from '../../cli/program'
import { type Bench, CONNECTIONS, startBench } from '../support/connect'
import { collectingIo } from '../support/in_process'
import { registerReadings } from '../support/readings'
import { BruteForce, event, SHAPES, type Shape, Timeline } from '../support/window_streams'

/**
 * Random streams through a broker, the engine and ClickHouse, while workers restart, join and leave: the windows equal a plain
 * computation over the records that count, whatever the cuts and however records of different partitions met.
 * `npm run prove:windows` runs more of them.
 */
const CASES = Number(process.env.PROVE_PIPELINE_CASES ?? 5)
const SEED = Number(process.env.PROVE_SEED ?? 1)
const PARTITIONS = 3
const MAX_AHEAD_MS = 3_600_000
const DEADLINE_MS = 90_000

const step = fc.record({
  partition: fc.nat(PARTITIONS - 1),
  rows: fc.array(fc.record({ event, future: fc.constantFrom(...Array<boolean>(19).fill(false), true), twice: fc.nat(9) }), {
    minLength: 1,
    maxLength: 30,
  }),
  /** Everything so far is in the table before the next step. */
  settled: fc.boolean(),
  afterwards: fc.constantFrom('nothing', 'nothing', 'nothing', 'restart', 'join', 'leave'),
})
const scenario = fc.record({
  shape: fc.nat(SHAPES.length - 1),
  /** A partition that never gets a record; PARTITIONS: none. */
  silent: fc.nat(PARTITIONS),
  idle: fc.boolean(),
  rows: fc.integer({ min: 1, max: 60 }),
  lanes: fc.integer({ min: 1, max: PARTITIONS }),
  steps: fc.array(step, { minLength: 3, maxLength: 8 }),
})
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never

let bench: Bench
let number = 0
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench?.stop())

/** A worker in this process, as `connect run` is in one of its own: starting one costs no second. */
interface Worker {
  /** Ends it in order. */
  stop(): Promise<void>
  readonly ended: Promise<void>
}

function startWorker(file: string, data: string, ...args: string[]): Worker {
  const collected = collectingIo(bench.env)
  const listeners = new Set<(signal: 'SIGTERM') => void>()
  let asked = false
  const io = {
    ...collected.io,
    cwd: bench.folder,
    onSignal: (listener: (signal: 'SIGTERM') => void) => {
      listeners.add(listener)
      if (asked) listener('SIGTERM')
      return () => void listeners.delete(listener)
    },
  }
  const ended = connect(['run', file, '--json', '--listen', 'off', '--data', path.join(bench.folder, data), ...args], io).then(
    code => {
      if (code !== 0) throw new Error(`a worker ended with ${code}: ${collected.out()}\n${collected.err().slice(-3_000)}`)
    },
  )
  ended.catch(() => {})
  return {
    ended,
    stop() {
      asked = true
      for (const listener of listeners) listener('SIGTERM')
      return ended
    },
  }
}

const file = (name: string, { idle, rows, lanes }: Scenario, { size, slide, offset, delay, lateness }: Shape): string =>
  bench.file(
    `${name}.yaml`,
    `name: ${name}
${CONNECTIONS}
flows:
  ingest:
    lanes: ${lanes}
    source: { type: kafka, topics: [${name}], value: avro, session_timeout: 2s${idle ? ', idle: 100ms' : ''} }
    sink:
      type: clickhouse
      table: ${name}
      time: ts
      max_ahead: ${MAX_AHEAD_MS / 1000}s
      order_by: [device, ts]
      flush: { rows: ${rows}, interval: 20ms }
    on_error: { dead_letter: ${name}.dead }
views:
  ${name}_v:
    from: ${name}
    size: ${size / 1000}s
    slide: ${slide / 1000}s
    offset: ${offset / 1000}s
    delay: ${delay / 1000}s
    lateness: ${lateness / 1000}s
    keys: [device]
    columns: { n: count(), total: sum(cpu), top: max(cpu) }
`,
  )

async function mismatch(one: Scenario): Promise<string | null> {
  const shape = SHAPES[one.shape]
  const name = bench.identifier(`property_${++number}`)
  // the records are of years ago, which a broker would delete
  await bench.createTopic(name, PARTITIONS, { 'retention.ms': '-1' })
  const encode = await registerReadings(bench, name)
  const pipeline = file(name, one, shape)
  const producer = bench.client.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const truth = new BruteForce(shape)
  const timeline = new Timeline()
  let counted = 0
  const rowsOfTable = async (): Promise<number> => {
    // the table is not there before the flow has opened
    const [row] = await bench.sql(`SELECT count() AS n FROM {db}.${name}`).catch(() => [{ n: 0 }])
    return Number(row.n)
  }
  let first = startWorker(pipeline, `${name}-a`)
  let second: Worker | null = null
  try {
    for (const { partition, rows, settled, afterwards } of one.steps) {
      if (partition === one.silent) continue
      const messages = rows.flatMap(({ event, future, twice }) => {
        const stamp = timeline.now
        const ts = timeline.time(event) + (future ? 2 * MAX_AHEAD_MS : 0)
        const message = { partition, timestamp: String(stamp), value: encode({ ...event, ts }) }
        const copies = Array.from({ length: twice === 0 ? 2 : 1 }, () => message)
        if (!future) {
          for (const _ of copies) truth.add(partition, { ...event, ts })
          counted += copies.length
        }
        return copies
      })
      await producer.send({ topic: name, messages })
      const deadline = Date.now() + DEADLINE_MS
      while (settled && (await rowsOfTable()) < counted) {
        if (Date.now() > deadline) return `${await rowsOfTable()} rows in the table, ${counted} not within ${DEADLINE_MS} ms`
        await Promise.race([delay(20), first.ended])
      }
      if (afterwards === 'restart') {
        await first.stop()
        first = startWorker(pipeline, `${name}-a`)
      } else if (afterwards === 'join') second ??= startWorker(pipeline, `${name}-b`)
      else if (afterwards === 'leave') {
        await second?.stop()
        second = null
      }
    }
    await Promise.all([first.stop(), second?.stop()])
    await startWorker(pipeline, `${name}-a`, '--until-caught-up').ended
    const rows = await rowsOfTable()
    if (rows !== counted) return `${rows} rows in the table, not ${counted}`
    return truth.differs(
      await bench.sql(`SELECT toUnixTimestamp64Milli(window_end) AS end, device, n, total, top FROM {db}.${name}_v`),
    )
  } finally {
    await producer.disconnect()
    await Promise.allSettled([first.stop(), second?.stop()])
  }
}

test(`${CASES} random streams through broker and engine give the windows of a plain computation`, async () => {
  let cases = 0
  const wrong: string[] = []
  for (const one of fc.sample(scenario, { numRuns: CASES, seed: SEED })) {
    cases++
    const why = await mismatch(one).catch((error: Error) => error.message)
    if (why !== null) wrong.push(`case ${cases}: ${why}\n${JSON.stringify(one)}`)
  }
  if (process.env.PROVE_RESULT)
    appendFileSync(process.env.PROVE_RESULT, `${JSON.stringify({ cases, mismatches: wrong.length })}\n`)
  expect(wrong.slice(0, 3)).toEqual([])
}, 3_600_000)
