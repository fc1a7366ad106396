/**
 * The schema of a batch: named fields with logical types in Arrow's vocabulary. Avro, JSON, CSV, ClickHouse and Arrow types map
 * to and from these in one table each, beside the code that speaks that format.
 */

/** Ticks per second of a `timestamp` or `time`. */
export type TimeUnit = 's' | 'ms' | 'us' | 'ns'

/**
 * Logical type of a field.
 *
 * - `date`: days since 1970-01-01. `time`: ticks since midnight. `timestamp`: ticks since 1970-01-01T00:00:00 UTC; `zoned` is
 *   false for a local date-time without a zone.
 * - `decimal`: 128-bit two's complement, little endian; value = unscaled / 10^scale. precision 1..38.
 * - `uuid`: 16 bytes, big endian (the order in which a UUID is written). `fixed`: exactly `size` bytes.
 * - `dictionary`: few distinct strings; `symbols` lists them where the schema closes the set (an enum).
 * - `json`: JSON text of a value that has no column of its own (a general union, a recursive type); `avro` is the Avro schema
 *   (JSON text) it came from, so that it can be written back unchanged.
 */
export type DataType =
  | { readonly kind: 'bool' }
  | { readonly kind: 'i32' }
  | { readonly kind: 'i64' }
  | { readonly kind: 'f32' }
  | { readonly kind: 'f64' }
  | { readonly kind: 'utf8' }
  | { readonly kind: 'bytes' }
  | { readonly kind: 'json'; readonly avro?: string }
  | { readonly kind: 'date' }
  | { readonly kind: 'time'; readonly unit: 'ms' | 'us' }
  | { readonly kind: 'timestamp'; readonly unit: TimeUnit; readonly zoned: boolean }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'uuid' }
  | { readonly kind: 'fixed'; readonly size: number; readonly name?: string }
  | { readonly kind: 'dictionary'; readonly symbols?: readonly string[]; readonly name?: string }
  | { readonly kind: 'list'; readonly item: Field }
  | { readonly kind: 'map'; readonly value: Field }
  | { readonly kind: 'struct'; readonly fields: readonly Field[]; readonly name?: string }

export type Kind = DataType['kind']

export interface Field {
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
  readonly doc?: string
}

export interface Schema {
  /** Full name of the record where it has one (Avro namespace and name). */
  readonly name?: string
  readonly fields: readonly Field[]
  /** Columns that tell rows apart, where whoever made the schema knows: a view's keys, the id of an anomaly. */
  readonly key?: readonly string[]
}

export const field = (name: string, type: DataType | SimpleKind, nullable = false): Field => ({
  name,
  type: typeof type === 'string' ? { kind: type } : type,
  nullable,
})

/** Kinds that need no parameters. */
export type SimpleKind = 'bool' | 'i32' | 'i64' | 'f32' | 'f64' | 'utf8' | 'bytes' | 'json' | 'date' | 'uuid' | 'dictionary'

export const timestamp = (unit: TimeUnit, zoned = true): DataType => ({ kind: 'timestamp', unit, zoned })

/** Index of a field by name, or -1. */
export const fieldIndex = (schema: Schema, name: string): number => schema.fields.findIndex(f => f.name === name)

/** A type as a person writes it: `timestamp(ms)`, `list<utf8?>`, `decimal(10, 2)`; a trailing `?` marks a nullable. */
export function typeName(type: DataType): string {
  switch (type.kind) {
    case 'time':
    case 'timestamp':
      return `${type.kind}(${type.unit})`
    case 'decimal':
      return `decimal(${type.precision}, ${type.scale})`
    case 'fixed':
      return `fixed(${type.size})`
    case 'dictionary':
      return type.symbols ? `enum(${type.symbols.join(', ')})` : 'dictionary'
    case 'list':
      return `list<${fieldTypeName(type.item)}>`
    case 'map':
      return `map<${fieldTypeName(type.value)}>`
    case 'struct':
      return `struct<${type.fields.map(f => `${f.name}: ${fieldTypeName(f)}`).join(', ')}>`
    default:
      return type.kind
  }
}

export const fieldTypeName = (f: Field): string => typeName(f.type) + (f.nullable ? '?' : '')

export const schemaText = (schema: Schema): string => schema.fields.map(f => `${f.name}: ${fieldTypeName(f)}`).join(', ')

/** Ticks per millisecond of a unit; below 1 for seconds. */
export const TICKS_PER_MS: Readonly<Record<TimeUnit, number>> = { s: 1 / 1000, ms: 1, us: 1000, ns: 1_000_000 }
