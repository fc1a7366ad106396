import { type Schema, Type } from 'avsc'
import { errors } from './errors'

export const LEVELS = [
  'BACKWARD',
  'BACKWARD_TRANSITIVE',
  'FORWARD',
  'FORWARD_TRANSITIVE',
  'FULL',
  'FULL_TRANSITIVE',
  'NONE',
] as const
export type Level = (typeof LEVELS)[number]

export const isLevel = (text: string): text is Level => LEVELS.some(level => level === text)

/**
 * The form in which a schema is kept and compared: JSON without white space, `{"type":"string"}` written as `"string"`. Like
 * Confluent's, and unlike Avro's parsing canonical form, it keeps docs, defaults, aliases and logical types.
 * @throws RegistryError 42201 if it is no Avro schema
 */
export function normalise(text: string): string {
  let schema: unknown
  try {
    schema = unwrap(JSON.parse(text))
  } catch (error) {
    throw errors.invalidSchema(`not JSON: ${reason(error)}`)
  }
  const normal = JSON.stringify(schema)
  parse(normal)
  return normal
}

/**
 * Why `next` may not follow `earlier` (oldest first) under a level; empty if it may. The rules are those of Avro's schema resolution:
 * backward means that a reader with the new schema reads old data, forward that readers with old schemas read new data.
 */
export function incompatibilities(next: string, earlier: readonly string[], level: Level): readonly string[] {
  if (level === 'NONE') return []
  const compared = level.endsWith('_TRANSITIVE') ? earlier : earlier.slice(-1)
  const newer = parse(next)
  return compared.flatMap(text => {
    const older = parse(text)
    return [
      ...(level.startsWith('FORWARD') ? [] : unreadable(newer, older, 'the new schema cannot read data of the earlier one')),
      ...(level.startsWith('BACKWARD') ? [] : unreadable(older, newer, 'the earlier schema cannot read data of the new one')),
    ]
  })
}

function unreadable(reader: Type, writer: Type, what: string): readonly string[] {
  try {
    // Avro's SchemaCompatibility, which Confluent uses, compares names without their namespaces.
    reader.createResolver(writer, { ignoreNamespaces: true })
    return []
  } catch (error) {
    return [`${what}: ${reason(error)}`]
  }
}

/** Unions are wrapped because an unwrapped one may be ambiguous in JavaScript while its schema is fine. */
function parse(text: string): Type {
  try {
    return Type.forSchema(JSON.parse(text) as Schema, { wrapUnions: true })
  } catch (error) {
    throw errors.invalidSchema(reason(error))
  }
}

/** Walks only where schemas stand: a default of `{"type":"string"}` is a value. */
function unwrap(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(unwrap)
  if (typeof schema !== 'object' || schema === null) return schema
  const inner: Record<string, unknown> = { ...schema }
  for (const key of ['type', 'items', 'values']) if (key in inner) inner[key] = unwrap(inner[key])
  if (Array.isArray(inner.fields)) inner.fields = inner.fields.map(unwrapField)
  return Object.keys(inner).length === 1 && typeof inner.type === 'string' ? inner.type : inner
}

function unwrapField(field: unknown): unknown {
  return typeof field === 'object' && field !== null && 'type' in field ? { ...field, type: unwrap(field.type) } : field
}

const reason = (error: unknown) => (error instanceof Error ? error.message : String(error))
