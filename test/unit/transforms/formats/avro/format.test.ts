import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Type } from 'avsc'
import type { EventName } from '../../../../../runtime/events'
import { typeName } from '../../../../../runtime/schema'
import { parseSchema } from '../../../../../transforms/formats/avro/parse'
import type { Json } from '../../../../../transforms/formats/avro/schema'
import { schemaText } from '../../../../../transforms/formats/avro/serialize'
import { fromSchema, toSchema } from '../../../../../transforms/formats/avro/types'
import { avroFormats, LONG, long, rec } from '../../../../support/avro'
import { blockOf, decodeBlocks, encodeRows, never, rowAt, startRegistry, testRegistry } from '../../../../support/formats'
import { wire } from '../../../../support/wire'

const registry = testRegistry()

const { make, decode } = avroFormats(registry)

describe('the reader schema', () => {
  test('configured, latest of the subject, or that of the first record', async () => {
    registry.add(LONG, 'has-schema-value')
    const named = await make({}, { topics: ['has-schema'] }).open(never)
    expect(named).toMatchObject({ name: 'R', fields: [{ name: 'a', type: { kind: 'i64' } }] })
    const format = make({}, { topics: ['has-none'] })
    expect(await format.open(never)).toBeNull()
    const id = registry.add(rec({ name: 'z', type: 'string' }))
    const block = blockOf([null, Buffer.from([7]), wire(88_888, long(1)), wire(id, Buffer.from([2, 65]))])
    const schema = await format.infer(block, 'value', never)
    expect(schema.fields.map(f => f.name)).toEqual(['z'])
    await expect(make({}).infer(blockOf([null, Buffer.from([7])]), 'value', never)).rejects.toMatchObject({ code: 'C016_SCHEMA' })
  })

  test('keys have a subject of their own', async () => {
    registry.add('long', 'keyed-key')
    const schema = await make({}, { topics: ['keyed'], part: 'key' }).open(never)
    expect(schema?.fields).toEqual([{ name: 'value', type: { kind: 'i64' }, nullable: false }])
    expect((await decode({ type: 'long' }, [wire(registry.add('long'), long(5))], { part: 'key' })).rows).toEqual([{ value: 5 }])
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
      expect((await decodeBlocks(decoder, [blockOf([wire(newer, Buffer.from([2, 2, 65]))])])).size).toBe(0)
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
      wire(registry.add(rec({ name: 'a', type: ['null', 'long'] })), Buffer.from([2, 6])),
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
    await decodeBlocks(decoder, [blockOf([wire(id, Buffer.from([0]))])])
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
    await expect(decodeBlocks(format.decoder(schema, 0), [blockOf([wire(id, long(1))])])).rejects.toMatchObject({
      code: 'E001_UNREACHABLE',
      retriable: true,
    })
    await own.resume()
    const decoder = format.decoder(schema, 0)
    expect((await decodeBlocks(decoder, [blockOf([wire(id, long(1))])])).size).toBe(0)
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
    const { codes, rows } = await decode(reader, [wire(1, long(5)), wire(2, long(6)), wire(3, long(7))], {
      registry: { url },
    })
    expect(codes).toEqual(['1 D003', '2 D003'])
    expect(rows[0]).toEqual({ i: { q: 5 } })
  })

  test('none configured', async () => {
    await expect(make({}, { registry: null }).open(never)).rejects.toMatchObject({ code: 'E002_CONNECTION_MISSING' })
  })
})
