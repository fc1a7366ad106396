import fc from 'fast-check'
import { type Clock, systemClock } from '../../../runtime/clock'
import { createEmitter, type Emitter, silent } from '../../../runtime/events'
import type { Point } from '../../../runtime/hooks'
import { createRegistry } from '../../../runtime/registry'
import type { PipelineSpec } from '../../../runtime/spec'
import { packSnapshot, type StateStore, unpackSnapshot } from '../../../runtime/state'
import { Worker, type WorkerResult } from '../../../runtime/worker'
import { Crash, MemoryWorld, memoryPlugins } from '../../support/memory'

const POINTS: readonly Point[] = ['cut', 'pending', 'acked', 'advanced', 'replay']

const pipeline = (lanes: number, transforms: readonly string[] = []): PipelineSpec => ({
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
      transforms: transforms.map(type => ({ type, connection: null, at: 'p.yaml:3:1', config: {} })),
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

interface More {
  readonly token?: (t: string) => string
  readonly transforms?: readonly string[]
  readonly states?: StateStore
  readonly clock?: Clock
  readonly events?: Emitter
}

/** One life of a worker: runs until caught up, or to its planned crash. Returns true if it caught up. */
async function life(world: MemoryWorld, plan: Plan, step: () => number, more: More = {}): Promise<boolean> {
  const { error } = (await lived(world, plan, step, more)).flows[0]
  if (error && !(error.cause instanceof Crash)) throw error
  return error === null
}

function lived(world: MemoryWorld, { crash, tear }: Plan, step: () => number, more: More): Promise<WorkerResult> {
  let visits = 0
  let commits = 0
  world.tear = positions => {
    if (!tear || ++commits !== tear.commit || positions.length < 2) return null
    return positions.slice(0, Math.max(1, Math.floor(positions.length * tear.share)))
  }
  const worker = new Worker({
    pipelines: [pipeline(world.lanes, more.transforms)],
    ...(more.states ? { states: () => more.states as StateStore } : {}),
    registry: createRegistry(memoryPlugins(world, step)),
    events: more.events ?? silent,
    clock: more.clock ?? systemClock,
    dataDir: '.',
    untilCaughtUp: true,
    drain: new AbortController().signal,
    abort: new AbortController().signal,
    hooks: {
      poisonMemory: true,
      at: point => {
        if (crash && point === crash.point && ++visits === crash.visit) throw new Crash(point)
      },
      ...(more.token ? { token: more.token } : {}),
    },
  })
  return worker.run()
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
  await life(world, { crash: { point: 'acked', visit: 2 }, tear: null }, () => 5, { token: random })
  await life(world, { crash: null, tear: null }, () => 5, { token: random })
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

test('state follows the position: what a stateful transform gives is the same whatever the lane was killed at', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 }),
      fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 3, maxLength: 3 }),
      fc.array(fc.tuple(planOf, fc.integer({ min: 0, max: 12 })), { maxLength: 6 }),
      fc.integer({ min: 1, max: 9 }),
      async (lanes, perPartition, lives, chunk) => {
        const world = new MemoryWorld('t', 3, lanes)
        fill(world, perPartition)
        // snapshots survive only now and then, so that lanes have to learn again from older ones
        const stored = new Map<number, Buffer>()
        for (let lane = 0; lane < lanes; lane++) {
          const own = world.partitions.filter(p => p.partition % lanes === lane)
          const positions = new Map(own.map(p => [`${p.topic}|${p.partition}`, 0] as const))
          stored.set(lane, packSnapshot({ positions, states: [Buffer.from('[]')] }))
        }
        let keep = 0
        const states: StateStore = {
          read: async (_, lane) => stored.get(lane) ?? null,
          write: async (_, lane, bytes) => {
            if (keep-- > 0) stored.set(lane, bytes)
          },
        }
        for (const [plan, kept] of lives) {
          keep = kept
          await life(world, plan, () => chunk, { transforms: ['running_sum'], states })
          // records that arrive between two lives
          for (const p of world.partitions) world.log.get(`${p.topic}|${p.partition}`)?.push(1_000 + kept)
        }
        await life(world, { crash: null, tear: null }, () => chunk, { transforms: ['running_sum'], states })
        for (const row of world.rows) {
          const before = world.log.get(row.key)?.slice(0, row.offset + 1) ?? []
          expect({ ...row, extra: row.extra }).toEqual({ ...row, extra: before.reduce((n, id) => n + id, 0) })
        }
      },
    ),
    { numRuns: 100, seed: 11 },
  )
})

test('a batch that is still being prepared when its session ends is not learnt in the next one', async () => {
  const world = new MemoryWorld('t', 1, 1)
  fill(world, [40])
  let prepared = 0
  let written = 0
  world.beforeWrite = async signal => {
    if (++written > 1) return
    // the first batch is under way until the session ends
    await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
    signal.throwIfAborted()
  }
  world.gate = async () => {
    const turn = (): Promise<unknown> => new Promise(resolve => setImmediate(resolve))
    if (++prepared !== 2) return void (await turn())
    world.endSession()
    // until the next session has learnt something, which it must not
    for (let turns = 0; turns < 200 && world.rows.length === 0; turns++) await turn()
  }
  const stored = new Map<number, Buffer>()
  const states: StateStore = {
    read: async (_, lane) => stored.get(lane) ?? null,
    write: async (_, lane, bytes) => void stored.set(lane, bytes),
  }
  expect(await life(world, { crash: null, tear: null }, () => 5, { transforms: ['gate', 'running_sum'], states })).toBe(true)
  expect(world.generation).toBe(2)
  expect(world.rows.map(r => r.extra)).toEqual(Array.from({ length: 40 }, (_, i) => (i * (i + 1)) / 2))
})

test('history has no latency: only what was stamped since the run began', async () => {
  const NOW = 1_700_000_000_000
  const stamped = async (timestamp: (offset: number) => number) => {
    const world = new MemoryWorld('t', 1, 1)
    fill(world, [40])
    world.timestamp = timestamp
    const clock = { ...systemClock, now: () => NOW }
    const { flows, latency_ms } = await lived(world, { crash: null, tear: null }, () => 5, { clock })
    expect(flows[0].counts).toMatchObject({ read: 40, written: 40 })
    return latency_ms
  }
  expect(await stamped(offset => NOW - 1 - offset * 1_000)).toEqual({ p50: null, p99: null })
  // a clock that cannot tell them apart: the new ones are as old as nothing
  const { p50, p99 } = await stamped(offset => (offset % 2 === 0 ? NOW - 86_400_000 : NOW))
  expect([Math.round(p50 ?? -1), Math.round(p99 ?? -1)]).toEqual([0, 0])
})

test.each([
  [
    'it knows t|0 up to 50, and the position is 0',
    packSnapshot({ positions: new Map([['t|0', 50]]), states: [Buffer.from('[]')] }),
  ],
  [
    'it was learnt from other input: other partitions, or a view of another name',
    packSnapshot({ positions: new Map([['u|0', 0]]), states: [Buffer.from('[]')] }),
  ],
  ['it was made with another configuration', packSnapshot({ positions: new Map([['t|0', 0]]), states: [Buffer.from('other')] })],
  ['another version wrote it', Buffer.from('something')],
])('state that cannot be used (%s) is told and learnt anew', async (reason, bytes) => {
  const world = new MemoryWorld('t', 1, 1)
  fill(world, [10])
  const told: string[] = []
  const events = createEmitter({
    log: (level, event, _, data) => told.push(JSON.stringify([level, event, data])),
    metric: () => {},
  })
  let stored = bytes
  const states: StateStore = {
    read: async () => stored,
    write: async (_flow, _lane, written) => {
      stored = written
    },
  }
  expect(await life(world, { crash: null, tear: null }, () => 5, { transforms: ['running_sum'], states, events })).toBe(true)
  expect(told).toContain(JSON.stringify(['warn', 'state_dropped', { pipeline: 'p', flow: 'f', lane: 0, reason }]))
  expect(world.rows.map(r => r.extra)).toEqual(Array.from({ length: 10 }, (_, i) => (i * (i + 1)) / 2))
  expect(unpackSnapshot(stored)?.positions).toEqual(new Map([['t|0', 10]]))
})
