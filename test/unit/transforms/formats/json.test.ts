import type { Format, FormatContext } from '../../../../runtime/plugin'
import { json } from '../../../../transforms/formats/json'
import { errorPosition } from '../../../../transforms/formats/json/syntax_error'
import { blockOf, decodeBlocks, encodeRows, formatContext, never, rowAt } from '../../../support/formats'

const make = (config: unknown): Format => json.create(json.config.parse(config), formatContext() as FormatContext)

async function decode(config: unknown, records: readonly (string | Buffer | null)[]) {
  const format = make(config)
  const block = blockOf(records.map(r => (typeof r === 'string' ? Buffer.from(r) : r)))
  const schema = (await format.open(never)) ?? (await format.infer(block, 'value', never))
  const decoder = format.decoder(schema, 1)
  const rejected = await decodeBlocks(decoder, [block])
  expect(decoder.columns.map(c => c.length)).toEqual(schema.fields.map(() => records.length))
  return { format, schema, decoder, rejected, rows: records.map((_, i) => rowAt(decoder, schema, i)) }
}

const rejectionOf = async (schema: Record<string, string>, record: string | Buffer, more: object = {}) => {
  const { rejected, rows } = await decode({ schema, ...more }, ['{"a": null}'.replace('{"a": null}', ''), record])
  expect(rows.length).toBe(2)
  const error = rejected.get(1)
  return error ? `${error.code.slice(0, 4)} ${error.message}` : null
}

describe('declared schema', () => {
  const everything = {
    b: 'bool',
    i: 'i32',
    l: 'i64',
    f: 'f32',
    d: 'f64?',
    s: 'utf8',
    y: 'bytes',
    j: 'json?',
    day: 'date',
    t: 'time(us)',
    ms: 'timestamp(ms)',
    ns: 'timestamp(ns)',
    dec: 'decimal(30, 3)',
    u: 'uuid',
    x: 'fixed(2)',
    e: 'dictionary',
    list: 'list<i64?>',
    map: 'map<f64>',
  }
  const record =
    '{"b":true,"i":-5,"l":9223372036854775807,"f":0.5,"d":null,"s":"é\\u0000","y":"AP8=","j":{"big":12345678901234567890,"t":[1,null]},' +
    '"day":"2024-02-29","t":"23:59:59.123456","ms":"2024-02-29T23:59:59.123Z","ns":"1969-12-31T23:59:59.999999999+00:00",' +
    '"dec":123456789012345678901234567.891,"u":"01234567-89ab-cdef-0123-456789abcdef","x":"AQI=","e":"red","list":[1,null,-9007199254740993],"map":{"z":1,"a":2.5}}'

  test('every type, and back', async () => {
    const { format, schema, decoder, rejected, rows } = await decode({ schema: everything }, [record, null, record])
    expect([...rejected.values()].map(e => e.message)).toEqual([])
    expect(rows[0]).toEqual({
      b: true,
      i: -5,
      l: 9223372036854775807n,
      f: 0.5,
      d: null,
      s: 'é\u0000',
      y: Buffer.from([0, 255]),
      j: '{"big":12345678901234567890,"t":[1,null]}',
      day: 19782,
      t: 86399123456,
      ms: 1709251199123,
      ns: -1,
      dec: '123456789012345678901234567.891',
      u: '01234567-89ab-cdef-0123-456789abcdef',
      x: Buffer.from([1, 2]),
      e: 'red',
      list: [1, null, -9007199254740993n],
      map: new Map([
        ['z', 1],
        ['a', 2.5],
      ]),
    })
    expect(rows[2]).toEqual(rows[0])
    const encoder = await format.encoder?.(schema, never)
    const written = encodeRows(encoder!, decoder.columns, 1)
    const again = await decode({ schema: everything }, written)
    expect([...again.rejected.values()].map(e => e.message)).toEqual([])
    expect(again.rows[0]).toEqual(rows[0])
    expect(String(written[0])).toContain('"l":9223372036854775807,')
  })

  test.each([
    ['3.5 is no integer', { a: 'i64' }, '{"a":3.5}', 'D006'],
    ['text is no number', { a: 'i64' }, '{"a":"3"}', 'D006'],
    ['a number is no text', { a: 'utf8' }, '{"a":3}', 'D006'],
    ['beyond 32 bits', { a: 'i32' }, '{"a":2147483648}', 'D005'],
    ['beyond 64 bits', { a: 'i64' }, '{"a":9223372036854775808}', 'D005'],
    ['digits beyond the scale', { a: 'decimal(10, 2)' }, '{"a":1.234}', 'D005'],
    ['digits beyond the unit', { a: 'timestamp(ms)' }, '{"a":"2024-01-01T00:00:00.0001Z"}', 'D005'],
    ['a day that does not exist', { a: 'date' }, '{"a":"2023-02-29"}', 'D006'],
    ['an hour that does not exist', { a: 'timestamp(ms)' }, '{"a":"2024-01-01T24:00:00Z"}', 'D006'],
    ['half a tick', { a: 'timestamp(ms)' }, '{"a":1.5}', 'D006'],
    ['not base64', { a: 'bytes' }, '{"a":"a*"}', 'D006'],
    ['fixed of another size', { a: 'fixed(3)' }, '{"a":"AQI="}', 'D005'],
    ['no UUID', { a: 'uuid' }, '{"a":"0123"}', 'D006'],
    ['a lone surrogate', { a: 'utf8' }, '{"a":"\\ud800"}', 'D006'],
    ['absent', { a: 'i64' }, '{}', 'D004'],
    ['null', { a: 'i64' }, '{"a":null}', 'D008'],
    ['null in a list', { a: 'list<i64>' }, '{"a":[1,null]}', 'D008'],
    ['an unknown field', { a: 'i64?' }, '{"a":1,"b":2}', 'D013'],
    ['no object', { a: 'i64?' }, '[1]', 'D006'],
    ['not JSON', { a: 'i64?' }, '{"a":1,}', 'D001'],
    ['empty', { a: 'i64?' }, '', 'D001'],
    ['nested very deeply', { a: 'json?' }, `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`, 'D001'],
  ])('refused: %s', async (_, schema, record, code) => {
    expect(await rejectionOf(schema as unknown as Record<string, string>, record)).toMatch(new RegExp(`^${code}`))
  })

  test('bytes that are no UTF-8 are refused, not replaced', async () => {
    expect(await rejectionOf({ a: 'utf8' }, Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]))).toMatch(/^D001/)
  })

  test('a bad row leaves its neighbours alone', async () => {
    const { rows, rejected } = await decode({ schema: { a: 'utf8', l: 'list<i64>', b: 'i64' } }, [
      '{"a":"x","l":[1],"b":1}',
      '{"a":"y","l":[2,3.5],"b":2}',
      '{"a":"z","l":[4,5],"b":"no"}',
      '{"a":"w","l":[6],"b":3}',
    ])
    expect([...rejected.keys()]).toEqual([1, 2])
    expect(rows[0]).toEqual({ a: 'x', l: [1], b: 1 })
    expect(rows[3]).toEqual({ a: 'w', l: [6], b: 3 })
  })

  test('unknown fields can be ignored', async () => {
    const { rows, rejected } = await decode({ schema: { a: 'i64?' }, unknown_fields: 'ignore' }, ['{"a":1,"b":2}', '{"b":2}'])
    expect(rejected.size).toBe(0)
    expect(rows).toEqual([{ a: 1 }, { a: null }])
  })

  test('a field called __proto__ is a field', async () => {
    const { rows } = await decode({ schema: { __proto_: 'i64?', a: 'json?' } }, [
      '{"a":{"__proto__":1}}',
      '{"a":{"__proto__":1,"x":12345678901234567890}}',
    ])
    expect(rows.map(r => r.a)).toEqual(['{"__proto__":1}', '{"__proto__":1,"x":12345678901234567890}'])
  })

  test('an unknown type is refused on open', async () => {
    await expect(make({ schema: { a: 'integer' } }).open(never)).rejects.toMatchObject({ code: 'C016_SCHEMA' })
  })

  test('NaN cannot be written', async () => {
    const { format, schema, decoder } = await decode({ schema: { a: 'f64' } }, ['{"a":1}'])
    const column = decoder.columns[0]
    if (column.layout === 'f64') column.values[0] = Number.NaN
    expect((await format.encoder?.(schema, never))?.encode(decoder.columns, 0)).toMatchObject({ code: 'D005_OUT_OF_RANGE' })
  })
})

describe('inferred schema', () => {
  test('what the first records show, everything nullable', async () => {
    const { schema, rejected, rows } = await decode({}, [
      '{"b":true,"i":1,"f":70.0,"m":1,"s":"2024-01-01T00:00:00Z","n":{"a":1},"x":null,"w":1}',
      'not json',
      '{"b":null,"i":1e3,"f":2,"m":1.5,"s":"x","late":-9223372036854775808,"w":"one"}',
    ])
    expect(schema.fields.map(f => `${f.name}:${f.type.kind}${f.nullable ? '?' : ''}`)).toEqual([
      'b:bool?',
      'i:f64?',
      'f:f64?',
      'm:f64?',
      's:utf8?',
      'n:json?',
      'x:json?',
      'w:json?',
      'late:i64?',
    ])
    expect([...rejected.keys()]).toEqual([1])
    expect(rows[2]).toMatchObject({ i: 1000, f: 2, late: -9223372036854775808n, w: '"one"' })
  })

  test('no object at all', async () => {
    await expect(decode({}, ['1', 'x', null])).rejects.toMatchObject({ code: 'C016_SCHEMA' })
  })
})

test.each([
  ['{"a":1,}', 7],
  ['{"a" 1}', 5],
  ['[1 2]', 3],
  ['', 0],
  ['  x', 2],
  ['{"a":"b', 7],
  ['{"a":"\\q"}', 6],
  ['"a\nb"', 2],
  ['1 1', 2],
  ['[1}', 2],
  ['{"a":[1,{"b":tru}]}', 13],
  ['01', 1],
])('position of the error in %j', (text, at) => {
  expect(() => JSON.parse(text)).toThrow(SyntaxError)
  expect(errorPosition(text)).toBe(at)
})
