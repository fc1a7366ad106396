import { tableFromIPC } from 'apache-arrow'
import { createColumn, DictionaryColumn } from '../../../runtime/column'
import type { Schema } from '../../../runtime/schema'
import { appendValue } from '../../../runtime/value'
import { encodeArrow, loadArrow } from '../../../sql/arrow'
import { bind } from '../../../sql/bind'
import { columnsFor } from '../../../sql/types'
import { batchOf, schemaOf } from '../../support/batches'

// apache-arrow's own reader is the judge of the bytes; ClickHouse is the other (integration/clickhouse/types.test.ts)
const encode = async (schema: Schema, columns: Parameters<typeof encodeArrow>[2], rows: number) => {
  const binding = bind(
    schema,
    columnsFor(schema).map(c => ({ ...c, defaultKind: '' })),
  )
  expect(binding.problems).toEqual([])
  return encodeArrow(await loadArrow(), binding, columns, rows)
}
const table = async (schema: Schema, rows: readonly Record<string, unknown>[]) => {
  const batch = batchOf(schema, rows)
  return tableFromIPC(Buffer.concat(await encode(schema, batch.columns, batch.length)))
}

test('values, nulls and lengths at the edges of a byte and of a word', async () => {
  for (const n of [1, 7, 8, 9, 63, 64, 65]) {
    const rows = Array.from({ length: n }, (_, i) => ({
      b: i % 3 === 0,
      i: i % 5 === 0 ? null : i,
      s: i % 4 === 0 ? null : `s${i}`,
    }))
    const t = await table(schemaOf({ b: 'bool', i: 'i64?', s: 'utf8?' }), rows)
    expect(t.toArray().map(r => r.toJSON())).toEqual(rows.map(r => ({ ...r, i: r.i === null ? null : BigInt(r.i) })))
  }
})

test('a column longer than the batch is cut', async () => {
  const schema = schemaOf({ n: 'i32', s: 'utf8', f: 'fixed(2)' })
  const columns = schema.fields.map(f => createColumn(f, 100))
  for (let i = 0; i < 5; i++) {
    for (const [k, value] of [i, `${i}`, Buffer.from([i, i])].entries()) appendValue(columns[k], value)
  }
  const t = tableFromIPC(Buffer.concat(await encode(schema, columns, 3)))
  expect(t.numRows).toBe(3)
  expect([...(t.getChild('s') ?? [])]).toEqual(['0', '1', '2'])
})

test('column buffers are referenced, not copied', async () => {
  const schema = schemaOf({ v: 'f64' })
  const columns = schema.fields.map(f => createColumn(f, 1000))
  const [column] = columns
  if (column.layout !== 'f64') throw new Error('f64 expected')
  column.length = 1000
  const chunks = await encode(schema, columns, 1000)
  expect(chunks.some(c => c.buffer === column.values.buffer)).toBe(true)
})

test('a dictionary sends only what its rows use, and ids of null rows are never read', async () => {
  const schema = schemaOf({ d: 'dictionary?' })
  const column = new DictionaryColumn(
    { kind: 'dictionary' },
    true,
    Array.from({ length: 1000 }, (_, i) => `w${i}`),
  )
  column.reserve(3)
  column.ids.set([999, 123456, 5])
  column.nulls?.set([0, 1, 0])
  column.length = 3
  const bytes = Buffer.concat(await encode(schema, [column], 3))
  expect([...(tableFromIPC(bytes).getChild('d') ?? [])]).toEqual(['w999', null, 'w5'])
  expect(bytes.includes('w500')).toBe(false)
})

test('null containers travel as empty ones with a flag beside them', async () => {
  const t = await table(schemaOf({ l: 'list<utf8?>?' }), [{ l: ['a', null] }, { l: null }, { l: [] }])
  expect(t.schema.fields.map(f => f.name)).toEqual(['l', 'l__null'])
  expect(t.toArray().map(r => [r.l.toArray().length, r.l__null])).toEqual([
    [2, false],
    [0, true],
    [0, false],
  ])
})
