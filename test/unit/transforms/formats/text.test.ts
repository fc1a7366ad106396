import { fieldIndex } from '../../../../runtime/schema'
import { bytes } from '../../../../transforms/formats/bytes'
import { string } from '../../../../transforms/formats/string'
import { batchOf, schemaOf } from '../../../support/batches'
import { blockOf, decodeBlocks, formatContext, never, rowAt } from '../../../support/formats'

const text = string.create(string.config.parse({}), formatContext())
const raw = bytes.create(bytes.config.parse({}), formatContext())

test('text in UTF-8 is kept, what is not is rejected alone', async () => {
  const schema = (await text.open(never))!
  const decoder = text.decoder(schema, 0)
  // the second and third are halves of one character: good side by side, bad each
  const records = ['a', Buffer.from([0xc3]), Buffer.from([0xa9]), '', null, 'é\u0000😀'].map(r =>
    typeof r === 'string' ? Buffer.from(r) : r,
  )
  const rejected = await decodeBlocks(decoder, [blockOf(records)])
  expect([...rejected].map(([row, e]) => [row, e.code])).toEqual([
    [1, 'D001_MALFORMED'],
    [2, 'D001_MALFORMED'],
  ])
  expect([0, 3, 4, 5].map(i => rowAt(decoder, schema, i).value)).toEqual(['a', '', '', 'é\u0000😀'])
})

test('text writes utf8, json and dictionary columns; null is a tombstone', async () => {
  const schema = schemaOf({ s: 'utf8?', d: 'dictionary', j: 'json?', n: 'i64' })
  const { columns } = batchOf(schema, [
    { s: 'é', d: 'red', j: '{}', n: 1 },
    { d: 'blue', n: 2 },
  ])
  const written = async (field: string) => {
    const encoder = await string.create(string.config.parse({ field }), formatContext()).encoder!(schema, never)
    return [0, 1].map(row => encoder.encode(columns, row)?.toString())
  }
  expect(await written('s')).toEqual(['é', undefined])
  expect(await written('d')).toEqual(['red', 'blue'])
  expect(await written('j')).toEqual(['{}', undefined])
  await expect(written('n')).rejects.toMatchObject({ code: 'C016_SCHEMA' })
  await expect(written('nope')).rejects.toMatchObject({ code: 'C015_UNKNOWN_COLUMN' })
  await expect(text.encoder!(schema, never)).rejects.toMatchObject({ code: 'C016_SCHEMA' })
})

test('bytes come back as they are, keys too', async () => {
  const schema = (await raw.open(never))!
  const decoder = raw.decoder(schema, 0)
  const records = [Buffer.from([0, 255, 195]), null, Buffer.alloc(0), Buffer.alloc(200, 7)]
  expect((await decodeBlocks(decoder, [blockOf(records, 'key')], 'key')).size).toBe(0)
  expect(records.map((_, i) => rowAt(decoder, schema, i).value)).toEqual([
    records[0],
    Buffer.alloc(0),
    Buffer.alloc(0),
    records[3],
  ])
  const encoder = await raw.encoder!(schema, never)
  expect(encoder.encode(decoder.columns, 0)).toEqual(records[0])
})

test('bytes writes fixed and uuid columns', async () => {
  const schema = schemaOf({ u: 'uuid', f: 'fixed(2)?', n: 'f64' })
  const { columns } = batchOf(schema, [{ u: '01234567-89ab-cdef-0123-456789abcdef', n: 1 }])
  for (const [field, expected] of [
    ['u', Buffer.from('0123456789abcdef0123456789abcdef', 'hex')],
    ['f', null],
  ] as const) {
    const encoder = await bytes.create(bytes.config.parse({ field }), formatContext()).encoder!(schema, never)
    expect(encoder.encode(columns, 0)).toEqual(expected)
    expect(fieldIndex(schema, field)).toBeGreaterThanOrEqual(0)
  }
  await expect(bytes.create({ field: 'n' }, formatContext()).encoder!(schema, never)).rejects.toMatchObject({
    code: 'C016_SCHEMA',
  })
})
