import type { DataType, Field, Schema } from '../../../runtime/schema'
import { valueAt } from '../../../runtime/value'
import { bind } from '../../../sql/bind'
import { columnsFor } from '../../../sql/types'
import { batchOf, rowsOf } from '../../support/batches'
import { Harness } from './harness'

let harness: Harness
beforeAll(async () => {
  harness = await Harness.start('types_test')
})
afterAll(() => harness.stop())

const f = (name: string, type: DataType, nullable = false): Field => ({ name, type, nullable })
const list = (item: DataType, nullable = false): DataType => ({ kind: 'list', item: f('item', item, nullable) })
const map = (value: DataType, nullable = false): DataType => ({ kind: 'map', value: f('value', value, nullable) })
const utf8: DataType = { kind: 'utf8' }

/** Every kind, its extremes and its zero; what a null beside them must not turn into. */
const CASES: readonly (readonly [DataType, readonly unknown[]])[] = [
  [{ kind: 'bool' }, [true, false]],
  [{ kind: 'i32' }, [0, -2147483648, 2147483647]],
  [{ kind: 'i64' }, [0, -9223372036854775808n, 9223372036854775807n, 2 ** 53 - 1]],
  [{ kind: 'f32' }, [0, 1.5, -Infinity, Number.NaN, 3.4028234663852886e38]],
  [{ kind: 'f64' }, [0, -0.1, 1e308, Infinity, Number.NaN, 5e-324]],
  [utf8, ['', 'a', 'žluťoučký 🐎', "quote ' and \\ and \n\n"]],
  [{ kind: 'bytes' }, [Buffer.alloc(0), Buffer.from([0, 255, 10, 10, 128])]],
  [{ kind: 'json' }, ['{"a":[1,null]}', 'null']],
  [{ kind: 'date' }, [0, -25567, 120529, 19675]],
  [{ kind: 'time', unit: 'ms' }, [0, 86399999]],
  [{ kind: 'time', unit: 'us' }, [0, 86399999999]],
  [{ kind: 'timestamp', unit: 's', zoned: true }, [0, -2208988800, 10413791999]],
  [{ kind: 'timestamp', unit: 'ms', zoned: true }, [0, 1700000000123, -2208988800000, 10413791999999]],
  [{ kind: 'timestamp', unit: 'us', zoned: false }, [0, 1700000000123456, -1]],
  [{ kind: 'timestamp', unit: 'ns', zoned: true }, [0, 1700000000123456789n, -1]],
  [{ kind: 'decimal', precision: 9, scale: 2 }, ['0.00', '-9999999.99', '9999999.99']],
  [{ kind: 'decimal', precision: 18, scale: 0 }, ['0', '-999999999999999999', '999999999999999999']],
  [{ kind: 'decimal', precision: 38, scale: 10 }, ['0.0000000000', '9999999999999999999999999999.9999999999', '-1.0000000001']],
  [{ kind: 'uuid' }, ['00000000-0000-0000-0000-000000000000', '61f0c404-5cb3-11e7-907b-a6006ad3dba0']],
  [{ kind: 'fixed', size: 12 }, [Buffer.alloc(12), Buffer.from('0102030405060708090a0b0c', 'hex')]],
  [{ kind: 'dictionary' }, ['', 'red', 'green', 'red']],
  [{ kind: 'dictionary', symbols: ['a', 'b'] }, ['b', 'a', 'b']],
  [list({ kind: 'i64' }), [[], [1, 2, 3], [-1]]],
  [list(utf8, true), [[], ['a', null, ''], [null]]],
  [list({ kind: 'dictionary' }, true), [['x', null, 'y'], [], ['x']]],
  [list(list({ kind: 'f64' }), false), [[], [[], [1]], [[1, 2], [3]]]],
  [list(list(utf8, true), true), [[null], [[], null, ['a', null]], []]],
  [
    map({ kind: 'i32' }),
    [
      new Map(),
      new Map([
        ['k', 1],
        ['', -1],
      ]),
    ],
  ],
  [
    map(map(utf8, true), true),
    [
      new Map([
        ['a', null],
        [
          'b',
          new Map([
            ['c', null],
            ['d', 'e'],
          ]),
        ],
      ]),
    ],
  ],
  [
    { kind: 'struct', fields: [f('x', { kind: 'i32' }), f('y', utf8, true), f('with space', list(utf8), true)] },
    [
      { x: 1, y: 'p', 'with space': ['q'] },
      { x: 0, y: null, 'with space': null },
      { x: 2, y: '', 'with space': [] },
    ],
  ],
  [
    list(
      {
        kind: 'struct',
        fields: [
          f('t', { kind: 'timestamp', unit: 'ms', zoned: true }),
          f('s', { kind: 'struct', fields: [f('v', utf8, true)] }, true),
        ],
      },
      true,
    ),
    [[{ t: 1, s: null }, null, { t: 2, s: { v: null } }, { t: 3, s: { v: 'v' } }], []],
  ],
]

test('every kind goes in and comes back equal, null and empty apart', async () => {
  const fields = CASES.flatMap(([type], i) => [f(`c${i}`, type), f(`n${i}`, type, true)])
  const schema: Schema = { fields }
  const rows = Math.max(...CASES.map(([, values]) => values.length)) + 1
  const data = Array.from({ length: rows }, (_, r) =>
    Object.fromEntries(
      CASES.flatMap(([, values], i) => {
        const value = values[r % values.length]
        return [
          [`c${i}`, value],
          [`n${i}`, r === 1 ? null : value],
        ]
      }),
    ),
  )
  const batch = batchOf(schema, data)
  const sink = await harness.sink({ table: 'every' }, schema)
  expect(await sink.write(batch, 'every-1')).toEqual({ written: rows, failed: [] })

  const back = await harness.store.select('SELECT * FROM every ORDER BY _offset')
  expect(back.rows).toBe(rows)
  const expected = rowsOf(batch)
  for (const field of fields) {
    const at = back.schema.fields.findIndex(b => b.name === field.name)
    expect(back.schema.fields[at]).toMatchObject({ nullable: field.nullable })
    const got = Array.from({ length: rows }, (_, r) => valueAt(back.columns[at], r))
    const want = expected.map(row => row[field.name])
    // bytes are kept in a String and come back as text: compare what is in the column
    if (field.type.kind === 'bytes') {
      const hex = await harness.store.query(`SELECT hex(\`${field.name}\`) AS h FROM every ORDER BY _offset`)
      expect(hex.map(r => r.h)).toEqual(
        want.map(v => (v instanceof Uint8Array ? Buffer.from(v).toString('hex').toUpperCase() : v)),
      )
    } else expect([field.name, got]).toEqual([field.name, want])
  }
  expect(back.schema.fields.map(b => b.name)).toEqual([...fields.map(b => b.name), '_source', '_partition', '_offset'])
})

test('the types of a table we make fit their own schema', async () => {
  const schema: Schema = { fields: CASES.flatMap(([type], i) => [f(`c${i}`, type), f(`n${i}`, type, true)]) }
  await harness.store.command(
    `CREATE TABLE printed (${columnsFor(schema)
      .map(c => `\`${c.name}\` ${c.type}`)
      .join(', ')}) ENGINE = Memory`,
  )
  const printed = await harness.store.query(
    "SELECT name, type FROM system.columns WHERE database = 'types_test' AND table = 'printed'",
  )
  const bound = bind(
    schema,
    printed.map(c => ({ name: String(c.name), type: String(c.type), defaultKind: '' })),
  )
  expect(bound.problems).toEqual([])
  expect(bound.plans.filter(p => p.plan.nulls === 'refused')).toEqual([])
})
