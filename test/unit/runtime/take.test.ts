import fc from 'fast-check'
import { createColumn } from '../../../runtime/column'
import { concatColumns } from '../../../runtime/concat'
import { type DataType, field } from '../../../runtime/schema'
import { takeColumn } from '../../../runtime/take'
import { appendValue, type Value, valueAt } from '../../../runtime/value'

const TYPES: readonly [DataType, fc.Arbitrary<Value>][] = [
  [{ kind: 'bool' }, fc.boolean()],
  [{ kind: 'i32' }, fc.integer()],
  [{ kind: 'i64' }, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  [{ kind: 'f32' }, fc.float({ noNaN: true })],
  [{ kind: 'f64' }, fc.double({ noNaN: true })],
  [{ kind: 'utf8' }, fc.string({ unit: 'grapheme', maxLength: 100 })],
  [{ kind: 'decimal', precision: 10, scale: 2 }, fc.integer({ min: -99_999, max: 99_999 }).map(n => `${n}.25`)],
  [{ kind: 'dictionary' }, fc.constantFrom('a', 'b', 'c')],
  [{ kind: 'list', item: field('item', 'utf8', true) }, fc.array(fc.option(fc.string()), { maxLength: 4 })],
  [
    { kind: 'struct', fields: [field('x', 'i32'), field('y', 'utf8', true)] },
    fc.tuple(fc.integer(), fc.option(fc.string())).map(([x, y]): Value => ({ x, y })),
  ],
]
const plain = (v: Value): unknown => (typeof v === 'number' && Number.isSafeInteger(v) ? BigInt(v) : v)

test.each(TYPES)('%j: taking and joining keep every value', (type, arbitrary) => {
  const nullable = { type, nullable: true }
  const column = (values: readonly Value[]) => {
    const c = createColumn(nullable)
    for (const v of values) appendValue(c, v)
    return c
  }
  fc.assert(
    fc.property(
      fc.array(fc.option(arbitrary), { minLength: 1, maxLength: 20 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (values, picks) => {
        const rows = Int32Array.from(picks, n => n % values.length)
        const before = Array.from(values, (_, i) => plain(valueAt(column(values), i)))
        const taken = takeColumn(column(values), rows)
        expect(Array.from(rows, (_, i) => plain(valueAt(taken, i)))).toEqual(Array.from(rows, r => before[r]))
        const joined = concatColumns(nullable, [column(values), taken, column([])])
        expect(Array.from({ length: joined.length }, (_, i) => plain(valueAt(joined, i)))).toEqual([
          ...before,
          ...Array.from(rows, r => before[r]),
        ])
      },
    ),
    { numRuns: 60, seed: 5 },
  )
})
