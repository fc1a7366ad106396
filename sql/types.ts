import type { DataType, Field, Schema, TimeUnit } from '../runtime/schema'

/**
 * Our types as ClickHouse columns, for tables we make. How a type is checked against a column that exists stands in bind.ts.
 *
 * | ours | ClickHouse | note |
 * |---|---|---|
 * | bool | Bool | |
 * | i32, i64, f32, f64 | Int32, Int64, Float32, Float64 | |
 * | utf8, json | String | |
 * | bytes | String | a String holds any bytes |
 * | date | Date32 | 1900-01-01 to 2299-12-31 |
 * | time(ms), time(us) | Int32, Int64 | ticks since midnight: ClickHouse's Time types are experimental |
 * | timestamp(s, ms, us, ns) | DateTime64(0, 3, 6, 9, 'UTC') | 1900 to 2299, with ns 1900 to 2262 |
 * | decimal(p, s) | Decimal(p, s) | |
 * | uuid | UUID | |
 * | fixed(n) | FixedString(n) | |
 * | dictionary, enum | LowCardinality(String) | an Enum column would refuse the next symbol |
 * | list, map, struct | Array, Map(String, ...), Tuple(name type, ...) | |
 *
 * ClickHouse has no NULL for arrays, maps and tuples (Nullable(Tuple) is experimental). A nullable container therefore has a
 * companion beside it, `<name>__null Bool`, true where the value is null (the container itself is then empty). Inside a list or a
 * map, where there is no "beside", the item becomes `Tuple(value <type>, value__null Bool)`. So null and empty stay apart.
 */
export const NULL_SUFFIX = '__null'

/** Name of the field that stands for an item which had to be wrapped. */
export const WRAPPED = 'value'

export const isContainer = (type: DataType): boolean => type.kind === 'list' || type.kind === 'map' || type.kind === 'struct'

/** Columns for a schema, companions included, in order. */
export function columnsFor(schema: Schema): readonly { readonly name: string; readonly type: string }[] {
  return schema.fields.flatMap(columnsOf)
}

function columnsOf(field: Field): readonly { readonly name: string; readonly type: string }[] {
  if (!isContainer(field.type)) return [{ name: field.name, type: scalarText(field.type, field.nullable) }]
  const column = { name: field.name, type: containerText(field.type) }
  return field.nullable ? [column, { name: field.name + NULL_SUFFIX, type: 'Bool' }] : [column]
}

function containerText(type: DataType): string {
  switch (type.kind) {
    case 'list':
      return `Array(${itemText(type.item)})`
    case 'map':
      return `Map(String, ${itemText(type.value)})`
    case 'struct':
      return `Tuple(${type.fields
        .flatMap(columnsOf)
        .map(c => `${label(c.name)} ${c.type}`)
        .join(', ')})`
    default:
      return scalarText(type, false)
  }
}

function itemText(item: Field): string {
  if (!isContainer(item.type)) return scalarText(item.type, item.nullable)
  const text = containerText(item.type)
  return item.nullable ? `Tuple(${WRAPPED} ${text}, ${WRAPPED}${NULL_SUFFIX} Bool)` : text
}

function scalarText(type: DataType, nullable: boolean): string {
  const text = plainText(type)
  if (!nullable) return text
  return type.kind === 'dictionary' ? 'LowCardinality(Nullable(String))' : `Nullable(${text})`
}

/** Digits after the second of a DateTime64. */
export const SCALE: Readonly<Record<TimeUnit, number>> = { s: 0, ms: 3, us: 6, ns: 9 }

function plainText(type: DataType): string {
  switch (type.kind) {
    case 'bool':
      return 'Bool'
    case 'i32':
      return 'Int32'
    case 'i64':
      return 'Int64'
    case 'f32':
      return 'Float32'
    case 'f64':
      return 'Float64'
    case 'utf8':
    case 'json':
    case 'bytes':
      return 'String'
    case 'date':
      return 'Date32'
    case 'time':
      return type.unit === 'ms' ? 'Int32' : 'Int64'
    case 'timestamp':
      return `DateTime64(${SCALE[type.unit]}, 'UTC')`
    case 'decimal':
      return `Decimal(${type.precision}, ${type.scale})`
    case 'uuid':
      return 'UUID'
    case 'fixed':
      return `FixedString(${type.size})`
    case 'dictionary':
      return 'LowCardinality(String)'
    case 'list':
    case 'map':
    case 'struct':
      return containerText(type)
  }
}

const label = (name: string): string => `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
