import { readFileSync } from 'node:fs'
import path from 'node:path'
import { schemaText } from '../../../transforms/formats/avro/serialize'
import { parseSchema } from '../../../transforms/formats/avro/parse'
import { avro } from '../../../transforms/formats/avro'
import { blockOf, decodeBlocks, encodeRows, formatContext, never, rowAt, testRegistry } from '../../support/formats'
import { wire } from '../../support/wire'

interface Case {
  readonly name: string
  readonly schema: never
  readonly reader?: never
  readonly rows: readonly { readonly hex: string; readonly value: Record<string, unknown> }[]
}

const golden = JSON.parse(readFileSync(path.join(__dirname, 'fastavro.json'), 'utf8')) as { readonly cases: readonly Case[] }

/** Our cell values in the notation of the golden file. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return { $int: String(value) }
  if (typeof value === 'number') return Number.isFinite(value) ? value : { $float: String(value) }
  if (value instanceof Uint8Array) return { $hex: Buffer.from(value).toString('hex') }
  if (value instanceof Map) return { $map: [...value].map(([k, v]) => [k, plain(v)]) }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]))
  return value
}

/** JSON cells are compared as values: implementations differ in white space and in how they print a float. */
const parsedJson = (row: Record<string, unknown>, columns: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(row).map(([k, v]) => [k, columns.includes(k) && typeof v === 'string' ? JSON.parse(v) : v]))

describe('bytes made by fastavro', () => {
  const registry = testRegistry()

  test.each(golden.cases.map(c => [c.name, c] as const))('%s', async (name, { schema: writer, reader, rows }) => {
    const id = registry.add(writer)
    const context = formatContext({ registry: { url: registry.url }, topics: [name.replaceAll(/\W+/g, '-')] })
    const format = avro.create(avro.config.parse({ reader_schema: reader ?? writer, schema: reader ?? writer }), context)
    const schema = (await format.open(never)) ?? fail()
    const bodies = rows.map(r => Buffer.from(r.hex, 'hex'))
    const decoder = format.decoder(schema, 1)
    // in two blocks, so that appending to what is there is covered
    const half = Math.ceil(bodies.length / 2)
    const records = bodies.map(b => wire(id, b))
    const rejected = await decodeBlocks(decoder, [blockOf(records.slice(0, half)), blockOf(records.slice(half))])
    expect([...rejected]).toEqual([])
    const json = schema.fields.filter(f => f.type.kind === 'json').map(f => f.name)
    const decoded = rows.map((_, row) => parsedJson(plain(rowAt(decoder, schema, row)) as Record<string, unknown>, json))
    expect(decoded).toEqual(rows.map(r => parsedJson(r.value, json)))
    if (!reader) {
      const encoder = await format.encoder?.(schema, never)
      const encoded = encodeRows(encoder!, decoder.columns, rows.length).map(b => b?.subarray(5).toString('hex'))
      expect(encoded).toEqual(rows.map(r => r.hex))
      // the schema derived from the columns, too, means the same bytes wherever Avro leaves no choice
      expect(schemaText(parseSchema(JSON.parse(schemaText(parseSchema(writer)))))).toBe(schemaText(parseSchema(writer)))
    }
    await format.close()
  })
})
