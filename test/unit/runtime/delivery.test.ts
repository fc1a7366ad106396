import fc from 'fast-check'
import { systemClock } from '../../../runtime/clock'
import { silent } from '../../../runtime/events'
import type { Point } from '../../../runtime/hooks'
import { createRegistry } from '../../../runtime/registry'
import type { PipelineSpec } from '../../../runtime/spec'
import { Worker } from '../../../runtime/worker'
import { Crash, MemoryWorld, memoryPlugins } from '../../support/memory'

const POINTS: readonly Point[] = ['cut', 'pending', 'acked', 'advanced', 'replay']

const pipeline = (lanes: number): PipelineSpec => ({
  name: 'p',
  file: 'p.yaml',
  baseDir: '.',
  connections: {},
  home: null,
  memory: 1 << 20,
  shutdownTimeout: 1000,
  views: [],
  flows: [
    {
      name: 'f',
      lanes,
      onError: { kind: 'stop' },
      transforms: [],
      source: {
        type: 'memory',
        connection: null,
        at: 'p.yaml:1:1',
        config: {
          value: { format: 'double', config: {} },
          key: { format: 'double', config: {} },
          columns: {},
          on_tombstone: 'reject',
        },
      },
      sink: { type: 'memory', connection: null, at: 'p.yaml:2:1', config: { flush: { rows: 7, bytes: 1 << 20, interval: 0 } } },
    },
  ],
})

interface Plan {
  /** Crash at the n-th visit of a named point. */
  readonly crash: { readonly point: Point; readonly visit: number } | null
  /** Tear the n-th commit into this share of its positions. */
  readonly tear: { readonly commit: number; readonly share: number } | null
}

/** One life of a worker: runs until caught up, or to its planned crash. Returns true if it caught up. */
async function life(
  world: MemoryWorld,
  { crash, tear }: Plan,
  step: () => number,
  token?: (t: string) => string,
): Promise<boolean> {
  let visits = 0
  let commits = 0
  world.tear = positions => {
    if (!tear || ++commits !== tear.commit || positions.length < 2) return null
    return positions.slice(0, Math.max(1, Math.floor(positions.length * tear.share)))
  }
  const worker = new Worker({
    pipelines: [pipeline(world.lanes)],
    registry: createRegistry(memoryPlugins(world, step)),
    events: silent,
    clock: systemClock,
    dataDir: '.',
    untilCaughtUp: true,
    drain: new AbortController().signal,
    abort: new AbortController().signal,
    hooks: {
      at: point => {
        if (crash && point === crash.point && ++visits === crash.visit) throw new Crash(point)
      },
      ...(token ? { token } : {}),
    },
  })
  const { flows } = await worker.run()
  const { error } = flows[0]
  if (error && !(error.cause instanceof Crash)) throw error
  return error === null
}

const planOf = fc.record({
  crash: fc.option(fc.record({ point: fc.constantFrom(...POINTS), visit: fc.integer({ min: 1, max: 6 }) }), { nil: null }),
  tear: fc.option(fc.record({ commit: fc.integer({ min: 1, max: 8 }), share: fc.double({ min: 0, max: 1, noNaN: true }) }), {
    nil: null,
  }),
})

function fill(world: MemoryWorld, perPartition: readonly number[]): number {
  let id = 0
  world.partitions.forEach((p, i) => {
    for (let n = 0; n < perPartition[i]; n++) world.log.get(`${p.topic}|${p.partition}`)?.push(id++)
  })
  return id
}

test('every id once, whatever the lane was killed or its commits torn at', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 5, maxLength: 5 }),
      fc.array(planOf, { maxLength: 8 }),
      fc.integer({ min: 1, max: 9 }),
      async (lanes, perPartition, plans, chunk) => {
        const world = new MemoryWorld('t', 5, lanes)
        const total = fill(world, perPartition)
        for (const plan of plans) await life(world, plan, () => chunk)
        expect(await life(world, { crash: null, tear: null }, () => chunk)).toBe(true)
        expect(world.rows.map(r => r.id).sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, i) => i))
        expect(world.partitions.map(p => world.group.get(`${p.topic}|${p.partition}`)?.offset)).toEqual(perPartition)
      },
    ),
    { numRuns: 150, seed: 20260101 },
  )
})

test('without tokens the same check fails: a crash after the write doubles rows', async () => {
  const world = new MemoryWorld('t', 4, 1)
  fill(world, [20, 20, 20, 20])
  let n = 0
  const random = (token: string): string => `${token}${n++}`
  await life(world, { crash: { point: 'acked', visit: 2 }, tear: null }, () => 5, random)
  await life(world, { crash: null, tear: null }, () => 5, random)
  expect(world.rows.length).toBeGreaterThan(80)
})

test('a bad record under on_error: stop ends the flow before anything of its batch is written, at every start', async () => {
  const world = new MemoryWorld('t', 1, 1)
  fill(world, [3])
  world.log.get('t|0')?.push(Number.NaN, 4)
  for (let i = 0; i < 2; i++)
    await expect(life(world, { crash: null, tear: null }, () => 5)).rejects.toMatchObject({ code: 'D001_MALFORMED' })
  expect(world.rows.filter(r => r.offset >= 3)).toEqual([])
})

test('a group that knows less than the table is refused', async () => {
  const world = new MemoryWorld('t', 2, 1)
  fill(world, [10, 10])
  await life(world, { crash: null, tear: null }, () => 5)
  world.group.delete('t|1')
  await expect(life(world, { crash: null, tear: null }, () => 5)).rejects.toMatchObject({ code: 'P002_BEHIND_TABLE' })
})
