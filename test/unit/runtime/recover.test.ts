import type { PositionMetadata } from '../../../runtime/position_metadata'
import { type PartitionState, type Recovery, recover } from '../../../runtime/recover'

const LANES = 4
const clean = (offset: number, d: number): PartitionState => ({ offset, metadata: { v: 1, l: LANES, d, inc: 'x', e: 0 } })
const pending = (
  d: number,
  b: number,
  n: number,
  from: number,
  to: number,
  over: Partial<PositionMetadata> = {},
): PartitionState => ({
  offset: from,
  metadata: { v: 1, l: LANES, d, inc: 'x', e: 0, pending: { b, n, from, to, t: 1000 }, ...over },
})
const states = (...list: PartitionState[]) => new Map(list.map((s, i) => [`t|${i}`, s]))
const go = (r: Recovery): Extract<Recovery, { kind: 'go' }> => {
  if (r.kind !== 'go') throw new Error(r.reason)
  return r
}

describe('the table of torn vectors, line by line', () => {
  test('nothing pending: start at the offsets; never committed is null', () => {
    const r = go(recover(states(clean(5, 3), clean(9, 2), { offset: -1, metadata: null }), LANES))
    expect([...r.next.values()]).toEqual([5, 9, null])
    expect(r).toMatchObject({ replay: null, acknowledged: 3, lastNamed: 3 })
  })
  test('an open batch with all its ranges is replayed exactly', () => {
    const r = go(recover(states(pending(3, 4, 2, 5, 8), pending(3, 4, 2, 9, 9), clean(1, 3)), LANES))
    expect(r.replay).toEqual({
      batch: 4,
      namedAt: 1000,
      ranges: [
        { key: 't|0', from: 5, to: 8 },
        { key: 't|1', from: 9, to: 9 },
      ],
    })
  })
  test('an open batch with ranges missing was never written: dropped, and its number is not used again', () => {
    const r = go(recover(states(pending(3, 4, 3, 5, 8), clean(9, 3), clean(1, 3)), LANES))
    expect(r.replay).toBeNull()
    expect(r.next.get('t|0')).toBe(5)
    expect(r.lastNamed).toBe(4)
  })
  test('a torn advance: the partition that was not told goes past the batch', () => {
    const r = go(recover(states(pending(3, 4, 2, 5, 8), clean(10, 4)), LANES))
    expect(r.next.get('t|0')).toBe(9)
    expect(r.replay).toBeNull()
  })
  test.each([
    ['two open batches', states(pending(3, 4, 1, 5, 8), pending(3, 5, 1, 9, 9))],
    ['a pending range that does not start at the offset', states({ ...pending(3, 4, 1, 5, 8), offset: 6 })],
    ['pending under other lanes', states(pending(3, 4, 1, 5, 8, { l: 8 }))],
    ['an incomplete batch beside a partition without metadata', states(pending(3, 4, 2, 5, 8), { offset: 7, metadata: null })],
    ['an offset below -1', states({ offset: -2, metadata: null })],
  ])('stops: %s', (_, found) => {
    expect(recover(found, LANES).kind).toBe('stop')
  })
})

/**
 * Every life of a lane with two partitions of two records: every shape of batch, every commit torn into every subset of its
 * positions, a crash after every step, recoveries crashed and torn as well. Whatever happens, each record is in the store once.
 */
describe('model: all interleavings', () => {
  interface World {
    readonly group: readonly PartitionState[]
    /** Written batches by token; a token is remembered for ever. */
    readonly tokens: ReadonlySet<string>
    readonly rows: readonly string[]
  }
  const RECORDS = 2
  const PARTITIONS = 2
  type Range = { readonly p: number; readonly from: number; readonly to: number }
  type Commit = readonly { readonly p: number; readonly state: PartitionState }[]

  const apply = (world: World, commit: Commit): World => {
    const group = [...world.group]
    for (const { p, state } of commit) group[p] = state
    return { ...world, group }
  }
  /** The commit whole, and torn into every proper subset that is not empty (none at all is a crash before it). */
  const outcomes = (world: World, commit: Commit): { whole: World; torn: World[] } => {
    const torn: World[] = []
    for (let mask = 1; mask < 2 ** commit.length - 1; mask++)
      torn.push(
        apply(
          world,
          commit.filter((_, i) => mask & (1 << i)),
        ),
      )
    return { whole: apply(world, commit), torn }
  }
  const write = (world: World, ranges: readonly Range[]): World => {
    const token = JSON.stringify(ranges)
    if (world.tokens.has(token)) return world
    const rows = ranges.flatMap(r => Array.from({ length: r.to - r.from + 1 }, (_, i) => `${r.p}:${r.from + i}`))
    return { ...world, tokens: new Set([...world.tokens, token]), rows: [...world.rows, ...rows] }
  }
  const advance = (ranges: readonly Range[], d: number): Commit => ranges.map(r => ({ p: r.p, state: clean(r.to + 1, d) }))
  const name = (ranges: readonly Range[], d: number, b: number): Commit =>
    ranges.map(r => ({ p: r.p, state: pending(d, b, ranges.length, r.from, r.to) }))

  /** All ways to cut the next batch at these positions. */
  const cuts = (next: readonly number[]): Range[][] => {
    let found: Range[][] = [[]]
    for (let p = 0; p < PARTITIONS; p++) {
      const more = found.map(f => f)
      for (let to = next[p]; to < RECORDS; to++) for (const f of found) more.push([...f, { p, from: next[p], to }])
      found = more
    }
    return found.filter(f => f.length > 0)
  }

  /** Worlds in which a life can end, by crash or because all is read. `done` gets those of the second kind. */
  function life(world: World, useN: boolean, done: (world: World) => void): World[] {
    const ends: World[] = []
    const r = recover(new Map(world.group.map((s, p) => [`t|${p}`, s])), LANES)
    if (r.kind === 'stop') throw new Error(r.reason)
    let now = world
    const next = world.group.map((_, p) => r.next.get(`t|${p}`) ?? 0)
    let d = r.acknowledged
    if (r.replay) {
      const ranges = r.replay.ranges.map(x => ({ p: Number(x.key.slice(2)), from: x.from, to: x.to }))
      now = write(now, ranges)
      ends.push(now)
      for (const x of ranges) next[x.p] = x.to + 1
      d = Math.max(d, r.replay.batch)
    }
    const all: Commit = useN ? next.map((offset, p) => ({ p, state: clean(offset, d) })) : []
    const n = outcomes(now, all)
    ends.push(...n.torn, n.whole)
    const loop = (w: World, at: readonly number[], acked: number, last: number, named: Range[] | null): void => {
      if (named === null) {
        const choices = cuts(at)
        if (choices.length === 0) done(w)
        for (const cut of choices) {
          const c = outcomes(w, name(cut, acked, last + 1))
          ends.push(...c.torn, c.whole)
          loop(c.whole, at, acked, last + 1, cut)
        }
        return
      }
      const written = write(w, named)
      ends.push(written)
      const after = at.map((o, p) => (named.find(x => x.p === p)?.to ?? o - 1) + 1)
      const plain = outcomes(written, advance(named, last))
      ends.push(...plain.torn, plain.whole)
      loop(plain.whole, after, last, last, null)
      for (const ahead of cuts(after)) {
        const merged = new Map(advance(named, last).map(x => [x.p, x]))
        for (const x of name(ahead, last, last + 1)) merged.set(x.p, x)
        const c = outcomes(written, [...merged.values()])
        ends.push(...c.torn, c.whole)
        loop(c.whole, after, last, last + 1, ahead)
      }
    }
    loop(n.whole, next, d, r.lastNamed, null)
    return ends
  }

  function explore(crashes: number, useN: boolean): { endings: number; wrong: number; starts: number } {
    const everything = Array.from({ length: PARTITIONS * RECORDS }, (_, i) => `${Math.floor(i / RECORDS)}:${i % RECORDS}`)
    const keyOf = (w: World): string => JSON.stringify([w.group, [...w.tokens].sort(), w.rows])
    let worlds = new Map<string, World>()
    const first: World = {
      group: Array.from({ length: PARTITIONS }, () => ({ offset: -1, metadata: null })),
      tokens: new Set(),
      rows: [],
    }
    worlds.set(keyOf(first), first)
    let endings = 0
    let wrong = 0
    let starts = 0
    for (let life_ = 0; life_ <= crashes; life_++) {
      const after = new Map<string, World>()
      for (const world of worlds.values()) {
        starts++
        const ends = life(world, useN, w => {
          endings++
          if (JSON.stringify([...w.rows].sort()) !== JSON.stringify(everything)) wrong++
        })
        for (const w of ends) after.set(keyOf(w), w)
      }
      worlds = after
    }
    return { endings, wrong, starts }
  }

  test('three crashes in a row: no ending loses or doubles a record', () => {
    const { endings, wrong, starts } = explore(3, true)
    expect(starts).toBeGreaterThan(500)
    expect(endings).toBeGreaterThan(10_000)
    expect(wrong).toBe(0)
  })

  test('without the commit of the whole lane after a join the same model finds wrong endings', () => {
    let found = 0
    try {
      found = explore(2, false).wrong
    } catch {
      // a position nobody can explain is a wrong ending too
      found = 1
    }
    expect(found).toBeGreaterThan(0)
  })
})
