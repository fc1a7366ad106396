import { rowViewClass } from '../../../runtime/row_view'
import { batchOf, schemaOf } from '../../support/batches'

const schema = schemaOf({
  a: 'f64?',
  b: 'f32',
  c: 'i32',
  d: 'i64?',
  e: 'bool',
  f: 'utf8?',
  g: 'timestamp(us)',
  h: 'uuid',
  i: 'list<i32>',
  j: 'decimal(6, 2)',
  k: 'dictionary',
  row: 'i32',
})
const id = '0a0b0c0d-0000-0000-0000-000000000001'
const rows = [
  { a: 1.5, b: 0.5, c: -1, d: 2n ** 60n, e: true, f: 'é', g: 1_700_000_000_000_000, h: id, i: [1, 2], j: '1.50', k: 'x', row: 9 },
  { a: null, b: 2, c: 3, d: null, e: false, f: null, g: -1, h: id, i: [], j: '-0.05', k: 'y', row: 8 },
]

test('a property for each column, moved by `row`', () => {
  const batch = batchOf(schema, rows)
  const view = new (rowViewClass(schema))()
  view.cols = batch.columns
  rows.forEach((row, i) => {
    view.row = i
    const { row: _, ...plain } = row
    expect(Object.fromEntries(Object.keys(plain).map(name => [name, view[name]]))).toEqual(plain)
    expect(view.toObject()).toEqual(row)
  })
})

test('columns can be enumerated but not written', () => {
  const view = new (rowViewClass(schemaOf({ x: 'i32' })))()
  const names: string[] = []
  for (const name in view) names.push(name)
  expect(names).toEqual(['cols', 'row', 'x'])
  expect(() => Object.assign(view, { x: 1 })).toThrow(TypeError)
})

test('a column called like a part of the view is in toObject only', () => {
  const batch = batchOf(schemaOf({ constructor: 'i32', cols: 'i32' }), [{ constructor: 1, cols: 2 }])
  const view = new (rowViewClass(batch.schema))()
  view.cols = batch.columns
  expect(view.toObject()).toEqual({ constructor: 1, cols: 2 })
})
