import { setTimeout as delay } from 'node:timers/promises'
import type { Point } from '../../runtime/hooks'
import { type Bench, startBench } from '../support/connect'
import { seeded } from '../support/seeded'
import {
  comparable,
  createWindowsWorld,
  differences,
  expectedRows,
  type Input,
  makeInput,
  SAME,
  verdicts,
  viewRows,
  type WindowsWorld,
} from '../support/windows_world'
import { eventsOf, saidOrEnded, TALKATIVE } from './world'

/**
 * The worker is killed again and again while windows close and their scores are produced; afterwards the rows of the view are those
 * of a computation over the records, and the latest verdict of each window is that of a run that nobody disturbed. CHAOS_SEED
 * repeats a run's choices. Two of three kills come at a named point, from inside; the others from outside at any moment.
 */
const SEED = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 1e6))
const KILLS = Number(process.env.CHAOS_KILLS ?? 20)
const SECONDS = 800
/** Each life is fed in so many pieces, so that windows close several times. */
const PIECES = 8
const WITHIN_MS = 500
const AT: readonly Point[] = ['windows_written', 'windows_told', 'producing', 'snapshot', 'acked']
const JOINED = /"event":"session_started"[^\n]*"flow":"ingest"|"flow":"ingest"[^\n]*"event":"session_started"/
const PROGRESS =
  /"event":"(batch_written|lane_replaying)"[^\n]*"flow":"ingest"|"flow":"ingest"[^\n]*"event":"(batch_written|lane_replaying)"/

interface Life {
  readonly hooks: object
  /** Milliseconds after the first sign of progress; null: it kills itself. */
  readonly killAfter: number | null
}

/** One life of a worker, fed with these events. `byItself`: it killed itself; `recovered`: it took up a state that was stored. */
async function live(bench: Bench, world: WindowsWorld, { hooks, killAfter }: Life, events: Input['events']) {
  const run = bench.startRun(world.file, TALKATIVE, { OLAP_CONNECT_CHAOS: JSON.stringify(hooks) })
  let alive = true
  let byItself = true
  const over = run.ended.then(
    outcome => {
      alive = false
      return outcome
    },
    error => {
      alive = false
      throw error
    },
  )
  over.catch(() => {})
  const feeding = (async () => {
    await saidOrEnded(run, JOINED)
    const piece = Math.ceil(events.length / PIECES)
    for (let from = 0; from < events.length; from += piece) await world.produce(events.slice(from, from + piece))
  })()
  const killing = (async () => {
    await saidOrEnded(run, PROGRESS)
    if (killAfter !== null) await delay(killAfter)
    else {
      // one that got through all its points alive is helped
      await feeding
      await Promise.race([over.catch(() => {}), delay(1_500)])
    }
    if (!alive) return
    byItself = false
    run.child.kill('SIGKILL')
  })()
  const outcome = await over
  await Promise.all([feeding, killing])
  if (outcome.signal !== 'SIGKILL') throw new Error(`it ended by itself with ${outcome.code}:\n${outcome.stderr.slice(-3_000)}`)
  return { byItself, recovered: eventsOf(outcome.stderr, 'lane_recovered').length > 0 }
}

async function toTheEnd(bench: Bench, world: WindowsWorld, hooks: object = {}): Promise<void> {
  const outcome = await bench.run(world.file, ['--until-caught-up', ...TALKATIVE], { OLAP_CONNECT_CHAOS: JSON.stringify(hooks) })
  if (outcome.code !== 0) throw new Error(`it ended with ${outcome.code}:\n${outcome.stderr.slice(-3_000)}`)
}

describe('kills while windows close', () => {
  const input = makeInput(SEED, SECONDS)
  let bench: Bench
  let undisturbed: readonly string[]

  beforeAll(async () => {
    bench = await startBench()
    const world = await createWindowsWorld(bench, 'calm')
    await world.produce(input.events)
    await toTheEnd(bench, world)
    expect(differences(await viewRows(bench, world), expectedRows(input.events))).toEqual(SAME)
    const all = await verdicts(bench, world)
    undisturbed = comparable(all, input)
    // a comparison of nothing with nothing would hold too
    expect([...input.bursts].filter(id => /raised|revised|suppressed/.test(all.get(id)?.status ?? '')).length).toBeGreaterThan(0)
    // those that are compared to the bit
    expect(undisturbed.filter(line => line.includes('peak')).length).toBeGreaterThan(all.size / 4)
    await world.close()
  }, 120_000)
  afterAll(() => bench?.stop())

  test(`${KILLS} kills of the worker: the view and the verdicts are those of an undisturbed run`, async () => {
    const world = await createWindowsWorld(bench, 'killed')
    const random = seeded(SEED)
    const started = Date.now()
    const share = Math.floor(input.events.length / (KILLS + 1))
    const tally: Record<string, number> = {}
    let recoveries = 0
    for (let i = 0; i < KILLS; i++) {
      const at = AT[i % AT.length]
      const chaos = { seed: Math.floor(random() * 1e9), snapshot_every: 200 }
      const outside = i % 3 === 2
      const life: Life = outside
        ? { hooks: chaos, killAfter: random() * WITHIN_MS }
        : { hooks: { ...chaos, kill: 0.6, at: [at] }, killAfter: null }
      const { byItself, recovered } = await live(bench, world, life, input.events.slice(i * share, (i + 1) * share))
      const where = byItself ? at : 'outside'
      tally[where] = (tally[where] ?? 0) + 1
      if (recovered) recoveries++
    }
    await world.produce(input.events.slice(KILLS * share))
    await toTheEnd(bench, world)
    process.stderr.write(`seed ${SEED}: ${JSON.stringify({ ...tally, recoveries })} in ${Date.now() - started} ms\n`)
    expect(differences(await viewRows(bench, world), expectedRows(input.events))).toEqual(SAME)
    expect(differences(comparable(await verdicts(bench, world), input), undisturbed)).toEqual(SAME)
    // what was learnt came from a snapshot and the closings after it
    expect(recoveries).toBeGreaterThan(0)
    await world.close()
  }, 280_000)

  test('with tokens off and nothing remembered the same checks find other rows and other scores', async () => {
    const world = await createWindowsWorld(bench, 'forgetful')
    const hooks = { tokens: false, forget: true }
    const third = Math.floor(input.events.length / 3)
    const killing: Life = { hooks: { ...hooks, kill: 0.5, at: ['acked'], seed: SEED }, killAfter: null }
    await live(bench, world, killing, input.events.slice(0, third))
    // this one learns until it is killed from outside
    await live(bench, world, { hooks, killAfter: null }, input.events.slice(third, 2 * third))
    await world.produce(input.events.slice(2 * third))
    await toTheEnd(bench, world, hooks)
    expect(differences(await viewRows(bench, world), expectedRows(input.events)).count).toBeGreaterThan(0)
    const found = comparable(await verdicts(bench, world), input)
    expect(differences(found, undisturbed).count).toBeGreaterThan(0)
    await world.close()
  }, 120_000)
})
