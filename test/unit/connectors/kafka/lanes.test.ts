import fc from 'fast-check'
import { assignerName, assignLanes, laneOf, lanesOf } from '../../../../connectors/kafka/lanes'

const memberIds = (n: number): string[] => Array.from({ length: n }, (_, i) => `m${i}`)

test('every lane has exactly one owner and counts differ by one at most, whatever members say they had', () => {
  const input = fc.record({
    lanes: fc.integer({ min: 1, max: 40 }),
    had: fc.array(fc.array(fc.integer({ min: -1, max: 45 }), { maxLength: 50 }), { minLength: 1, maxLength: 60 }),
  })
  fc.assert(
    fc.property(input, ({ lanes, had }) => {
      const owners = assignLanes(
        had.map((h, i) => ({ id: `m${i}`, had: h })),
        lanes,
      )
      const all = [...owners.values()].flat().sort((a, b) => a - b)
      expect(all).toEqual(Array.from({ length: lanes }, (_, l) => l))
      const counts = [...owners.values()].map(l => l.length)
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
    }),
    { seed: 7 },
  )
})

test('a join moves no more lanes than the newcomer gets, a leave no more than the leaver had', () => {
  const input = fc.record({ lanes: fc.integer({ min: 1, max: 40 }), members: fc.integer({ min: 1, max: 20 }), leaver: fc.nat() })
  fc.assert(
    fc.property(input, ({ lanes, members, leaver }) => {
      const before = assignLanes(
        memberIds(members).map(id => ({ id, had: [] })),
        lanes,
      )
      const kept = [...before].map(([id, had]) => ({ id, had }))
      const joined = assignLanes([...kept, { id: 'new', had: [] }], lanes)
      const moved = kept.reduce((sum, m) => sum + m.had.filter(l => !joined.get(m.id)?.includes(l)).length, 0)
      expect(moved).toBe(joined.get('new')?.length)
      if (members === 1) return
      const gone = kept[leaver % members]
      const left = assignLanes(
        kept.filter(m => m !== gone),
        lanes,
      )
      const lost = kept
        .filter(m => m !== gone)
        .reduce((sum, m) => sum + m.had.filter(l => !left.get(m.id)?.includes(l)).length, 0)
      expect(lost).toBe(0)
    }),
    { seed: 7 },
  )
})

test('a lane depends on topic, partition and number of lanes only, and a topic spreads evenly over them', () => {
  for (const topic of ['a', 'b', 'orders.eu']) {
    const lanes = Array.from({ length: 12 }, (_, partition) => laneOf({ topic, partition }, 4))
    expect([0, 1, 2, 3].map(l => lanes.filter(x => x === l).length)).toEqual([3, 3, 3, 3])
  }
})

test('partitions of a lane stand in the order of topic and number', () => {
  const lanes = lanesOf({ b: [10, 2, 1], a: [3, 0] }, 1)
  expect([...lanes]).toEqual([
    [
      0,
      [
        { topic: 'a', partition: 0 },
        { topic: 'a', partition: 3 },
        { topic: 'b', partition: 1 },
        { topic: 'b', partition: 2 },
        { topic: 'b', partition: 10 },
      ],
    ],
  ])
})

test('the name of the rule differs with lanes and topics, not with the order of topics', () => {
  expect(assignerName(['b', 'a'], 4)).toBe(assignerName(['a', 'b'], 4))
  expect(new Set([assignerName(['a'], 4), assignerName(['a'], 8), assignerName(['a', 'b'], 4)]).size).toBe(3)
})
