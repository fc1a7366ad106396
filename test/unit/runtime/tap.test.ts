import { FlowTaps, stageNames, stageOf } from '../../../runtime/tap'
import { batchOf, schemaOf } from '../../support/batches'

/** Looking at rows as they pass. */

const schema = schemaOf({ id: 'i32' })
const numbers = (n: number) => Array.from({ length: n }, (_, id) => ({ id }))

function tapped(limit: number, taken: () => boolean = () => true) {
  const taps = new FlowTaps()
  const seen: number[] = []
  let ended = 0
  const remove = taps.add(1, {
    limit,
    hide: () => false,
    row: json => {
      seen.push((JSON.parse(json) as { id: number }).id)
      return taken()
    },
    end: () => ended++,
  })
  return { taps, seen, remove, ended: () => ended }
}

test('rows of the stage alone, live ones alone, spread over the batch', () => {
  const { taps, seen } = tapped(1_000)
  taps.pass(0, batchOf(schema, numbers(3)))
  expect(seen).toEqual([])
  taps.pass(1, batchOf(schema, numbers(6), { selection: [1, 4] }))
  expect(seen).toEqual([1, 4])
  taps.pass(1, batchOf(schema, numbers(1_000)))
  expect(seen.slice(2)).toEqual(Array.from({ length: 20 }, (_, i) => i * 50))
})

test('after the limit it ends, once, and nobody looks any more', () => {
  const { taps, seen, ended } = tapped(5)
  expect(taps.watched).toBe(true)
  taps.pass(1, batchOf(schema, numbers(3)))
  taps.pass(1, batchOf(schema, numbers(3)))
  taps.pass(1, batchOf(schema, numbers(3)))
  expect(seen).toEqual([0, 1, 2, 0, 1])
  expect([ended(), taps.watched]).toEqual([1, false])
})

test('a reader that is too slow misses the rest of a batch', () => {
  const { taps, seen } = tapped(1_000, () => false)
  taps.pass(1, batchOf(schema, numbers(10)))
  taps.pass(1, batchOf(schema, numbers(10)))
  expect(seen).toEqual([0, 0])
})

test('it ends with the flow, and not with who leaves', () => {
  const left = tapped(5)
  left.remove()
  left.taps.end()
  expect(left.ended()).toBe(0)
  const stays = tapped(5)
  stays.taps.end()
  stays.taps.end()
  expect([stays.ended(), stays.taps.watched]).toEqual([1, false])
})

test('names of stages', () => {
  const transform = (type: string) => ({ type, connection: null, config: null, at: '' })
  const flow = { transforms: [transform('rename'), transform('filter'), transform('rename')] }
  expect(stageNames(flow.transforms.map(t => t.type))).toEqual(['source', '1', 'filter', '3', 'sink'])
  expect(stageNames(flow.transforms.map(t => t.type)).map(name => stageOf(flow, name))).toEqual([0, 1, 2, 3, 4])
  expect(['source', '1', 'filter', '3', 'sink', 'rename', '0', '4', 'cast'].map(n => stageOf(flow, n))).toEqual([
    0,
    1,
    2,
    3,
    4,
    null,
    null,
    null,
    null,
  ])
})
