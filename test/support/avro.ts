import type { FormatContext } from '../../runtime/plugin'
import { avro } from '../../transforms/formats/avro'
import type { Json } from '../../transforms/formats/avro/schema'
import { blockOf, decodeBlocks, formatContext, never, rowAt, type TestRegistry } from './formats'

/** A record schema of these fields. */
export const rec = (...fields: readonly object[]): Json => ({ type: 'record', name: 'R', fields }) as unknown as Json
export const LONG = rec({ name: 'a', type: 'long' })
/** Its body, for numbers of one byte. */
export const long = (n: number): Buffer => Buffer.from([2 * n])

/** Avro formats on a registry, and what they make of records. */
export function avroFormats(registry: Pick<TestRegistry, 'url'>) {
  const make = (config: unknown, over: Partial<FormatContext> = {}) =>
    avro.create(avro.config.parse(config), formatContext({ registry: { url: registry.url }, ...over }))

  /** Reads records, each in its place; `codes` as `row code` of those that were rejected. */
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
  return { make, decode }
}
