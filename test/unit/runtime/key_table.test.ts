import fc from 'fast-check'
import { type Column, createColumn } from '../../../runtime/column'
import { KeyTable } from '../../../runtime/key_table'
import { type DataType, field } from '../../../runtime/schema'
import { appendValue, valueAt } from '../../../runtime/value'

const columnOf = (type: DataType | 'utf8' | 'i64' | 'dictionary', values: readonly unknown[]): Column => {
  const column = createColumn(field('k', type, true))
  for (const v of values) appendValue(column, v)
  return column
}

const idsOf = (table: KeyTable, columns: readonly Column[], rows: readonly number[] | null = null): readonly number[] => {
  const count = rows?.length ?? columns[0].length
  return [...table.ids(columns, rows && Int32Array.from(rows), count, new Int32Array(count))]
}

/** What a plain Map gives for the same keys. */
class Plain {
  readonly #ids = new Map<string, number>()
  ids(columns: readonly Column[]): readonly number[] {
    return Array.from({ length: columns[0].length }, (_, row) => {
      const key = JSON.stringify(columns.map(c => valueAt(c, row)))
      const id = this.#ids.get(key) ?? this.#ids.size
      this.#ids.set(key, id)
      return id
    })
  }
}

const key = fc.option(fc.string({ unit: 'grapheme', maxLength: 4 }))

test('the same ids as a Map, over several batches and a snapshot between them', () => {
  fc.assert(
    fc.property(fc.array(fc.array(key)), fc.nat(5), (batches, cut) => {
      let table = new KeyTable(1)
      const plain = new Plain()
      batches.forEach((keys, i) => {
        if (i === cut) table = KeyTable.restore(table.snapshot())
        const columns = [columnOf(i % 2 === 0 ? 'utf8' : 'dictionary', keys)]
        expect(idsOf(table, columns)).toEqual(plain.ids(columns))
      })
    }),
  )
})

test('composite keys are the same ids as a Map', () => {
  const small = fc.option(fc.integer({ min: -2, max: 2 }))
  fc.assert(
    fc.property(fc.array(fc.tuple(key, small, key)), rows => {
      const columns = [
        columnOf(
          'utf8',
          rows.map(r => r[0]),
        ),
        columnOf(
          'i64',
          rows.map(r => r[1]),
        ),
        columnOf(
          'dictionary',
          rows.map(r => r[2]),
        ),
      ]
      const table = new KeyTable(3)
      const ids = idsOf(table, columns)
      expect(ids).toEqual(new Plain().ids(columns))
      rows.forEach((row, i) => {
        const [a, , c] = KeyTable.restore(table.snapshot()).parts(ids[i])
        expect([a?.toString() ?? null, c?.toString() ?? null]).toEqual([row[0], row[2]])
      })
    }),
  )
})

test('where one key ends and the next begins is part of the key', () => {
  const table = new KeyTable(2)
  expect(idsOf(table, [columnOf('utf8', ['ab', 'a', '', null]), columnOf('utf8', ['c', 'bc', 'abc', 'abc'])])).toEqual([
    0, 1, 2, 3,
  ])
})

test('100,000 keys grow the table and keep their ids', () => {
  const table = new KeyTable(1)
  const keys = columnOf(
    'utf8',
    Array.from({ length: 100_000 }, (_, i) => `device-${i}`),
  )
  const expected = Array.from({ length: 100_000 }, (_, i) => i)
  expect(idsOf(table, [keys])).toEqual(expected)
  expect(idsOf(table, [keys])).toEqual(expected)
  expect(table.count).toBe(100_000)
  expect(table.parts(77_777)[0]?.toString()).toBe('device-77777')
  expect(idsOf(KeyTable.restore(table.snapshot()), [keys], [99_999, 5])).toEqual([99_999, 5])
})

test('numbers, fixed bytes and times are keys; containers are refused', () => {
  const f64: DataType = { kind: 'f64' }
  expect(idsOf(new KeyTable(1), [columnOf(f64, [0, -0, 1.5, null, 1.5])])).toEqual([0, 0, 1, 2, 1])
  expect(idsOf(new KeyTable(1), [columnOf({ kind: 'uuid' }, ['00000000-0000-0000-0000-000000000001', null])])).toEqual([0, 1])
  const list = columnOf({ kind: 'list', item: field('item', 'utf8') }, [['a']])
  expect(() => idsOf(new KeyTable(1), [list])).toThrow('a column of type list<utf8> cannot be a key')
})

test('damaged snapshots are refused', () => {
  const table = new KeyTable(1)
  idsOf(table, [columnOf('utf8', ['a', 'b', null])])
  const good = table.snapshot()
  expect(KeyTable.restore(good).count).toBe(3)
  for (let n = 0; n < good.length; n++) expect(() => KeyTable.restore(good.subarray(0, n))).toThrow('not a snapshot')
})
