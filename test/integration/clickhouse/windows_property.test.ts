import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { systemClock } from '../../../runtime/clock'
import { silent } from '../../../runtime/events'
import type { ViewSpec } from '../../../runtime/spec'
import { openFileLog } from '../../../runtime/views/file_log'
import { Finaliser } from '../../../runtime/views/finaliser'
import { TableProgress } from '../../../runtime/views/progress'
import { compileView } from '../../../sql/windows/compile'
import { createWindowStore } from '../../../sql/windows/window_store'
import { batchOf, schemaOf } from '../../support/batches'
import { viewSpec } from '../../support/views'
import { BruteForce, event, SHAPES, Timeline } from '../../support/window_streams'
import { Harness, type SinkUnderTest } from './harness'

/**
 * Random streams over several partitions with duplicates, out-of-order and late records, gaps, random batch cuts, batches sent
 * again and finalisers that start anew: the final windows equal a plain computation over the records that count. That the engine
 * gives the sink what it is given here is what test/pipelines/windows_property.test.ts shows.
 * `npm run prove:windows -- --cases 500 --seed 7 --json` runs more of them.
 */
const CASES = Number(process.env.PROVE_CASES ?? 45)
const SEED = Number(process.env.PROVE_SEED ?? 1)
const SCHEMA = schemaOf({ ts: 'timestamp(ms)', device: 'dictionary', cpu: 'f64' })
const { signal: never } = new AbortController()

interface Prepared {
  readonly spec: ViewSpec & { readonly window: NonNullable<ViewSpec['window']> }
  readonly sink: SinkUnderTest
  readonly open: () => Promise<ReturnType<typeof createWindowStore>>
}
const prepared: Prepared[] = []
let harness: Harness

beforeAll(async () => {
  harness = await Harness.start('windows_property')
  for (const [i, { delay, lateness, ...window }] of SHAPES.entries()) {
    const spec = {
      ...viewSpec({
        name: `v${i}`,
        from: `t${i}`,
        delay,
        lateness,
        columns: { n: 'count()', total: 'sum(cpu)', top: 'max(cpu)' },
      }),
      window,
    }
    const sink = await harness.sink({ table: `t${i}`, time: 'ts', partition_by: 'none' }, SCHEMA, { views: [spec] })
    const view = await compileView(spec, { database: harness.database, table: `t${i}__in` }, harness.database, harness.store)
    const windows = createWindowStore(view, harness.store)
    prepared.push({ spec, sink, open: async () => ({ ...windows, close: async () => {} }) })
  }
})
afterAll(() => harness?.stop())

const step = fc.record({
  partition: fc.nat(2),
  rows: fc.array(event, { minLength: 1, maxLength: 25 }),
  again: fc.constantFrom('no', 'no', 'token', 'resend'),
  restart: fc.constantFrom(false, false, false, true),
})
const scenario = fc.record({ shape: fc.nat(SHAPES.length - 1), steps: fc.array(step, { minLength: 1, maxLength: 14 }) })
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never

let number = 0

async function mismatch({ shape, steps }: Scenario): Promise<string | null> {
  const { spec, sink, open } = prepared[shape]
  for (const table of [spec.from, `${spec.name}__panes`, `${spec.name}__rows`])
    await harness.store.command(`TRUNCATE TABLE ${table}`)
  const dataDir = mkdtempSync(path.join(tmpdir(), 'windows-'))
  const log = await openFileLog({ dataDir, pipeline: 'p', view: spec.name })
  const run = ++number
  const keys = ['in|0', 'in|1', 'in|2']
  const marks = new Map<string, number>()
  const offsets = [0, 0, 0]
  const truth = new BruteForce(SHAPES[shape])
  const timeline = new Timeline()
  const begin = () => {
    const progress = new TableProgress(['ingest'], systemClock)
    const finaliser = new Finaliser({
      pipeline: 'p',
      view: spec,
      progress,
      open,
      clock: systemClock,
      events: silent,
      drain: never,
      abort: never,
    })
    const flow = progress.of('ingest')
    flow.joined(keys, true)
    flow.lane(new Map(marks))
    // a partition that has sent nothing yet does not hold the others
    for (const key of keys) if (!marks.has(key)) flow.idle(key, true)
    return { flow, ended: finaliser.run(log) }
  }
  let now = begin()
  try {
    for (const [i, { partition, rows, again, restart }] of steps.entries()) {
      const key = keys[partition]
      const values = rows.map(row => ({ ts: timeline.time(row), device: row.device, cpu: row.cpu }))
      const behind = Float64Array.from(values, value => truth.add(partition, value))
      const batch = batchOf(SCHEMA, values, { partition, offset: offsets[partition] })
      offsets[partition] += rows.length
      const write = { token: `${run} ${i}`, behind, namedAt: null, signal: never }
      await sink.lane.write(batch, { ...write, resend: false })
      if (again !== 'no') await sink.lane.write(batch, { ...write, resend: again === 'resend' })
      marks.set(key, truth.marks.get(partition) ?? 0)
      now.flow.idle(key, false)
      const { ranges } = batch.origin
      now.flow.settled({ watermarks: new Map(marks), earliest: Math.min(...values.map(v => v.ts)), behind, ranges })
      if (!restart) continue
      now.flow.ended(false)
      await now.ended
      now = begin()
    }
    now.flow.ended(true)
    await now.ended
    const statement = `SELECT toUnixTimestamp64Milli(window_end) AS end, toString(device) AS device, n, total, top FROM ${spec.name}`
    const differs = truth.differs(await harness.store.query(statement))
    if (differs !== null) return differs
    const ends = [...new Set([...truth.windows.keys()].map(id => Number(id.split(' ')[0])))].sort((a, b) => a - b)
    const closings = await log.read(0, log.end)
    const endsOf = (kind: string): number[] => closings.filter(c => c.kind === kind).flatMap(c => c.windowEnds)
    for (const kind of ['close', 'final']) {
      if (new Set(endsOf(kind)).size !== endsOf(kind).length) return `a window is said to ${kind} twice`
    }
    // a window whose first record came when the watermark had passed it begins with a revision
    const told = new Set([...endsOf('close'), ...endsOf('revise')])
    if (ends.some(end => !told.has(end))) return 'a window is never told'
    return null
  } finally {
    await log.close()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

test(`${CASES} random streams give the windows of a plain computation`, async () => {
  let cases = 0
  const wrong: string[] = []
  for (const one of fc.sample(scenario, { numRuns: CASES, seed: SEED })) {
    cases++
    const why = await mismatch(one)
    if (why !== null) wrong.push(`case ${cases}: ${why}\n${JSON.stringify(one)}`)
  }
  if (process.env.PROVE_RESULT) {
    appendFileSync(process.env.PROVE_RESULT, `${JSON.stringify({ cases, mismatches: wrong.length })}\n`)
  }
  expect(wrong.slice(0, 3)).toEqual([])
}, 3_600_000)
