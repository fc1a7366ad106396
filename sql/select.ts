import type { ColumnSet, SelectOptions } from '../runtime/store'
import { loadArrow } from './arrow'
import { decodeArrow } from './arrow_read'
import { chTypeText } from './ch_type'
import type { ClickHouseStore } from './client'
import { identifier, literal } from './quote'
import { readable, readFields, readType } from './read_types'

/** apache-arrow reads no compressed buffers; strings must not come as binary, nor dictionaries as ids. */
const SETTINGS = {
  output_format_arrow_compression_method: 'none',
  output_format_arrow_string_as_string: 1,
  output_format_arrow_fixed_string_as_fixed_byte_array: 1,
  output_format_arrow_low_cardinality_as_dictionary: 0,
  wait_end_of_query: 1,
} as const

/** `Store.select`: asks for the types of the answer first if nobody knows them, then for the answer in types whose Arrow form we read. */
export async function selectColumns(store: ClickHouseStore, sql: string, options: SelectOptions): Promise<ColumnSet> {
  const query = sql.trim().replace(/;$/, '')
  const described = options.described ?? (await store.query(`DESCRIBE TABLE (${query})`, options))
  const asked = described.map(r => ({ name: String(r.name), type: readType(String(r.type)) }))
  const wanted = asked.map(c => ({ name: c.name, type: readable(c.type) }))
  const list = wanted.map((c, i) => {
    const text = chTypeText(c.type)
    return text === chTypeText(asked[i].type)
      ? identifier(c.name)
      : `CAST(${identifier(c.name)}, ${literal(text)}) AS ${identifier(c.name)}`
  })
  const stream = await store.send(`SELECT ${list.join(', ')} FROM (${query}) FORMAT ArrowStream`, [], {
    ...options,
    settings: { ...SETTINGS, ...options.settings, database: store.database },
  })
  const fields = readFields(wanted)
  const { columns, rows } = decodeArrow(await loadArrow(), stream, fields)
  return { schema: { fields: fields.map(f => f.field) }, columns, rows }
}
