import { setTimeout as delay } from 'node:timers/promises'
import { type Bench, runResult, startBench } from '../support/connect'
import { seeded } from '../support/seeded'
import { look, once } from './checker'
import { createWorld, eventsOf, saidOrEnded, TALKATIVE, type World } from './world'

/**
 * The worker is killed again and again while records flow; afterwards every id is in the table once. CHAOS_SEED repeats a run's
 * choices. Half of the kills come at named points of the delivery protocol, from inside; half come from outside, at any moment
 * after the worker was seen to make progress, so also in the middle of a request.
 */
const SEED = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 1e6))
const KILLS = Number(process.env.CHAOS_KILLS ?? 20)
const RECORDS = 200_000
/** Chance of a kill at each point. A batch passes four. */
const AT_A_POINT = 0.12
/** Longest time from the first sign of progress to a kill from outside. */
const WITHIN_MS = 400
const PROGRESS = /"event":"(batch_written|lane_replaying)"/

interface Tally {
  /** By the worker itself at a named point; from outside at some moment. */
  kills: { point: number; moment: number }
  replays: number
  repaired: number
}

/** One life of a worker, from its start to its death; it is fed until then with at most `share` records. */
async function oneLife(world: World, hooks: object | null, killAfter: number | null, share: number, tally: Tally): Promise<void> {
  const env: Record<string, string> = hooks ? { OLAP_CONNECT_CHAOS: JSON.stringify(hooks) } : {}
  const run = world.bench.startRun(world.file, TALKATIVE, env)
  let alive = true
  let byItself = true
  run.ended.then(
    () => {
      alive = false
    },
    () => {
      alive = false
    },
  )
  const feeding = (async () => {
    await saidOrEnded(run, /"event":"session_started"/)
    for (let left = share; left > 0 && alive; left -= 2_000) await world.produce(Math.min(left, 2_000))
  })()
  const killing = (async () => {
    await saidOrEnded(run, PROGRESS)
    if (killAfter !== null) await delay(killAfter)
    else {
      // it kills itself; a worker that got through all its points alive is helped
      await feeding
      await Promise.race([run.ended.catch(() => {}), delay(3_000)])
    }
    if (!alive) return
    byItself = false
    run.child.kill('SIGKILL')
  })()
  const outcome = await run.ended
  await Promise.all([feeding, killing])
  if (outcome.signal !== 'SIGKILL') throw new Error(`it ended by itself with ${outcome.code}:\n${outcome.stderr.slice(-3_000)}`)
  expect(outcome.stderr).not.toContain('MaxListenersExceeded')
  tally.kills[byItself ? 'point' : 'moment']++
  tally.replays += eventsOf(outcome.stderr, 'lane_replaying').length
  tally.repaired += eventsOf(outcome.stderr, 'rows_repaired').reduce((n, e) => n + (e.rows ?? 0), 0)
}

describe('kills', () => {
  let bench: Bench
  const newTally = (): Tally => ({ kills: { point: 0, moment: 0 }, replays: 0, repaired: 0 })

  beforeAll(async () => {
    bench = await startBench()
  }, 120_000)
  afterAll(() => bench.stop())

  test(`${KILLS} kills of the worker: every one of ${RECORDS} records is in the table once`, async () => {
    const world = await createWorld(bench, 'kills')
    const random = seeded(SEED)
    const tally = newTally()
    const started = Date.now()
    const share = Math.floor(RECORDS / (KILLS + 1))
    // it is in the table once at every moment, so the runs may begin with nothing in the topic
    for (let i = 0; i < KILLS; i++) {
      const byPoint = i % 2 === 0
      const seed = Math.floor(random() * 1e9)
      const hooks = byPoint ? { kill: AT_A_POINT, seed } : null
      await oneLife(world, hooks, byPoint ? null : random() * WITHIN_MS, share, tally)
    }
    await world.produce(RECORDS - world.produced())
    const last = await bench.run(world.file, ['--until-caught-up', ...TALKATIVE])
    expect(last).toMatchObject({ code: 0 })
    tally.replays += eventsOf(last.stderr, 'lane_replaying').length
    tally.repaired += eventsOf(last.stderr, 'rows_repaired').reduce((n, e) => n + (e.rows ?? 0), 0)
    process.stderr.write(`seed ${SEED}: ${JSON.stringify(tally)} in ${Date.now() - started} ms\n`)
    expect(await look(bench.clickhouse.address, world.table)).toEqual(once(RECORDS))
    expect(tally.replays).toBeGreaterThan(0)
    // a further run finds nothing to do
    expect(runResult(await bench.run(world.file)).flows.ingest).toMatchObject({ written: 0, dead_lettered: 0 })
    expect(await look(bench.clickhouse.address, world.table)).toEqual(once(RECORDS))
    await world.close()
  }, 280_000)

  test('with tokens off the same check finds doubled rows', async () => {
    const world = await createWorld(bench, 'tokens-off')
    const random = seeded(SEED)
    const tally = newTally()
    for (let i = 0; i < 4; i++) {
      const seed = Math.floor(random() * 1e9)
      await oneLife(world, { kill: 0.3, seed, at: ['acked'], tokens: false }, null, 12_000, tally)
    }
    const off = { OLAP_CONNECT_CHAOS: JSON.stringify({ tokens: false }) }
    const last = await bench.run(world.file, ['--until-caught-up', ...TALKATIVE], off)
    expect(last).toMatchObject({ code: 0 })
    const held = await look(bench.clickhouse.address, world.table)
    expect(held.different).toBe(world.produced())
    expect(held.rows).toBeGreaterThan(held.different)
    expect(held).not.toEqual(once(world.produced()))
    await world.close()
  }, 120_000)
})
