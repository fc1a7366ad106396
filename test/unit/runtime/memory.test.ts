import fc from 'fast-check'
import { createColumn } from '../../../runtime/column'
import { BatchMemories, BatchMemory, type Memory } from '../../../runtime/memory'

const kinds = ['uint8', 'int32', 'float32', 'float64'] as const
const request = fc.tuple(fc.constantFrom(...kinds), fc.integer({ min: 0, max: 6_000 }))

test('arrays are zeroed and do not overlap, whatever was lent before', () => {
  fc.assert(
    fc.property(fc.array(fc.array(request, { maxLength: 12 }), { maxLength: 6 }), batches => {
      const memory = new BatchMemory(32 * 1024)
      for (const requests of batches) {
        const arrays = requests.map(([kind, length]) => memory[kind](length))
        for (const [i, [, length]] of requests.entries()) expect(arrays[i]).toHaveLength(length)
        for (const array of arrays) expect(array.every(v => v === 0)).toBe(true)
        for (const [i, array] of arrays.entries()) array.fill(i + 1)
        for (const [i, array] of arrays.entries()) expect(array.every(v => v === i + 1)).toBe(true)

        memory.release()
      }
    }),
    { seed: 20, numRuns: 60 },
  )
})

test('what was given back is lent again, not allocated', () => {
  const memory = new BatchMemory()
  const first = memory.float64(100_000)
  memory.release()
  expect(memory.float64(100_000).buffer).toBe(first.buffer)
})

test('slabs that no batch needs any more are let go', () => {
  const memory = new BatchMemory()
  memory.bytes(1_000_000)
  const large = memory.bytes(64_000_000).buffer
  memory.release()
  for (let i = 0; i < 100; i++) {
    memory.bytes(1_000_000)
    memory.release()
  }
  memory.bytes(1_000_000)
  expect(memory.bytes(64_000_000).buffer).not.toBe(large)
})

test('every layout of a column lives in the memory it was made with', () => {
  const memories = new BatchMemories(true)
  const memory = memories.take()
  const rows = 20_000
  const layouts = [
    createColumn({ type: { kind: 'f64' }, nullable: true }, rows, memory),
    createColumn({ type: { kind: 'i64' }, nullable: false }, rows, memory),
    createColumn({ type: { kind: 'uuid' }, nullable: false }, rows, memory),
    createColumn({ type: { kind: 'dictionary' }, nullable: false }, rows, memory),
    createColumn(
      { type: { kind: 'struct', fields: [{ name: 'a', type: { kind: 'i32' }, nullable: false }] }, nullable: true },
      rows,
      memory,
    ),
  ]
  const cells = layouts.flatMap(function arrays(column): Uint8Array[] {
    const own = Object.values(column)
      .filter(ArrayBuffer.isView)
      .map(a => new Uint8Array(a.buffer, a.byteOffset, a.byteLength))
    return column.layout === 'struct' ? [...own, ...column.children.flatMap(arrays)] : own
  })
  expect(cells).toHaveLength(7)
  for (const cell of cells) expect(cell.every(b => b === 0)).toBe(true)
  memories.give(memory)
  for (const cell of cells) expect(cell.every(b => b === 0xa5)).toBe(true)
})

test('a column keeps its values while it grows through lent memory', () => {
  const memory: Memory = new BatchMemory()
  const column = createColumn({ type: { kind: 'utf8' }, nullable: false }, 0, memory)
  if (column.layout !== 'var') throw new Error('utf8 is var')
  const texts = Array.from({ length: 5_000 }, (_, i) => `row ${i} of five thousand`)
  for (const text of texts) {
    column.reserve(1, text.length)
    column.data.write(text, column.offsets[column.length])
    column.offsets[column.length + 1] = column.offsets[column.length] + text.length
    column.length++
  }
  expect(texts.map((_, i) => column.string(i))).toEqual(texts)
})

test('lent batches are counted until they come back or are abandoned', () => {
  const memories = new BatchMemories()
  const [a, b] = [memories.take(), memories.take()]
  expect(memories.lent).toBe(2)
  memories.give(a)
  memories.abandon()
  expect(memories.lent).toBe(0)
  expect(memories.take()).toBe(a)
  expect(memories.take()).not.toBe(b)
})
