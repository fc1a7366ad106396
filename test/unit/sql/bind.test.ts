import { type DataType, type Field, type Schema, typeName } from '../../../runtime/schema'
import { bind } from '../../../sql/bind'
import { columnsFor } from '../../../sql/types'
import { schemaOf } from '../../support/batches'

const f = (type: DataType, nullable = false): Schema => ({ fields: [{ name: 'v', type, nullable }] })
const one = (text: string): Schema => schemaOf({ v: text })
const against = (schema: Schema, type: string) => bind(schema, [{ name: 'v', type, defaultKind: '' }])

const RANGE = (min: number, max: number) => ({ kind: 'range', min, max })

// our type, the column, what is checked on every value (null: nothing)
test.each([
  ['bool', 'Bool', null],
  ['bool', 'UInt8', null],
  ['i32', 'Int32', null],
  ['i32', 'Int64', null],
  ['i32', 'Int256', null],
  ['i32', 'Float64', null],
  ['i32', 'Float32', RANGE(-16777215, 16777215)],
  ['i32', 'UInt8', RANGE(0, 255)],
  ['i32', 'Int16', RANGE(-32768, 32767)],
  ['i32', 'UInt64', RANGE(0, 2147483647)],
  ['i64', 'Int32', RANGE(-2147483648, 2147483647)],
  ['i64', 'UInt32', RANGE(0, 4294967295)],
  ['i64', 'UInt64', RANGE(0, Infinity)],
  ['i64', 'Float64', RANGE(-9007199254740991, 9007199254740991)],
  ['f32', 'Float64', null],
  ['f64', 'Float32', { kind: 'float32' }],
  ['utf8', 'LowCardinality(String)', null],
  ['utf8', 'FixedString(3)', { kind: 'width', bytes: 3 }],
  ['utf8', 'UUID', null],
  ['utf8', 'IPv4', null],
  ['utf8', "Enum8('a' = 1)", { kind: 'symbols', allowed: new Set(['a']) }],
  ['dictionary', 'String', null],
  ['json', 'JSON', null],
  ['bytes', 'String', null],
  ['fixed(3)', 'FixedString(3)', null],
  ['fixed(3)', 'String', null],
  ['date', 'Date32', RANGE(-25567, 120529)],
  ['date', 'Date', RANGE(0, 65535)],
  ['time(ms)', 'UInt32', RANGE(0, 2147483647)],
  ['timestamp(s)', 'DateTime', RANGE(0, 4294967295)],
  ['timestamp(ms)', "DateTime64(3, 'UTC')", RANGE(-2208988800000, 10413791999999)],
  ['timestamp(ms)', 'DateTime64(6)', RANGE(-2208988800000, 10413791999999)],
  ['decimal(9, 2)', 'Decimal(9, 2)', { kind: 'digits', below: 10n ** 9n }],
  ['decimal(9, 2)', 'Decimal(18, 4)', { kind: 'digits', below: 10n ** 9n }],
  ['decimal(9, 2)', 'Decimal(9, 4)', { kind: 'digits', below: 10n ** 7n }],
  ['uuid', 'UUID', null],
  ['list<i32>', 'Array(Int64)', null],
  ['map<f64>', 'Map(LowCardinality(String), Float64)', null],
])('%s goes into %s', (ours, column, limit) => {
  const bound = against(one(ours), column)
  expect(bound.problems).toEqual([])
  expect(bound.plans[0].plan).toMatchObject({ limit, nulls: 'none' })
})

test.each([
  ['i64', 'DateTime64(3)', /seconds or days/],
  ['i32', 'Date', /seconds or days/],
  ['time(ms)', 'DateTime', /seconds or days/],
  ['i64', 'String', /cast the number/],
  ['i64', 'Decimal(18, 2)', /cast the number/],
  ['bool', 'String', /cast it to a number/],
  ['f64', 'Int64', /floating-point/],
  ['f64', 'Decimal(18, 2)', /floating-point/],
  ['utf8', 'Float64', /cast it first/],
  ['utf8', 'DateTime', /cast it first/],
  ['utf8', 'JSON', /make the column String/],
  ['utf8', 'Array(String)', /make the column String/],
  ['bytes', "Enum8('a' = 1)", /only strings/],
  ['bytes', 'UUID', /make the column String/],
  ['fixed(16)', 'UUID', /make the column String/],
  ['fixed(3)', 'FixedString(4)', /another length/],
  ['uuid', 'String', /only UUID/],
  ['date', 'DateTime', /Date or Date32/],
  ['timestamp(ms)', 'DateTime', /keeps 0 digits/],
  ['timestamp(us)', 'DateTime64(3)', /keeps 3 digits/],
  ['timestamp(ms)', 'Int64', /DateTime64/],
  ['decimal(9, 2)', 'Decimal(9, 1)', /keeps 1 digits/],
  ['decimal(9, 2)', 'Float64', /make the column Decimal/],
  ['list<i32>', 'String', /needs an Array/],
  ['list<utf8>', 'Array(Int32)', /cast it first/],
  ['map<i32>', 'Map(Int32, Int32)', /keys of a map are strings/],
  ['i32', 'AggregateFunction(count)', /cast the number/],
  ['i32', 'Nested(1 + 1)', /cannot read the type/],
])('%s does not go into %s', (ours, column, reason) => {
  expect(against(one(ours), column).problems).toEqual([expect.stringMatching(reason)])
})

test('nulls: as a bitmap, by a companion, or refused row by row', () => {
  const nulls = (text: string, ...columns: readonly (readonly [string, string])[]) =>
    bind(
      one(text),
      columns.map(([name, type]) => ({ name, type, defaultKind: '' })),
    )
  expect(nulls('utf8?', ['v', 'Nullable(String)']).plans[0].plan.nulls).toBe('bitmap')
  expect(nulls('utf8?', ['v', 'LowCardinality(Nullable(String))']).plans[0].plan.nulls).toBe('bitmap')
  expect(nulls('utf8?', ['v', 'String']).plans[0].plan.nulls).toBe('refused')
  expect(nulls('list<i32>?', ['v', 'Array(Int32)']).plans[0].plan.nulls).toBe('refused')
  const companion = nulls('list<i32>?', ['v', 'Array(Int32)'], ['v__null', 'Bool'])
  expect(companion.plans[0].plan.nulls).toBe('companion')
  expect(companion.columns).toEqual(['v', 'v__null'])
  expect(nulls('list<i32>', ['v', 'Array(Int32)'], ['v__null', 'Bool']).columns).toEqual(['v'])
})

test('a struct is matched by name and sent in the order of the tuple', () => {
  const fields: readonly Field[] = [
    { name: 'x', type: { kind: 'i32' }, nullable: false },
    { name: 'y', type: { kind: 'utf8' }, nullable: true },
  ]
  const struct = f({ kind: 'struct', fields })
  const bound = against(struct, 'Tuple(y Nullable(String), x Int64)')
  expect(bound.plans[0].plan.children.map(c => [c.name, c.index])).toEqual([
    ['y', 1],
    ['x', 0],
  ])
  expect(against(struct, 'Tuple(x Int32)').problems[0]).toMatch(/no element y/)
  expect(against(struct, 'Tuple(x Int32, y String, z String)').problems[0]).toMatch(/element z that the struct lacks/)
  expect(against(struct, 'Tuple(Int32, String)').problems[0]).toMatch(/no element x, y/)
  expect(against(struct, 'Tuple(x String, y String)').problems[0]).toMatch(/x: cast the number/)
  expect(against(f({ kind: 'struct', fields: [] }), 'Tuple()').problems[0]).toMatch(/at least one field/)
})

test('every type has a column type of its own, which it fits', () => {
  const types: readonly DataType[] = [
    { kind: 'bool' },
    { kind: 'time', unit: 'us' },
    { kind: 'timestamp', unit: 'ns', zoned: false },
    { kind: 'decimal', precision: 38, scale: 38 },
    { kind: 'dictionary', symbols: ['a'] },
    {
      kind: 'list',
      item: { name: 'i', nullable: true, type: { kind: 'map', value: { name: 'v', nullable: true, type: { kind: 'json' } } } },
    },
  ]
  for (const nullable of [false, true]) {
    for (const type of types) {
      const schema = f(type, nullable)
      const bound = bind(
        schema,
        columnsFor(schema).map(c => ({ ...c, defaultKind: '' })),
      )
      expect([typeName(type), bound.problems]).toEqual([typeName(type), []])
      expect(bound.plans[0].plan.nulls).not.toBe('refused')
    }
  }
})
