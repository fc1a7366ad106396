import { createColumn } from '../../../runtime/column'
import { cellJson, rowJson } from '../../../runtime/row_json'
import { type DataType, field, timestamp } from '../../../runtime/schema'
import { appendValue } from '../../../runtime/value'

const item = (type: DataType, nullable = false) => ({ name: 'item', type, nullable })

test.each<[string, DataType, unknown, string]>([
  ['bool', { kind: 'bool' }, true, 'true'],
  ['i32', { kind: 'i32' }, -5, '-5'],
  ['i64 beyond 2^53', { kind: 'i64' }, 9223372036854775807n, '9223372036854775807'],
  ['f64', { kind: 'f64' }, 0.1, '0.1'],
  ['NaN', { kind: 'f64' }, Number.NaN, 'null'],
  ['infinity', { kind: 'f64' }, Infinity, 'null'],
  ['utf8', { kind: 'utf8' }, 'a"\n\u0000é', '"a\\"\\n\\u0000é"'],
  ['bytes', { kind: 'bytes' }, Buffer.from([0, 255]), '"AP8="'],
  ['json', { kind: 'json' }, '{"a":[1]}', '{"a":[1]}'],
  ['date', { kind: 'date' }, 19_000, '"2022-01-08"'],
  ['time(ms)', { kind: 'time', unit: 'ms' }, 86_399_001, '"23:59:59.001"'],
  ['time(us)', { kind: 'time', unit: 'us' }, 1, '"00:00:00.000001"'],
  ['timestamp(s)', timestamp('s'), 0, '"1970-01-01T00:00:00Z"'],
  ['timestamp(ms)', timestamp('ms'), -1, '"1969-12-31T23:59:59.999Z"'],
  ['timestamp(us)', timestamp('us'), 1, '"1970-01-01T00:00:00.000001Z"'],
  ['timestamp(ns)', timestamp('ns'), 1_700_000_000_123_456_789n, '"2023-11-14T22:13:20.123456789Z"'],
  ['a time without zone', timestamp('ms', false), 0, '"1970-01-01T00:00:00.000"'],
  ['a time beyond dates', timestamp('s'), 9_000_000_000_000_000, '"9000000000000000"'],
  ['decimal', { kind: 'decimal', precision: 10, scale: 2 }, '-1.05', '"-1.05"'],
  ['uuid', { kind: 'uuid' }, '0f0e0d0c-0000-0000-0000-000000000001', '"0f0e0d0c-0000-0000-0000-000000000001"'],
  ['fixed', { kind: 'fixed', size: 2 }, Buffer.from([1, 2]), '"AQI="'],
  ['dictionary', { kind: 'dictionary' }, 'x', '"x"'],
  ['list', { kind: 'list', item: item({ kind: 'i32' }, true) }, [1, null], '[1,null]'],
  [
    'map',
    { kind: 'map', value: item({ kind: 'utf8' }) },
    new Map([
      ['2', 'b'],
      ['1', 'a'],
    ]),
    '{"2":"b","1":"a"}',
  ],
  ['struct', { kind: 'struct', fields: [field('a', 'i32'), field('b', 'utf8', true)] }, { a: 1, b: null }, '{"a":1,"b":null}'],
])('%s', (_, type, value, expected) => {
  const column = createColumn({ type, nullable: true })
  appendValue(column, null)
  appendValue(column, value)
  expect(cellJson(column, 0)).toBe('null')
  expect(cellJson(column, 1)).toBe(expected)
  expect(() => JSON.parse(rowJson({ fields: [{ name: 'a"b', type, nullable: true }] }, [column], 1))).not.toThrow()
})

test('values of hidden fields: at any depth, in maps and in JSON; never half', () => {
  const struct = { kind: 'struct', fields: [field('token', 'utf8'), field('b', 'i32')] } as const
  const types = [
    ['token', { kind: 'utf8' }, 'secret'],
    ['a', struct, { token: 'secret', b: 1 }],
    ['list', { kind: 'list', item: item(struct) }, [{ token: 'secret', b: 2 }]],
    ['map', { kind: 'map', value: item({ kind: 'utf8' }) }, new Map(Object.entries({ token: 'secret', c: 'd' }))],
    ['json', { kind: 'json' }, '{"x":[{"token":"secret"}],"y":1}'],
    ['torn', { kind: 'json' }, '{"token":"secret'],
  ] as const
  const columns = types.map(([, type, value]) => {
    const column = createColumn({ type, nullable: true })
    appendValue(column, value)
    return column
  })
  const fields = types.map(([name, type]) => ({ name, type, nullable: true }))
  expect(JSON.parse(rowJson({ fields }, columns, 0, name => name === 'token'))).toEqual({
    token: '***',
    a: { token: '***', b: 1 },
    list: [{ token: '***', b: 2 }],
    map: { token: '***', c: 'd' },
    json: { x: [{ token: '***' }], y: 1 },
    torn: '***',
  })
  expect(rowJson({ fields: fields.slice(0, 1) }, columns, 0)).toBe('{"token":"secret"}')
})
