import fc from 'fast-check'
import type { DataType, Schema } from '../../../runtime/schema'
import { bind } from '../../../sql/bind'
import { checkRows } from '../../../sql/check'
import { batchOf, schemaOf } from '../../support/batches'

const failures = (schema: Schema, column: string, values: readonly unknown[], extra: readonly [string, string][] = []) => {
  const binding = bind(schema, [
    { name: 'v', type: column, defaultKind: '' },
    ...extra.map(([name, type]) => ({ name, type, defaultKind: '' })),
  ])
  expect(binding.problems).toEqual([])
  const batch = batchOf(
    schema,
    values.map(v => ({ v })),
  )
  return checkRows(binding, batch.columns, batch.length).map(f => [f.row, f.error.message])
}

test('the message names column, value and type', () => {
  expect(failures(schemaOf({ v: 'i32' }), 'Int8', [127, 128, -128, -129])).toEqual([
    [1, 'column v: 128 does not fit Int8'],
    [3, 'column v: -129 does not fit Int8'],
  ])
  expect(failures(schemaOf({ v: 'i64' }), 'UInt32', [2n ** 63n - 1n, 1])).toEqual([
    [0, 'column v: 9223372036854775807 does not fit UInt32'],
  ])
})

test('nulls are not values', () => {
  expect(failures(schemaOf({ v: 'i32?' }), 'Nullable(UInt8)', [null, 1, -1])).toEqual([
    [2, 'column v: -1 does not fit Nullable(UInt8)'],
  ])
  expect(failures(schemaOf({ v: 'i32?' }), 'UInt8', [null, 1])).toEqual([[0, 'column v: null into UInt8']])
})

test('what is wrong inside a list belongs to its row, empty lists beside it', () => {
  expect(failures(schemaOf({ v: 'list<list<i32>>' }), 'Array(Array(UInt8))', [[], [[]], [[1], [2, -3]], [], [[-4]]])).toEqual([
    [2, 'column v.item.item: -3 does not fit UInt8'],
    [4, 'column v.item.item: -4 does not fit UInt8'],
  ])
})

test('cells under a null struct mean nothing', () => {
  const inner: DataType = {
    kind: 'struct',
    fields: [
      { name: 's', type: { kind: 'utf8' }, nullable: true },
      { name: 'w', type: { kind: 'utf8' }, nullable: false },
    ],
  }
  const schema: Schema = { fields: [{ name: 'v', type: inner, nullable: true }] }
  const values = [null, { s: 'a', w: 'ab' }, { s: null, w: 'ab' }, { s: 'a', w: 'abc' }]
  expect(failures(schema, 'Tuple(s String, w FixedString(2))', values, [['v__null', 'Bool']])).toEqual([
    [2, 'column v.s: null into String'],
    [3, 'column v.w: a string of 3 bytes does not fit FixedString(2)'],
  ])
})

test('decimals by their exact value, on both sides of what a double holds', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }),
      fc.integer({ min: 1, max: 38 }),
      (value, precision) => {
        const fits = value < 10n ** BigInt(precision) && value > -(10n ** BigInt(precision))
        expect(failures(schemaOf({ v: 'decimal(38, 0)' }), `Decimal(${precision}, 0)`, [value]).length).toBe(fits ? 0 : 1)
      },
    ),
    { seed: 7, numRuns: 300 },
  )
})

test('each row fails once, in order', () => {
  const schema = schemaOf({ a: 'i32', b: 'i32' })
  const binding = bind(
    schema,
    ['a', 'b'].map(name => ({ name, type: 'UInt8', defaultKind: '' })),
  )
  const batch = batchOf(schema, [
    { a: 1, b: -1 },
    { a: -1, b: -1 },
    { a: 1, b: 1 },
  ])
  expect(checkRows(binding, batch.columns, 3).map(f => f.row)).toEqual([0, 1])
})
