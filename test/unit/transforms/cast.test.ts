import fc from 'fast-check'
import { cast } from '../../../transforms/cast'
import { batchOf, columnOf, rowsOf, schemaOf } from '../../support/batches'
import { applied, bindError } from '../../support/transforms'

/** What the values of a column become: the value, or the code of its rejection. */
async function becomes(from: string, values: readonly unknown[], to: string, on_fraction?: string): Promise<readonly unknown[]> {
  const batch = batchOf(
    schemaOf({ v: from }),
    values.map(v => ({ v })),
  )
  const out = await applied(cast, { fields: { v: to }, ...(on_fraction ? { on_fraction } : {}) }, batch)
  const rejected = new Map(out.rejected.map(r => [r.record.offset - 100, r.error.code.slice(0, 4)]))
  const live = columnOf(out, 'v')
  let next = 0
  return values.map((_, i) => rejected.get(i) ?? live[next++])
}

const big = 2n ** 60n + 1n

test.each<[string, readonly unknown[], string, readonly unknown[], string?]>([
  ['i64?', [1, null, 2147483648n, -2147483648, big], 'i32', [1, null, 'D005', -2147483648, 'D005']],
  ['i64', [1, big, 2n ** 60n, 2n ** 53n], 'f64', [1, 'D005', 2 ** 60, 2 ** 53]],
  ['f64?', [1, 1.5, Number.NaN, null, 1e300, -0, 2 ** 60], 'i64', [1, 'D005', 'D005', null, 'D005', 0, 2n ** 60n]],
  ['f64', [1.5, -1.5, 2.4], 'i32', [2, -2, 2], 'round'],
  ['f64', [1.5, -1.5, 2.9], 'i32', [1, -1, 2], 'truncate'],
  ['f64', [0.5, 1e300, Number.NaN, Number.POSITIVE_INFINITY], 'f32', [0.5, 'D005', Number.NaN, Number.POSITIVE_INFINITY]],
  ['i32', [0, 1, 2], 'bool', [false, true, 'D005']],
  ['bool', [true, false], 'i32', [1, 0]],
  ['utf8', ['12', ' -3 ', '1.0', '1.5', 'x', '', '99999999999'], 'i32', [12, -3, 1, 'D005', 'D006', 'D006', 'D005']],
  [
    'utf8',
    ['1.5', '-1e3', 'NaN', 'x', '', '0x10', '1e999'],
    'f64',
    [1.5, -1000, Number.NaN, 'D006', 'D006', 'D006', Number.POSITIVE_INFINITY],
  ],
  ['utf8', ['true', 'FALSE', '1', 'yes'], 'bool', [true, false, true, 'D006']],
  ['utf8', ['12.3', '1.005', 'x'], 'decimal(6, 2)', ['12.30', 'D005', 'D006']],
  ['utf8', ['1.005', '-1.005', '1.004'], 'decimal(6, 2)', ['1.01', '-1.01', '1.00'], 'round'],
  ['f64', [0.1, 12345678.9], 'decimal(6, 2)', ['0.10', 'D005']],
  ['decimal(6, 2)', ['12.30', '-1.00'], 'f64', [12.3, -1]],
  ['decimal(6, 2)', ['12.30', '-1.00'], 'i64', ['D005', -1]],
  ['utf8', ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'no'], 'uuid', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'D006']],
  [
    'utf8',
    [
      '2014-02-14T14:30:00Z',
      '2014-02-14 14:30:00.25',
      '2014-02-14T14:30:00+01:00',
      '2014-02-14',
      '2014-02-30',
      'soon',
      '2014-02-14T14:30:00.0001Z',
    ],
    'timestamp(ms)',
    [1392388200000, 1392388200250, 1392384600000, 1392336000000, 'D006', 'D006', 'D005'],
  ],
  ['i64', [1392388200], 'timestamp(s)', [1392388200]],
  ['i64', [1392388200250], 'timestamp(ms)', [1392388200250]],
  ['timestamp(us)', [1500, -1500, 2000], 'timestamp(ms)', ['D005', 'D005', 2]],
  ['timestamp(us)', [1500, -1500], 'timestamp(ms)', [1, -2], 'truncate'],
  ['timestamp(s)', [1392388200], 'timestamp(ns)', [1392388200000000000n]],
  [
    'timestamp(ms)',
    [0, 1392388200250, -1],
    'utf8',
    ['1970-01-01T00:00:00Z', '2014-02-14T14:30:00.250Z', '1969-12-31T23:59:59.999Z'],
  ],
  ['timestamp(ms)', [1392388200250, -1], 'date', [16115, -1]],
  ['date', [16115], 'utf8', ['2014-02-14']],
  ['i64', [big], 'utf8', ['1152921504606846977']],
  ['utf8?', ['a', null, 'a'], 'dictionary', ['a', null, 'a']],
  ['bytes', [Buffer.from('é'), Buffer.from([0xff])], 'utf8', ['é', 'D006']],
  ['list<i64>', [[1, 2]], 'list<utf8>', [['1', '2']]],
  ['list<i64>', [[1, big]], 'utf8', ['[1,1152921504606846977]']],
  [
    'map<f64?>',
    [
      new Map([
        ['b', 1.5],
        ['1', null],
      ]),
    ],
    'json',
    ['{"b":1.5,"1":null}'],
  ],
  ['utf8', ['[1,2]', '{', '["a"]'], 'list<i32>', [[1, 2], 'D006', 'D006']],
  ['utf8', ['{"a":1}', '{a}'], 'json', ['{"a":1}', 'D006']],
])('%s %p as %s', async (from, values, to, expected, ...rule) => {
  expect(await becomes(from, values, to, rule[0])).toEqual(expected)
})

test('numeric kernels agree with the conversion of one value', async () => {
  const number = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.constantFrom(-0, 2147483648, -2147483649, 3.4e38, 3.5e38, 2 ** 53, 2 ** 63),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(fc.option(number)), fc.constantFrom('i32', 'i64', 'f32', 'f64'), async (values, to) => {
      // a list of one value takes the general way
      const lists = await becomes(
        'list<f64?>',
        values.map(v => [v]),
        `list<${to}?>`,
      )
      const expected = lists.map(v => (Array.isArray(v) ? v[0] : v))
      expect(await becomes('f64?', values, to)).toEqual(expected)
    }),
    { seed: 3 },
  )
})

test('filtered rows are neither converted nor rejected', async () => {
  for (const [from, bad, good] of [
    ['utf8', 'x', '1'],
    ['f64', 1.5, 1],
  ] as const) {
    const batch = batchOf(schemaOf({ v: from }), [{ v: bad }, { v: good }, { v: bad }], { selection: [1] })
    const out = await applied(cast, { fields: { v: 'i32' } }, batch)
    expect([rowsOf(out), out.rejected]).toEqual([[{ v: 1 }], []])
  }
})

test('what cannot be is refused when it is bound', () => {
  const batch = batchOf(schemaOf({ t: 'timestamp(ms)', l: 'list<i32>' }), [])
  const error = bindError(cast, { fields: { t: 'uuid' } }, batch)
  expect([error?.code, error?.message]).toEqual(['C020_TYPE_MISMATCH', 'fields.t: a timestamp(ms) cannot become uuid'])
  expect(bindError(cast, { fields: { tt: 'i64' } }, batch)?.code).toBe('C015_UNKNOWN_COLUMN')
  expect(cast.config.safeParse({ fields: { t: 'timestmp' } }).success).toBe(false)
})

test('a column keeps its nulls, and a ? allows them', async () => {
  const out = await applied(
    cast,
    { fields: { a: 'i64', b: 'i64?' } },
    batchOf(schemaOf({ a: 'i32?', b: 'i32' }), [{ a: null, b: 1 }]),
  )
  expect(out.schema.fields.map(f => f.nullable)).toEqual([true, true])
  expect(rowsOf(out)).toEqual([{ a: null, b: 1 }])
})
