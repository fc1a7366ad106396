import { type Schema as AvscSchema, Type } from 'avsc'
import fc from 'fast-check'
import type { Column } from '../../../../../runtime/column'
import { AvroDecoder } from '../../../../../transforms/formats/avro/decoder'
import { AvroEncoder } from '../../../../../transforms/formats/avro/encode'
import { parseSchema } from '../../../../../transforms/formats/avro/parse'
import { RegistryClient } from '../../../../../transforms/formats/avro/registry'
import type { Json, Node } from '../../../../../transforms/formats/avro/schema'
import { toSchema } from '../../../../../transforms/formats/avro/types'
import { Writers } from '../../../../../transforms/formats/avro/writers'
import { longType } from '../../../../support/avsc'
import { blockOf, decodeBlocks, encodeRows, rowAt } from '../../../../support/formats'

const avsc = (schema: Json): Type => Type.forSchema(schema as AvscSchema, { registry: { long: longType }, wrapUnions: true })

/** A schema, its values for avsc, and how one of them reads in our columns. */
interface Kind {
  readonly schema: Json
  readonly value: fc.Arbitrary<unknown>
  readonly ours: (value: never) => unknown
}

const same = (v: unknown): unknown => v
const exact = (v: bigint): number | bigint => (Number.isSafeInteger(Number(v)) ? Number(v) : v)
let names = 0

const leaf: fc.Arbitrary<Kind> = fc.constantFrom<Kind[]>(
  { schema: 'boolean', value: fc.boolean(), ours: same },
  { schema: 'int', value: fc.oneof(fc.integer(), fc.integer({ min: -70, max: 70 })), ours: same },
  {
    schema: 'long',
    value: fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -70n, max: 70n })),
    ours: exact,
  },
  { schema: 'float', value: fc.float({ noNaN: true }), ours: same },
  { schema: 'double', value: fc.double({ noNaN: true }), ours: same },
  { schema: 'string', value: fc.oneof(fc.string({ unit: 'binary', maxLength: 90 }), fc.constant('x'.repeat(300))), ours: same },
  { schema: 'bytes', value: fc.uint8Array({ maxLength: 70 }).map(b => Buffer.from(b)), ours: same },
  // avsc's own long, which it takes here, is a number and wrong from 2^52 on (its zig-zag is done in doubles)
  { schema: { type: 'long', logicalType: 'timestamp-micros' }, value: fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), ours: same },
)

const kind: fc.Arbitrary<Kind> = fc.letrec<{ kind: Kind; nested: Kind }>(tie => ({
  kind: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, tie('nested')),
  nested: fc.oneof(
    fc.tuple(tie('kind'), fc.boolean()).map(([inner, first]) => nullable(inner, first)),
    tie('kind').map(
      (item): Kind => ({
        schema: { type: 'array', items: item.schema },
        value: fc.array(item.value, { maxLength: 4 }),
        ours: (v: unknown[]) => v.map(x => item.ours(x as never)),
      }),
    ),
    tie('kind').map(
      (item): Kind => ({
        schema: { type: 'map', values: item.schema },
        value: fc.dictionary(
          fc.string({ maxLength: 5 }).filter(k => k !== '__proto__'),
          item.value,
          { maxKeys: 3, noNullPrototype: true },
        ),
        ours: (v: object) => new Map(Object.entries(v).map(([k, x]) => [k, item.ours(x as never)])),
      }),
    ),
    fc.array(tie('kind'), { maxLength: 3 }).map(record),
    fc.integer({ min: 1, max: 20 }).map((size): Kind => {
      const value = fc.uint8Array({ minLength: size, maxLength: size }).map(b => Buffer.from(b))
      return { schema: { type: 'fixed', name: `F${names++}`, size }, value, ours: same }
    }),
    fc.constantFrom(1, 3, 70).map((n): Kind => {
      const symbols = Array.from({ length: n }, (_, i) => `S${i}`)
      return { schema: { type: 'enum', name: `E${names++}`, symbols }, value: fc.constantFrom(...symbols), ours: same }
    }),
  ),
})).kind

const branchOf = (schema: Json): string =>
  typeof schema === 'string' ? schema : String((schema as { name?: string }).name ?? (schema as { type: string }).type)

function nullable(inner: Kind, first: boolean): Kind {
  if (Array.isArray(inner.schema)) return inner
  const name = branchOf(inner.schema)
  return {
    schema: first ? ['null', inner.schema] : [inner.schema, 'null'],
    value: fc.option(inner.value.map(v => ({ [name]: v }))),
    ours: (v: Record<string, unknown> | null) => (v === null ? null : inner.ours(v[name] as never)),
  }
}

function record(kinds: readonly Kind[]): Kind {
  const fields = kinds.map((k, i) => ({ name: `f${i}`, type: k.schema }))
  return {
    schema: { type: 'record', name: `R${names++}`, fields },
    value: fc.tuple(...kinds.map(k => k.value)).map(vs => Object.fromEntries(vs.map((v, i) => [`f${i}`, v]))),
    ours: (v: Record<string, unknown>) => Object.fromEntries(kinds.map((k, i) => [`f${i}`, k.ours(v[`f${i}`] as never)])),
  }
}

const cases = fc
  .array(kind, { minLength: 1, maxLength: 4 })
  .map(record)
  .chain(top => fc.tuple(fc.constant(top), fc.array(top.value, { minLength: 1, maxLength: 12 })))

const HEADER = Buffer.from([0, 0, 0, 0, 7])
const withHeader = (body: Buffer): Buffer => Buffer.concat([HEADER, body])

/** Writer schemas without a registry behind them. */
class Known extends Writers {
  constructor(readonly node: Node) {
    super(new RegistryClient({ url: 'http://127.0.0.1:1' }, '.'))
  }
  override get(): { readonly node: Node } {
    return { node: this.node }
  }
}

const decoderFor = (writer: Node, reader: Node): AvroDecoder =>
  new AvroDecoder({ schema: toSchema(reader), reader, capacity: 0, writers: new Known(writer), onWriter: () => {} })

/** Offsets never fall and stay within what they point into, whatever was decoded. */
function checkColumn(column: Column): void {
  if (column.layout === 'struct') for (const child of column.children) expect(child.length).toBe(column.length)
  if (column.layout === 'struct') column.children.forEach(checkColumn)
  if (column.layout !== 'var' && column.layout !== 'list' && column.layout !== 'map') return
  for (let i = 0; i < column.length; i++) expect(column.offsets[i + 1]).toBeGreaterThanOrEqual(column.offsets[i])
  const end = column.offsets[column.length]
  if (column.layout === 'var') expect(column.data.length).toBeGreaterThanOrEqual(end)
  else expect(column.child.length).toBe(end)
  if (column.layout !== 'var') checkColumn(column.child)
}

const settings: fc.Parameters<unknown> = { seed: 20240229, numRuns: 300 }

test('what avsc writes, we read; what we write, avsc reads: equal bytes and values', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ([top, values]) => {
      const type = avsc(top.schema)
      const node = parseSchema(top.schema)
      const schema = toSchema(node)
      const decoder = decoderFor(node, node)
      const records = values.map(v => withHeader(type.toBuffer(v)))
      const half = Math.floor(records.length / 2)
      const rejected = await decodeBlocks(decoder, [blockOf(records.slice(0, half)), blockOf(records.slice(half))])
      expect([...rejected.values()]).toEqual([])
      expect(values.map((_, row) => rowAt(decoder, schema, row))).toEqual(values.map(v => top.ours(v as never)))
      const encoded = encodeRows(new AvroEncoder(node, schema, 7), decoder.columns, values.length)
      expect(encoded.map(b => b?.toString('hex'))).toEqual(records.map(r => r.toString('hex')))
    }),
    settings,
  )
})

test('a union of any types comes back through its JSON', async () => {
  const unions = fc
    .uniqueArray(
      kind.filter(k => !Array.isArray(k.schema)),
      { minLength: 2, maxLength: 4, selector: k => branchOf(k.schema) },
    )
    .filter(ks => ks.every(k => JSON.stringify(k.schema).includes('logicalType') === false))
    .map((ks): Kind => {
      const value = fc.oneof(fc.constant(null), ...ks.map(k => k.value.map(v => ({ [branchOf(k.schema)]: v }))))
      return { schema: ['null', ...ks.map(k => k.schema)], value, ours: same }
    })
    .map(u => record([u]))
    .chain(top => fc.tuple(fc.constant(top), fc.array(top.value, { minLength: 1, maxLength: 6 })))
  await fc.assert(
    fc.asyncProperty(unions, async ([top, values]) => {
      const type = avsc(top.schema)
      const node = parseSchema(top.schema)
      const decoder = decoderFor(node, node)
      const records = values.map(v => withHeader(type.toBuffer(v)))
      const rejected = await decodeBlocks(decoder, [blockOf(records)])
      expect([...rejected.values()]).toEqual([])
      expect(decoder.slow).toEqual({ 'avro union': values.length })
      const encoded = encodeRows(new AvroEncoder(node, toSchema(node), 7), decoder.columns, values.length)
      expect(encoded.map(b => b?.toString('hex'))).toEqual(records.map(r => r.toString('hex')))
    }),
    settings,
  )
})

test('damaged records are rejected or read, and never touch their neighbours', async () => {
  const damage = fc.record({
    at: fc.nat(),
    byte: fc.integer({ min: 0, max: 255 }),
    cut: fc.option(fc.nat()),
    extra: fc.uint8Array({ maxLength: 12 }),
  })
  await fc.assert(
    fc.asyncProperty(cases, fc.array(damage, { minLength: 1, maxLength: 8 }), async ([top, values], damages) => {
      const type = avsc(top.schema)
      const node = parseSchema(top.schema)
      const schema = toSchema(node)
      const good = values.map(v => withHeader(type.toBuffer(v)))
      // good and damaged records in turn
      const records = good.flatMap((record, i) => {
        const { at, byte, cut, extra } = damages[i % damages.length]
        const bad = Buffer.concat([record.subarray(0, cut === null ? undefined : 5 + (cut % record.length)), Buffer.from(extra)])
        if (bad.length > 5) bad[5 + (at % (bad.length - 5))] = byte
        return [record, bad]
      })
      const decoder = decoderFor(node, node)
      const rejected = await decodeBlocks(decoder, [blockOf(records)])
      for (const row of rejected.keys()) expect(row % 2).toBe(1)
      good.forEach((_, i) => {
        expect(rowAt(decoder, schema, 2 * i)).toEqual(top.ours(values[i] as never))
      })
      for (const column of decoder.columns) {
        expect(column.length).toBe(records.length)
        checkColumn(column)
      }
      // skipping comes to the same verdict on where a record ends, except for what only reading sees: contents, and block sizes
      const skipper = decoderFor(node, parseSchema({ type: 'record', name: 'Top', fields: [] }))
      for (const row of (await decodeBlocks(skipper, [blockOf(records)])).keys()) expect(row % 2).toBe(1)
    }),
    settings,
  )
})
