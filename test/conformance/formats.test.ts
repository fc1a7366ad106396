import { parseDocument } from 'yaml'
import { z } from 'zod'
import type { Column } from '../../runtime/column'
import { pluginUses } from '../../runtime/conformance/plugin_uses'
import { ConnectError, ERRORS } from '../../runtime/errors'
import type { Format, FormatContext, FormatDeclaration } from '../../runtime/plugin'
import type { Schema } from '../../runtime/schema'
import { formats } from '../../transforms/formats'
import { batchOf, type Row, schemaOf } from '../support/batches'
import { blockOf, decodeBlocks, encodeRows, formatContext, never, rowAt, testRegistry } from '../support/formats'
import { testUnless } from '../support/skip'

/** What every format must hold that is registered; a skip stands in its declaration with the reason. */

const isFormat = (d: { readonly kind: string }): d is FormatDeclaration => d.kind === 'format'

/** Columns of every simple kind, for formats that write whole rows. */
const WIDE = schemaOf({
  flag: 'bool?',
  id: 'i64',
  small: 'i32?',
  ratio: 'f64?',
  name: 'utf8',
  blob: 'bytes?',
  at: 'timestamp(us)?',
  day: 'date?',
  price: 'decimal(12, 3)?',
  key: 'uuid?',
})
const FULL: Row = {
  flag: true,
  id: 9007199254740993n,
  small: -7,
  ratio: 0.1,
  name: 'héllo "x"\n',
  blob: Buffer.from([0, 255, 10]),
  at: 1709251199123456,
  day: 19782,
  price: '-12.345',
  key: '01234567-89ab-cdef-0123-456789abcdef',
}
const EMPTY: Row = { id: 0, name: '' }
const ONE_COLUMN: readonly Row[] = [{ value: 'abc' }, { value: '' }, { value: 'ü' }]

describe.each(formats.filter(isFormat).map(d => [d.name, d] as const))('format %s', (name, declaration) => {
  const { skip = {}, config = {}, schema: only } = declaration.conformance
  const check = (what: string, run: () => Promise<void> | void): void =>
    testUnless(skip[what] ?? null, `the format ${name} ${what}`)(what, async () => await run())

  const registry = testRegistry()
  let opened: Format[] = []
  afterEach(async () => {
    for (const format of opened) await format.close()
    opened = []
  })
  const make = (over: Partial<FormatContext> = {}): Format => {
    const endpoint = declaration.capabilities.needs_registry ? { url: registry.url } : null
    const format = declaration.create(declaration.config.parse(config), formatContext({ registry: endpoint, ...over }))
    opened.push(format)
    return format
  }

  /** Columns the format can write, and their rows. */
  const written = (
    topic: string,
  ): { schema: Schema; columns: readonly Column[]; rows: readonly Row[]; topics: readonly string[] } => {
    const schema = only ?? WIDE
    const rows = only
      ? ONE_COLUMN.map(r => (only.fields[0].type.kind === 'bytes' ? { value: Buffer.from(String(r.value)) } : r))
      : [FULL, EMPTY, FULL]
    return { schema, columns: batchOf(schema, rows).columns, rows, topics: [`${name}-${topic}`] }
  }
  const encoded = async (topic: string) => {
    const input = written(topic)
    const encoder = await make({ topics: input.topics }).encoder?.(input.schema, never)
    if (!encoder) throw new Error('the format does not write')
    return { ...input, records: encodeRows(encoder, input.columns, input.rows.length) }
  }
  /** A reader for these records: what a flow that reads the topic would do. */
  const reader = async (topics: readonly string[], records: readonly (Buffer | null)[]) => {
    const format = make({ topics })
    const schema = (await format.open(never)) ?? (await format.infer(blockOf(records), 'value', never))
    return { format, schema }
  }

  check('declares itself completely', () => {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/)
    for (const text of [declaration.summary, declaration.description, declaration.since]) expect(text.trim()).not.toBe('')
    expect(declaration.examples.length).toBeGreaterThan(0)
  })

  check('its config is JSON Schema, and refuses unknown keys', () => {
    const schema = z.toJSONSchema(declaration.config, { io: 'input' })
    expect(schema).toMatchObject({ type: 'object' })
    for (const [key, property] of Object.entries(schema.properties ?? {})) {
      expect([key, typeof property === 'object' && property.description]).toEqual([key, expect.stringMatching(/\S/)])
    }
    expect(declaration.config.safeParse({ no_such_option: 1 }).success).toBe(false)
    expect(declaration.config.safeParse(config).success).toBe(true)
  })

  check('its examples are YAML that its config takes', () => {
    for (const { title, yaml } of declaration.examples) {
      const document = parseDocument(yaml)
      expect([title, document.errors]).toEqual([title, []])
      const uses = pluginUses(document.toJS()).filter(use => use.kind === 'format' && use.name === name)
      expect([title, uses.length > 0]).toEqual([title, true])
      for (const use of uses) expect(declaration.config.safeParse(use.config)).toMatchObject({ success: true })
    }
  })

  check('writes rows and reads them back', async () => {
    if (!declaration.capabilities.encodes) return
    const { schema, rows, records, topics } = await encoded('round-trip')
    const back = declaration.capabilities.needs_registry || only ? await reader(topics, records) : { format: make(), schema }
    const decoder = back.format.decoder(back.schema, 1)
    expect([...(await decodeBlocks(decoder, [blockOf(records.slice(0, 2)), blockOf(records.slice(2))]))]).toEqual([])
    const plain = (row: Row): Row => ({ ...Object.fromEntries(schema.fields.map(f => [f.name, null])), ...row })
    const seen = rows.map((_, i) => rowAt(decoder, back.schema, i))
    expect(seen).toEqual(rows.map(plain))
  })

  check('gives one row a record, also for bad ones and tombstones', async () => {
    const { records, topics } = await encoded('rows')
    const { format, schema } = await reader(topics, records)
    const decoder = format.decoder(schema, 0)
    const bad = [
      Buffer.alloc(0),
      Buffer.from([0xff]),
      Buffer.from('{'),
      Buffer.from([0, 0, 0, 0, 1]),
      Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 7]),
    ]
    const mixed = [null, records[0], ...bad, null, records[1]]
    const rejected = await decodeBlocks(decoder, [blockOf(mixed), blockOf([null]), blockOf([])])
    for (const column of decoder.columns) expect(column.length).toBe(mixed.length + 1)
    for (const [row, error] of rejected) {
      expect(error).toBeInstanceOf(ConnectError)
      expect(Object.keys(ERRORS)).toContain(error.code)
      expect(error.code[0]).toBe('D')
      // neither what is good nor a tombstone, which is the engine's to judge
      expect(mixed[row]).not.toBeNull()
      expect(bad).toContain(mixed[row])
    }
    const alone = format.decoder(schema, 0)
    await decodeBlocks(alone, [blockOf([records[0], records[1]])])
    expect([1, mixed.length - 1].map(i => rowAt(decoder, schema, i))).toEqual([0, 1].map(i => rowAt(alone, schema, i)))
  })

  check('rejects bad bytes', async () => {
    const { records, topics } = await encoded('bad')
    const { format, schema } = await reader(topics, records)
    const bad = [
      Buffer.from([0xff, 0xfe]),
      Buffer.from([0xc3]),
      Buffer.concat([records[0] ?? Buffer.alloc(0), Buffer.from([0xff])]),
    ]
    const rejected = await decodeBlocks(format.decoder(schema, 0), [blockOf(bad)])
    expect([...rejected.keys()]).toEqual([0, 1, 2])
    for (const error of rejected.values()) expect(error.message).not.toBe('')
  })

  check('reads keys as it reads values', async () => {
    const { records, topics } = await encoded('keys')
    const { format, schema } = await reader(topics, records)
    const values = format.decoder(schema, 0)
    const keys = format.decoder(schema, 0)
    await decodeBlocks(values, [blockOf(records, 'value')], 'value')
    expect((await decodeBlocks(keys, [blockOf(records, 'key')], 'key')).size).toBe(0)
    expect(records.map((_, i) => rowAt(keys, schema, i))).toEqual(records.map((_, i) => rowAt(values, schema, i)))
  })

  check('decoders of one format do not share columns', async () => {
    const { records, topics } = await encoded('decoders')
    const { format, schema } = await reader(topics, records)
    const first = format.decoder(schema, 0)
    await decodeBlocks(first, [blockOf(records)])
    const before = records.map((_, i) => rowAt(first, schema, i))
    const second = format.decoder(schema, 0)
    await decodeBlocks(second, [blockOf([records[1], records[1], records[1]])])
    expect(records.map((_, i) => rowAt(first, schema, i))).toEqual(before)
  })

  check('closes twice, and without having been opened', async () => {
    const format = make()
    await format.close()
    await format.close()
  })
})
