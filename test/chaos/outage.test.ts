import { setTimeout as delay } from 'node:timers/promises'
import { type Bench, type RunningConnect, startBench } from '../support/connect'
import { notOurs, type Service } from '../support/services'
import { testUnless } from '../support/skip'
import { until } from '../support/until'
import { look, once } from './checker'
import { createWorld, eventsOf, TALKATIVE, type World } from './world'

/**
 * A service is killed (SIGKILL) while records flow and comes back: the run says so once, waits, goes on and ends well, with every
 * record in the table once. OUTAGE_MS: for how long it is away.
 */
const AWAY_MS = Number(process.env.OUTAGE_MS ?? 8_000)
const RECORDS = 20_000
const withOwn = (service: Parameters<typeof notOurs>[0]) => testUnless(notOurs(service), 'outages')

describe('outages', () => {
  let bench: Bench
  beforeAll(async () => {
    bench = await startBench()
  }, 120_000)
  afterAll(() => bench.stop())

  const held = (world: World) => look(bench.clickhouse.address, world.table)

  /** Starts a run and feeds it until rows arrive. */
  async function flowing(world: World): Promise<RunningConnect> {
    await world.produce(RECORDS / 2)
    const run = bench.startRun(world.file, TALKATIVE)
    await run.says(/"event":"batch_written"/)
    return run
  }

  /** Waits until everything produced is in the table, then ends the run in order. */
  async function finish(world: World, run: RunningConnect): Promise<string> {
    await until('every record in the table', async () => (await held(world)).different >= world.produced())
    run.child.kill('SIGTERM')
    const outcome = await run.ended
    if (outcome.code !== 0) throw new Error(`it ended with ${outcome.code ?? outcome.signal}:\n${outcome.stderr.slice(-3_000)}`)
    expect(outcome.stderr).not.toContain('MaxListenersExceeded')
    return outcome.stderr
  }

  const unreachable = (stderr: string): number => eventsOf(stderr, 'service_unreachable').length

  async function away(service: Service, run: RunningConnect, meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    await service.kill()
    const noticed = run.says(/"event":"service_unreachable"/)
    await meanwhile()
    await Promise.all([noticed, delay(AWAY_MS)])
    await service.restart()
  }

  withOwn('kafka')('the broker', async () => {
    const world = await createWorld(bench, 'broker-away')
    const run = await flowing(world)
    await away(bench.kafka, run)
    await world.close()
    await world.produce(RECORDS / 2)
    const stderr = await finish(world, run)
    expect(unreachable(stderr)).toBe(1)
    expect(eventsOf(stderr, 'service_back')).toHaveLength(1)
    expect(await held(world)).toEqual(once(world.produced()))
    await world.close()
  })

  withOwn('clickhouse')('ClickHouse', async () => {
    const world = await createWorld(bench, 'clickhouse-away')
    const run = await flowing(world)
    await away(bench.clickhouse, run, () => world.produce(RECORDS / 2))
    const stderr = await finish(world, run)
    expect(unreachable(stderr)).toBe(1)
    expect(eventsOf(stderr, 'service_back')).toHaveLength(1)
    expect(await held(world)).toEqual(once(world.produced()))
    await world.close()
  })

  withOwn('schema_registry')('the registry, before the start', async () => {
    const world = await createWorld(bench, 'registry-away')
    await world.produce(RECORDS)
    await bench.registry.kill()
    const run = bench.startRun(world.file, ['--until-caught-up', ...TALKATIVE])
    await Promise.all([run.says(/"event":"service_unreachable"/), delay(AWAY_MS / 4)])
    await bench.registry.restart()
    const outcome = await run.ended
    expect(outcome).toMatchObject({ code: 0 })
    expect(unreachable(outcome.stderr)).toBe(1)
    expect(await held(world)).toEqual(once(world.produced()))
    await world.close()
  })

  withOwn('schema_registry')('the registry, when a schema comes that was never seen', async () => {
    const world = await createWorld(bench, 'registry-away-later')
    const run = await flowing(world)
    await world.evolve()
    await away(bench.registry, run, () => world.produce(RECORDS / 2))
    const stderr = await finish(world, run)
    expect(unreachable(stderr)).toBe(1)
    expect(await held(world)).toEqual(once(world.produced()))
    await world.close()
  })

  withOwn('clickhouse')('ClickHouse again and again, in the middle of inserts', async () => {
    const world = await createWorld(bench, 'clickhouse-killed')
    const run = await flowing(world)
    for (let i = 0; i < 4; i++) {
      const before = eventsOf(run.stderr(), 'batch_written').length
      const feeding = world.produce(RECORDS)
      await until('further batches', () => eventsOf(run.stderr(), 'batch_written').length > before + i)
      await bench.clickhouse.kill()
      await feeding
      await bench.clickhouse.restart()
    }
    const stderr = await finish(world, run)
    const repaired = eventsOf(stderr, 'rows_repaired').reduce((n, e) => n + (e.rows ?? 0), 0)
    process.stderr.write(`ClickHouse killed 4 times: ${unreachable(stderr)} outages seen, ${repaired} rows repaired\n`)
    expect(await held(world)).toEqual(once(world.produced()))
    await world.close()
  })

  describe('stop', () => {
    test('ends a busy run in order', async () => {
      const world = await createWorld(bench, 'stop')
      const run = await flowing(world)
      run.child.kill('SIGTERM')
      expect(await run.ended).toMatchObject({ code: 0 })
      const rest = await bench.run(world.file, ['--until-caught-up', ...TALKATIVE])
      expect(rest).toMatchObject({ code: 0 })
      // what was in hand was finished: nothing is sent again
      expect(eventsOf(rest.stderr, 'lane_replaying')).toHaveLength(0)
      expect(await held(world)).toEqual(once(world.produced()))
      await world.close()
    })

    test('ends a run that waits for its group to let it in', async () => {
      const world = await createWorld(bench, 'stop-joining')
      const dead = await flowing(world)
      dead.child.kill('SIGKILL')
      await dead.ended
      // the group waits for the dead member's answer until its session has timed out
      const run = bench.startRun(world.file, TALKATIVE)
      await run.says(/\[Consumer\] Starting/)
      run.child.kill('SIGTERM')
      const outcome = await run.ended
      expect(outcome).toMatchObject({ code: 0 })
      expect(eventsOf(outcome.stderr, 'session_started')).toHaveLength(0)
      expect(await bench.run(world.file)).toMatchObject({ code: 0 })
      expect(await held(world)).toEqual(once(world.produced()))
      await world.close()
    })

    withOwn('kafka')('ends a run that waits for a broker that takes the connection and does not answer', async () => {
      const world = await createWorld(bench, 'stop-connecting')
      bench.kafka.freeze()
      try {
        const run = bench.startRun(world.file, TALKATIVE)
        await run.says(/"event":"flow_started"/)
        run.child.kill('SIGTERM')
        await run.says(/"event":"flow_finished"/)
        // what the client was about to do when it was closed comes to its end now and must not keep the process
        bench.kafka.thaw()
        expect(await run.ended).toMatchObject({ code: 0, signal: null })
      } finally {
        bench.kafka.thaw()
      }
      await world.close()
    })

    for (const name of ['kafka', 'clickhouse', 'registry'] as const) {
      withOwn(name === 'registry' ? 'schema_registry' : name)(`ends a run while the ${name} service is away`, async () => {
        const service = bench[name]
        const world = await createWorld(bench, `stop-without-${name}`)
        if (name === 'registry') await service.kill()
        await world.produce(RECORDS / 2)
        const run = bench.startRun(world.file, TALKATIVE)
        if (name !== 'registry') {
          await run.says(/"event":"batch_written"/)
          await service.kill()
          if (name === 'clickhouse') await world.produce(RECORDS / 2)
        }
        await run.says(/"event":"service_unreachable"/)
        run.child.kill('SIGTERM')
        expect(await run.ended).toMatchObject({ code: 0, signal: null })
        await service.restart()
        await world.close()
        expect(await bench.run(world.file)).toMatchObject({ code: 0 })
        expect(await held(world)).toEqual(once(world.produced()))
      })
    }

    withOwn('clickhouse')('a second signal ends it at once', async () => {
      const world = await createWorld(bench, 'second-signal')
      const run = await flowing(world)
      // a store that neither answers nor refuses: a graceful stop waits for it
      bench.clickhouse.freeze()
      try {
        await world.produce(RECORDS / 2)
        await run.says(/"event":"records_read"/)
        run.child.kill('SIGTERM')
        await delay(500)
        expect(run.child.exitCode).toBeNull()
        run.child.kill('SIGTERM')
        expect(await run.ended).toMatchObject({ code: 143 })
      } finally {
        bench.clickhouse.thaw()
      }
      expect(await bench.run(world.file)).toMatchObject({ code: 0 })
      expect(await held(world)).toEqual(once(world.produced()))
      await world.close()
    })
  })
})
