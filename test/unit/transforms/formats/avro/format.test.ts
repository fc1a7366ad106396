import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Type } from 'avsc'
import type { EventName } from '../../../../../runtime/events'
import type { FormatContext } from '../../../../../runtime/plugin'
import { typeName } from '../../../../../runtime/schema'
import { avro } from '../../../../../transforms/formats/avro'
import { parseSchema } from '../../../../../transforms/formats/avro/parse'
import type { Json } from '../../../../../transforms/formats/avro/schema'
import { schemaText } from '../../../../../transforms/formats/avro/serialize'
import { fromSchema, toSchema } from '../../../../../transforms/formats/avro/types'
import {
  blockOf,
  decodeBlocks,
  encodeRows,
  formatContext,
  never,
  rowAt,
  startRegistry,
  type TestRegistry,
} from '../../../../support/formats'

let registry: TestRegistry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry.stop())

const rec = (...fields: readonly object[]): Json => ({ type: 'record', name: 'R', fields }) as unknown as Json
const make = (config: unknown, over: Partial<FormatContext> = {}) =>
  avro.create(avro.config.parse(config), formatContext({ registry: { url: registry.url }, ...over }))

function message(id: number, body: Buffer): Buffer {
  const header = Buffer.alloc(5)
  header.writeInt32BE(id, 1)
  return Buffer.concat([header, body])
}

async function decode(reader: Json, records: readonly (Buffer | null)[], over: Partial<FormatContext> = {}) {
  const format = make({ reader_schema: reader }, over)
  const schema = await format.open(never)
  if (!schema) throw new Error('no schema')
  const decoder = format.decoder(schema, 0)
  const part = over.part ?? 'value'
  const rejected = await decodeBlocks(decoder, [blockOf(records, part)], part)
  for (const c of decoder.columns) expect(c.length).toBe(records.length)
  await format.close()
  return {
    rows: records.map((_, i) => rowAt(decoder, schema, i)),
    codes: [...rejected].map(([row, e]) => `${row} ${e.code.slice(0, 4)}`),
    rejected,
  }
}

const LONG = rec({ name: 'a', type: 'long' })
const long = (n: number): Buffer => Buffer.from([2 * n])

describe('records that cannot be read', () => {
  test('each with its reason, the others arrive; a tombstone is neither', async () => {
    const id = registry.add(LONG)
    const odd = registry.add(rec({ name: 'a', type: 'string' }))
    const { rows, codes } = await decode(LONG, [
      message(id, long(1)),
      Buffer.from([0, 0, 0]),
      Buffer.alloc(0),
      message(99_999, long(2)),
      Buffer.from([1, 0, 0, 0, id, 2]),
      null,
      message(odd, Buffer.from([2, 65])),
      message(id, Buffer.from([2, 2])),
      message(id, Buffer.alloc(0)),
      message(id, Buffer.alloc(11, 0xff)),
      message(-1, long(3)),
      message(id, long(4)),
    ])
    expect(codes).toEqual(['1 D001', '2 D001', '3 D002', '4 D001', '6 D003', '7 D001', '8 D001', '9 D001', '10 D002'])
    expect([rows[0], rows[11]]).toEqual([{ a: 1 }, { a: 4 }])
  })

  test('blocks of bad records and tombstones alone still give a row each', async () => {
    const { codes } = await decode(
      rec({ name: 'a', type: { type: 'array', items: 'string' } }, { name: 's', type: ['null', 'string'] }),
      [null, Buffer.from([9]), null],
    )
    expect(codes).toEqual(['1 D001'])
  })

  test.each([
    ['a count far beyond the bytes', [0xfe, 0xff, 0xff, 0xff, 0x0f]],
    ['a count of 2^62', [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['the most negative count', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00]],
    ['a negative size', [0x01, 0x01, 0x02, 0x00]],
    ['a size beyond the record', [0x01, 0x7e, 0x02, 0x00]],
    ['a size that is not true', [0x01, 0x04, 0x02, 0x00]],
    ['no end', [0x02, 0x02]],
    ['an endless count', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ])('a hostile array: %s', async (_, bytes) => {
    for (const items of ['long', 'null'] as const) {
      const schema = rec({ name: 'xs', type: { type: 'array', items } })
      const id = registry.add(schema)
      const good = message(id, Buffer.from(items === 'long' ? [2, 6, 0] : [2, 0]))
      const { rows, codes } = await decode(schema, [good, message(id, Buffer.from(bytes)), good])
      // [2, 2] is a complete array only where elements have no bytes: two blocks of one, then nothing
      expect(codes).toEqual(['1 D001'])
      expect([rows[0], rows[2]]).toEqual(Array(2).fill({ xs: [items === 'long' ? 3 : null] }))
    }
  })

  test('an integer of more than 64 bits is refused, the largest of 64 is read', async () => {
    const id = registry.add(LONG)
    const tenth = (byte: number): Buffer => message(id, Buffer.from([...Array(9).fill(0xff), byte]))
    const { codes, rows } = await decode(LONG, [tenth(1), tenth(2), tenth(0x7f)])
    expect(codes).toEqual(['1 D001', '2 D001'])
    expect(rows[0]).toEqual({ a: -(2n ** 63n) })
  })

  test('a block with a true size is read', async () => {
    const schema = rec({ name: 'xs', type: { type: 'array', items: 'long' } })
    const { rows, codes } = await decode(schema, [message(registry.add(schema), Buffer.from([0x03, 0x04, 2, 4, 0x02, 6, 0]))])
    expect(codes).toEqual([])
    expect(rows).toEqual([{ xs: [1, 2, 3] }])
  })

  test('recursion without end is refused', async () => {
    const node = { type: 'record', name: 'N', fields: [{ name: 'next', type: ['null', 'N'] }] }
    const schema = rec({ name: 'n', type: node })
    const id = registry.add(schema)
    const deep = Buffer.concat([Buffer.alloc(100_000, 2), Buffer.from([0])])
    for (const reader of [schema, rec()]) {
      expect((await decode(reader, [message(id, deep), message(id, Buffer.from([2, 0]))])).codes).toEqual(['0 D001'])
    }
  })

  test('values the reader cannot take', async () => {
    const E = (symbols: string[]) => ({ type: 'enum', name: 'E', symbols })
    const writer = rec(
      { name: 'e', type: E(['A', 'B']) },
      { name: 'n', type: ['null', 'long'] },
      { name: 'u', type: ['long', 'string'] },
      { name: 'd', type: { type: 'bytes', logicalType: 'decimal', precision: 9 } },
    )
    const reader = rec(
      { name: 'e', type: E(['A']) },
      { name: 'n', type: 'long' },
      { name: 'u', type: 'long' },
      { name: 'd', type: { type: 'bytes', logicalType: 'decimal', precision: 2 } },
    )
    const id = registry.add(writer)
    const { codes, rows } = await decode(reader, [
      message(id, Buffer.from([0, 2, 2, 0, 2, 2, 99])),
      message(id, Buffer.from([2, 2, 2, 0, 2, 2, 1])),
      message(id, Buffer.from([0, 0, 0, 2, 2, 1])),
      message(id, Buffer.from([0, 2, 2, 2, 0, 2, 1])),
      message(id, Buffer.from([0, 2, 2, 0, 2, 2, 100])),
      message(id, Buffer.from([4, 2, 2, 0, 2, 2, 1])),
    ])
    expect(codes).toEqual(['1 D003', '2 D008', '3 D003', '4 D005', '5 D001'])
    expect(rows[0]).toEqual({ e: 'A', n: 1, u: 1, d: '99' })
  })

  test.each([
    [
      'milliseconds as microseconds',
      { type: 'long', logicalType: 'timestamp-millis' },
      { type: 'long', logicalType: 'timestamp-micros' },
    ],
    [
      'another scale',
      { type: 'bytes', logicalType: 'decimal', precision: 4, scale: 1 },
      { type: 'bytes', logicalType: 'decimal', precision: 4, scale: 2 },
    ],
    ['long as int', 'long', 'int'],
    ['fixed of another size', { type: 'fixed', name: 'F', size: 2 }, { type: 'fixed', name: 'F', size: 3 }],
    ['array as map', { type: 'array', items: 'int' }, { type: 'map', values: 'int' }],
    ['null as string', 'null', 'string'],
  ])('schemas that do not resolve: %s', async (_, writer, reader) => {
    const id = registry.add(rec({ name: 'a', type: writer }))
    const { rejected } = await decode(rec({ name: 'a', type: reader }), [message(id, long(0))])
    expect(rejected.get(0)).toMatchObject({ code: 'D003_INCOMPATIBLE_SCHEMA', message: expect.stringContaining('"a"') })
  })

  test('a field without a value and without a default', async () => {
    const { codes } = await decode(rec({ name: 'b', type: ['null', 'long'] }), [message(registry.add(LONG), long(1))])
    expect(codes).toEqual(['0 D003'])
  })

  test('a string that is not UTF-8 keeps its bytes', async () => {
    const schema = rec({ name: 's', type: 'string' }, { name: 'b', type: 'bytes' })
    const format = make({ reader_schema: schema })
    const decoder = format.decoder((await format.open(never))!, 0)
    await decodeBlocks(decoder, [blockOf([message(registry.add(schema), Buffer.from([4, 0xff, 0x61, 2, 1]))])])
    const [column] = decoder.columns
    expect(column.layout === 'var' && column.bytes(0)).toEqual(Buffer.from([0xff, 0x61]))
  })
})

describe('the reader schema', () => {
  test('configured, latest of the subject, or that of the first record', async () => {
    registry.add(LONG, 'has-schema-value')
    const named = await make({}, { topics: ['has-schema'] }).open(never)
    expect(named).toMatchObject({ name: 'R', fields: [{ name: 'a', type: { kind: 'i64' } }] })
    const format = make({}, { topics: ['has-none'] })
    expect(await format.open(never)).toBeNull()
    const id = registry.add(rec({ name: 'z', type: 'string' }))
    const block = blockOf([null, Buffer.from([7]), message(88_888, long(1)), message(id, Buffer.from([2, 65]))])
    const schema = await format.infer(block, 'value', never)
    expect(schema.fields.map(f => f.name)).toEqual(['z'])
    await expect(make({}).infer(blockOf([null, Buffer.from([7])]), 'value', never)).rejects.toMatchObject({ code: 'C016_SCHEMA' })
  })

  test('keys have a subject of their own', async () => {
    registry.add('long', 'keyed-key')
    const schema = await make({}, { topics: ['keyed'], part: 'key' }).open(never)
    expect(schema?.fields).toEqual([{ name: 'value', type: { kind: 'i64' }, nullable: false }])
    expect((await decode({ type: 'long' }, [message(registry.add('long'), long(5))], { part: 'key' })).rows).toEqual([
      { value: 5 },
    ])
  })

  test('topics whose subjects differ', async () => {
    registry.add(LONG, 'differ1-value')
    registry.add(rec({ name: 'b', type: 'long' }), 'differ2-value')
    await expect(make({}, { topics: ['differ1', 'differ2', 'differ3'] }).open(never)).rejects.toMatchObject({
      code: 'C016_SCHEMA',
      message: expect.stringMatching(/differ1-value and differ2-value/),
    })
  })

  test('another writer schema is told once', async () => {
    const told: [EventName, unknown][] = []
    const newer = registry.add(rec({ name: 'a', type: 'long' }, { name: 'b', type: 'string' }))
    const format = make({ reader_schema: LONG }, { flow: 'f', events: { emit: (name, data) => void told.push([name, data]) } })
    const schema = (await format.open(never))!
    for (let i = 0; i < 3; i++) {
      const decoder = format.decoder(schema, 0)
      expect((await decodeBlocks(decoder, [blockOf([message(newer, Buffer.from([2, 2, 65]))])])).size).toBe(0)
    }
    expect(told).toEqual([
      [
        'schema_evolved',
        expect.objectContaining({ flow: 'f', subject: 't-value', detail: expect.stringContaining(String(newer)) }),
      ],
    ])
  })
})

describe('schemas', () => {
  test('invalid logical types are ignored', () => {
    const types = [
      { type: 'string', logicalType: 'date' },
      { type: 'bytes', logicalType: 'decimal', precision: 0 },
      { type: 'bytes', logicalType: 'decimal', precision: 39 },
      { type: 'bytes', logicalType: 'decimal', precision: 3, scale: 4 },
      { type: 'fixed', name: 'A', size: 2, logicalType: 'decimal', precision: 5 },
      { type: 'fixed', name: 'B', size: 15, logicalType: 'uuid' },
      { type: 'int', logicalType: 'of-tomorrow' },
    ]
    const schema = toSchema(parseSchema(rec(...types.map((type, i) => ({ name: `f${i}`, type })))))
    expect(schema.fields.map(f => typeName(f.type))).toEqual(['utf8', 'bytes', 'bytes', 'bytes', 'fixed(2)', 'fixed(15)', 'i32'])
  })

  test.each([
    ['unknown type', rec({ name: 'a', type: 'strnig' }), /\/a: unknown type "strnig"/],
    ['a name twice', rec({ name: 'a', type: 'int' }, { name: 'a', type: 'int' }), /stands twice/],
    ['a type twice', rec({ name: 'a', type: { type: 'fixed', name: 'R', size: 1 } }), /defined twice/],
    ['union in union', rec({ name: 'a', type: ['null', ['int']] }), /directly inside/],
    ['union of equals', rec({ name: 'a', type: ['int', 'int'] }), /twice/],
    ['no items', rec({ name: 'a', type: { type: 'array' } }), /items/],
    ['a bad name', rec({ name: 'a', type: { type: 'enum', name: '1', symbols: ['A'] } }), /not a name/],
    [
      'too deep',
      rec({ name: 'a', type: JSON.parse(`${'{"type":"array","items":'.repeat(200)}"int"${'}'.repeat(200)}`) }),
      /deeper/,
    ],
  ])('refused: %s', (_, schema, why) => {
    expect(() => parseSchema(schema as Json)).toThrow(why)
  })

  test('columns give a schema that gives the same columns', () => {
    const inner = { type: 'record', name: 'x.Inner', fields: [{ name: 'q', type: ['null', 'string'], default: null }] }
    const schema = toSchema(
      parseSchema(
        rec(
          { name: 'a', type: ['null', { type: 'array', items: inner }] },
          { name: 'b', type: 'x.Inner' },
          { name: 'c', type: ['null', 'int', { type: 'map', values: 'x.Inner' }] },
          { name: 'd', type: { type: 'enum', name: 'Q', symbols: ['A'] } },
          { name: 'e', type: { type: 'bytes', logicalType: 'decimal', precision: 38, scale: 38 } },
          { name: 'f', type: { type: 'fixed', name: 'F', size: 4 } },
          { name: 'g', type: { type: 'long', logicalType: 'local-timestamp-nanos' } },
          { name: 'h', type: { type: 'string', logicalType: 'uuid' } },
        ),
      ),
    )
    const text = schemaText(fromSchema(schema, 'unused'))
    expect(toSchema(parseSchema(JSON.parse(text)))).toEqual(schema)
    expect(schemaText(fromSchema(schema, 'unused'))).toBe(text)
    // another implementation takes it too
    expect(() => Type.forSchema(JSON.parse(text))).not.toThrow()
  })
})

describe('writing', () => {
  const columns = { fields: [{ name: 'a', type: { kind: 'i64' as const }, nullable: true }] }

  test('registers under the topic, once, and the bytes are readable', async () => {
    const format = make({}, { topics: ['web.clicks-v2'] })
    const encoder = await format.encoder!(columns, never)
    const again = await format.encoder!(columns, never)
    const reading = make({}, { topics: ['web.clicks-v2'] })
    const schema = (await reading.open(never))!
    expect(schema).toMatchObject({ name: 'web_clicks_v2', fields: columns.fields })
    const decoder = reading.decoder(schema, 0)
    const source = await decode(rec({ name: 'a', type: ['null', 'long'] }), [
      message(registry.add(rec({ name: 'a', type: ['null', 'long'] })), Buffer.from([2, 6])),
    ])
    expect(source.rows).toEqual([{ a: 3 }])
    decoder.columns[0].reserve(2)
    const column = decoder.columns[0]
    if (column.layout !== 'i64') throw new Error('no i64')
    column.setBigint(0, -(2n ** 63n))
    column.nulls![1] = 1
    column.length = 2
    const written = encodeRows(encoder, decoder.columns, 2)
    expect(written).toEqual(encodeRows(again, decoder.columns, 2))
    const back = reading.decoder(schema, 0)
    expect((await decodeBlocks(back, [blockOf(written)])).size).toBe(0)
    expect([0, 1].map(i => rowAt(back, schema, i))).toEqual([{ a: -(2n ** 63n) }, { a: null }])
  })

  test('null into a field without null is the row’s error', async () => {
    const encoder = await make({ schema: LONG }, { topics: ['strict'] }).encoder!(columns, never)
    const reading = make({ reader_schema: rec({ name: 'a', type: ['null', 'long'] }) })
    const decoder = reading.decoder((await reading.open(never))!, 1)
    const id = registry.add(rec({ name: 'a', type: ['null', 'long'] }))
    await decodeBlocks(decoder, [blockOf([message(id, Buffer.from([0]))])])
    expect(encoder.encode(decoder.columns, 0)).toMatchObject({ code: 'D008_NULL' })
  })

  test.each([
    ['a column the schema does not have', rec({ name: 'b', type: 'long', default: 1 })],
    ['a field without column or default', rec({ name: 'a', type: ['null', 'long'] }, { name: 'b', type: 'long' })],
    ['a type that does not go together', rec({ name: 'a', type: 'string' })],
  ])('refused before it is registered: %s', async (name, schema) => {
    const topic = name.replaceAll(' ', '_')
    await expect(make({ schema }, { topics: [topic] }).encoder!(columns, never)).rejects.toMatchObject({ code: 'C016_SCHEMA' })
    expect(await make({}, { topics: [topic] }).open(never)).toBeNull()
  })

  test('auto_register: false wants it registered', async () => {
    const encoder = make({ schema: LONG, auto_register: false }, { topics: ['manual'] }).encoder!
    const format = make({ schema: LONG, auto_register: false }, { topics: ['manual'] })
    expect(encoder).toBeDefined()
    await expect(
      format.encoder!({ fields: [{ name: 'a', type: { kind: 'i64' }, nullable: false }] }, never),
    ).rejects.toMatchObject({ code: 'K008_REGISTRY' })
    registry.add(LONG, 'manual-value')
    await expect(
      format.encoder!({ fields: [{ name: 'a', type: { kind: 'i64' }, nullable: false }] }, never),
    ).resolves.toBeDefined()
  })
})

describe('a registry in trouble', () => {
  let server: Server | undefined
  afterEach(() => new Promise<void>(done => (server ? server.close(() => done()) : done())))

  const answering = async (status: number, body: object, seen: (string | undefined)[] = []): Promise<string> => {
    server = createServer((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(status, { connection: 'close' }).end(JSON.stringify(body))
    })
    await new Promise<void>(done => server?.listen(0, '127.0.0.1', done))
    return `http://127.0.0.1:${(server!.address() as AddressInfo).port}`
  }

  test.each([
    [401, 'E003_AUTHENTICATION', false],
    [403, 'E007_AUTHORIZATION', false],
    [500, 'E001_UNREACHABLE', true],
    [429, 'E001_UNREACHABLE', true],
    [418, 'K008_REGISTRY', false],
  ])('answer %d is %s, and no secret is shown', async (status, code, retriable) => {
    const seen: (string | undefined)[] = []
    const url = (await answering(status, { error_code: status, message: 'no' }, seen)).replace('//', '//bob:geheim@')
    const failed = await make({}, { registry: { url } })
      .open(never)
      .catch((e: unknown) => e)
    expect(failed).toMatchObject({ code, retriable })
    expect(seen).toEqual([`Basic ${Buffer.from('bob:geheim').toString('base64')}`])
    expect(JSON.stringify(failed) + String(failed)).not.toMatch(/geheim|bob/)
  })

  test('away, then back: decoding throws retriable and works again', async () => {
    const own = await startRegistry()
    const id = own.add(LONG)
    const format = make({ reader_schema: LONG }, { registry: { url: own.url } })
    const schema = (await format.open(never))!
    await own.pause()
    await expect(decodeBlocks(format.decoder(schema, 0), [blockOf([message(id, long(1))])])).rejects.toMatchObject({
      code: 'E001_UNREACHABLE',
      retriable: true,
    })
    await own.resume()
    const decoder = format.decoder(schema, 0)
    expect((await decodeBlocks(decoder, [blockOf([message(id, long(1))])])).size).toBe(0)
    expect(rowAt(decoder, schema, 0)).toEqual({ a: 1 })
    await format.close()
    await own.stop()
  })

  test('a schema that references another is read with it, and refused where that is missing', async () => {
    const inner = { type: 'record', name: 'x.Inner', fields: [{ name: 'q', type: 'long' }] }
    const outer = rec({ name: 'i', type: 'x.Inner' })
    const schemas: Record<string, object> = {
      '/schemas/ids/1': { schema: JSON.stringify(outer), references: [{ name: 'x.Inner', subject: 'inner', version: 3 }] },
      '/schemas/ids/2': { schema: JSON.stringify(outer), references: [{ name: 'x.Inner', subject: 'gone', version: 1 }] },
      '/schemas/ids/3': { schema: 'syntax = "proto3";', schemaType: 'PROTOBUF' },
      '/subjects/inner/versions/3': { id: 9, schema: JSON.stringify(inner) },
    }
    server = createServer((request, response) => {
      const found = schemas[request.url ?? '']
      response
        .writeHead(found ? 200 : 404, { connection: 'close' })
        .end(JSON.stringify(found ?? { error_code: 40403, message: 'no' }))
    })
    await new Promise<void>(done => server?.listen(0, '127.0.0.1', done))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const reader = rec({ name: 'i', type: inner })
    const { codes, rows } = await decode(reader, [message(1, long(5)), message(2, long(6)), message(3, long(7))], {
      registry: { url },
    })
    expect(codes).toEqual(['1 D003', '2 D003'])
    expect(rows[0]).toEqual({ i: { q: 5 } })
  })

  test('none configured', async () => {
    await expect(make({}, { registry: null }).open(never)).rejects.toMatchObject({ code: 'E002_CONNECTION_MISSING' })
  })
})
