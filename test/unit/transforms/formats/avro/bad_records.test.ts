import { avroFormats, LONG, long, rec } from '../../../../support/avro'
import { blockOf, decodeBlocks, never, testRegistry } from '../../../../support/formats'
import { wire } from '../../../../support/wire'

const registry = testRegistry()
const { make, decode } = avroFormats(registry)

describe('records that cannot be read', () => {
  test('each with its reason, the others arrive; a tombstone is neither', async () => {
    const id = registry.add(LONG)
    const odd = registry.add(rec({ name: 'a', type: 'string' }))
    const { rows, codes } = await decode(LONG, [
      wire(id, long(1)),
      Buffer.from([0, 0, 0]),
      Buffer.alloc(0),
      wire(99_999, long(2)),
      Buffer.from([1, 0, 0, 0, id, 2]),
      null,
      wire(odd, Buffer.from([2, 65])),
      wire(id, Buffer.from([2, 2])),
      wire(id, Buffer.alloc(0)),
      wire(id, Buffer.alloc(11, 0xff)),
      wire(-1, long(3)),
      wire(id, long(4)),
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
      const good = wire(id, Buffer.from(items === 'long' ? [2, 6, 0] : [2, 0]))
      const { rows, codes } = await decode(schema, [good, wire(id, Buffer.from(bytes)), good])
      // [2, 2] is a complete array only where elements have no bytes: two blocks of one, then nothing
      expect(codes).toEqual(['1 D001'])
      expect([rows[0], rows[2]]).toEqual(Array(2).fill({ xs: [items === 'long' ? 3 : null] }))
    }
  })

  test('an integer of more than 64 bits is refused, the largest of 64 is read', async () => {
    const id = registry.add(LONG)
    const tenth = (byte: number): Buffer => wire(id, Buffer.from([...Array(9).fill(0xff), byte]))
    const { codes, rows } = await decode(LONG, [tenth(1), tenth(2), tenth(0x7f)])
    expect(codes).toEqual(['1 D001', '2 D001'])
    expect(rows[0]).toEqual({ a: -(2n ** 63n) })
  })

  test('a block with a true size is read', async () => {
    const schema = rec({ name: 'xs', type: { type: 'array', items: 'long' } })
    const { rows, codes } = await decode(schema, [wire(registry.add(schema), Buffer.from([0x03, 0x04, 2, 4, 0x02, 6, 0]))])
    expect(codes).toEqual([])
    expect(rows).toEqual([{ xs: [1, 2, 3] }])
  })

  test('recursion without end is refused', async () => {
    const node = { type: 'record', name: 'N', fields: [{ name: 'next', type: ['null', 'N'] }] }
    const schema = rec({ name: 'n', type: node })
    const id = registry.add(schema)
    const deep = Buffer.concat([Buffer.alloc(100_000, 2), Buffer.from([0])])
    for (const reader of [schema, rec()]) {
      expect((await decode(reader, [wire(id, deep), wire(id, Buffer.from([2, 0]))])).codes).toEqual(['0 D001'])
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
      wire(id, Buffer.from([0, 2, 2, 0, 2, 2, 99])),
      wire(id, Buffer.from([2, 2, 2, 0, 2, 2, 1])),
      wire(id, Buffer.from([0, 0, 0, 2, 2, 1])),
      wire(id, Buffer.from([0, 2, 2, 2, 0, 2, 1])),
      wire(id, Buffer.from([0, 2, 2, 0, 2, 2, 100])),
      wire(id, Buffer.from([4, 2, 2, 0, 2, 2, 1])),
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
    const { rejected } = await decode(rec({ name: 'a', type: reader }), [wire(id, long(0))])
    expect(rejected.get(0)).toMatchObject({ code: 'D003_INCOMPATIBLE_SCHEMA', message: expect.stringContaining('"a"') })
  })

  test('a field without a value and without a default', async () => {
    const { codes } = await decode(rec({ name: 'b', type: ['null', 'long'] }), [wire(registry.add(LONG), long(1))])
    expect(codes).toEqual(['0 D003'])
  })

  test('a string that is not UTF-8 keeps its bytes', async () => {
    const schema = rec({ name: 's', type: 'string' }, { name: 'b', type: 'bytes' })
    const format = make({ reader_schema: schema })
    const decoder = format.decoder((await format.open(never))!, 0)
    await decodeBlocks(decoder, [blockOf([wire(registry.add(schema), Buffer.from([4, 0xff, 0x61, 2, 1]))])])
    const [column] = decoder.columns
    expect(column.layout === 'var' && column.bytes(0)).toEqual(Buffer.from([0xff, 0x61]))
  })
})
