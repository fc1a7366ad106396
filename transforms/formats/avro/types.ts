import { ConnectError } from '../../../runtime/errors'
import type { DataType, Field, Schema } from '../../../runtime/schema'
import { parseText } from './parse'
import {
  type AvroField,
  isRecursive,
  type Logical,
  type Node,
  nullableOf,
  primitive,
  type RecordNode,
  unqualified,
} from './schema'
import { schemaText } from './serialize'

/** Most columns a schema may have, nested ones counted: named types can multiply without bound in few characters. */
const MAX_COLUMNS = 10_000

/** The column of a schema that is no record. */
export const VALUE = 'value'

/** Avro schema -> runtime schema: a record's fields are the columns, any other schema is one column `value`. */
export function toSchema(node: Node): Schema {
  const count = { columns: 0 }
  if (node.type !== 'record') return { fields: [toField(VALUE, node, undefined, count)] }
  return { name: node.name, fields: node.fields.map(f => toField(f.name, f.node, f.doc, count)) }
}

interface Count {
  columns: number
}

function toField(name: string, node: Node, doc: string | undefined, count: Count): Field {
  if (++count.columns > MAX_COLUMNS) throw new ConnectError('C016_SCHEMA', `the Avro schema has more than ${MAX_COLUMNS} columns`)
  const inner = nullableOf(node)
  const type = toType(inner ? inner.node : node, count)
  return { name, type, nullable: inner !== null || holdsNull(node), ...(doc === undefined ? {} : { doc }) }
}

/** Where a json column stands for a type with null, null is a null cell. */
const holdsNull = (node: Node): boolean =>
  node.type === 'null' || (node.type === 'union' && node.branches.some(b => b.type === 'null'))

function toType(node: Node, count: Count): DataType {
  switch (node.type) {
    case 'null':
    case 'union':
      return { kind: 'json', avro: schemaText(node) }
    case 'boolean':
      return { kind: 'bool' }
    case 'int':
    case 'long':
    case 'bytes':
    case 'string':
      return node.logical ? logicalType(node.logical) : { kind: PLAIN[node.type] }
    case 'float':
      return { kind: 'f32' }
    case 'double':
      return { kind: 'f64' }
    case 'fixed':
      if (node.logical && node.logical.kind !== 'duration') return logicalType(node.logical)
      return { kind: 'fixed', size: node.size, name: node.name }
    case 'enum':
      return { kind: 'dictionary', symbols: node.symbols, name: node.name }
    case 'array':
      return { kind: 'list', item: toField('item', node.items, undefined, count) }
    case 'map':
      return { kind: 'map', value: toField('value', node.values, undefined, count) }
    case 'record':
      if (isRecursive(node)) return { kind: 'json', avro: schemaText(node) }
      return { kind: 'struct', name: node.name, fields: node.fields.map(f => toField(f.name, f.node, f.doc, count)) }
  }
}

const PLAIN = { int: 'i32', long: 'i64', bytes: 'bytes', string: 'utf8' } as const

const logicalType = (logical: Exclude<Logical, { kind: 'duration' }> | Logical): DataType =>
  logical.kind === 'duration' ? { kind: 'fixed', size: 12 } : logical

/** Runtime schema -> Avro schema, the same for the same input: `name` is the record's full name where the schema has none. */
export function fromSchema(schema: Schema, name: string): RecordNode {
  const full = schema.name && VALID_NAME.test(schema.name) ? schema.name : name
  const named: Named = new Map()
  return { type: 'record', name: full, aliases: [], fields: schema.fields.map(f => fromField(f, full, named)) }
}

type Named = Map<string, { readonly key: string; readonly node: Node }>

const VALID_NAME = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/
const SIMPLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

function fromField(field: Field, parent: string, named: Named): AvroField {
  const { name } = field
  if (!SIMPLE_NAME.test(name)) throw new ConnectError('C016_SCHEMA', `the column "${name}" cannot be an Avro field name`)
  const node = fromNullable(field, `${parent}_${name}`, named)
  const isNullFirst = node.type === 'union' && node.branches[0].type === 'null'
  return { name, aliases: [], node, default: isNullFirst ? null : undefined, doc: field.doc }
}

function fromNullable(field: Field, path: string, named: Named): Node {
  const node = fromType(field.type, path, named)
  if (!field.nullable || node.type === 'null' || holdsNull(node)) return node
  return { type: 'union', branches: [primitive('null'), ...(node.type === 'union' ? node.branches : [node])] }
}

function fromType(type: DataType, path: string, named: Named): Node {
  switch (type.kind) {
    case 'bool':
      return primitive('boolean')
    case 'i32':
      return primitive('int')
    case 'i64':
      return primitive('long')
    case 'f32':
      return primitive('float')
    case 'f64':
      return primitive('double')
    case 'utf8':
      return primitive('string')
    case 'bytes':
      return primitive('bytes')
    case 'json':
      return type.avro === undefined ? primitive('string') : parseText(type.avro)
    case 'date':
      return primitive('int', type)
    case 'time':
      return primitive(type.unit === 'ms' ? 'int' : 'long', type)
    case 'timestamp':
      // Avro has no seconds; the encoder multiplies
      return primitive('long', { kind: 'timestamp', zoned: type.zoned, unit: type.unit === 's' ? 'ms' : type.unit })
    case 'decimal':
      return primitive('bytes', { kind: 'decimal', precision: type.precision, scale: type.scale })
    case 'uuid':
      return primitive('string', type)
    case 'fixed':
      return name(named, type, path, full => ({ type: 'fixed', name: full, aliases: [], size: type.size, logical: null }))
    case 'dictionary': {
      const { symbols } = type
      if (!symbols?.every(s => SIMPLE_NAME.test(s)) || symbols.length === 0) return primitive('string')
      return name(named, type, path, full => ({ type: 'enum', name: full, aliases: [], symbols, fallback: null }))
    }
    case 'list':
      return { type: 'array', items: fromNullable(type.item, `${path}_item`, named) }
    case 'map':
      return { type: 'map', values: fromNullable(type.value, `${path}_value`, named) }
    case 'struct':
      return name(named, type, path, full => ({
        type: 'record',
        name: full,
        aliases: [],
        fields: type.fields.map(f => fromField(f, full, named)),
      }))
  }
}

/** The type's own name, or one made of the path; the same type under the same name is one node, as Avro demands. */
function name(named: Named, type: DataType & { readonly name?: string }, path: string, make: (full: string) => Node): Node {
  const key = JSON.stringify(type)
  const own = type.name && VALID_NAME.test(type.name) ? type.name : null
  for (const full of own ? [own, path] : [path]) {
    const known = named.get(full)
    if (known?.key === key) return known.node
    if (known) continue
    const node = make(full)
    named.set(full, { key, node })
    return node
  }
  throw new ConnectError('C016_SCHEMA', `two different types would both be named ${path}`)
}

/** A topic's name as an Avro name: `web.clicks-v2` -> `web_clicks_v2`. */
export const cleanName = (topic: string): string => {
  const cleaned = topic.replace(/[^A-Za-z0-9_]/g, '_')
  return /^[A-Za-z_]/.test(cleaned) ? cleaned : `_${cleaned}`
}

export const sameName = (a: string, b: string, aliases: readonly string[]): boolean =>
  a === b || unqualified(a) === unqualified(b) || aliases.includes(a) || aliases.some(x => unqualified(x) === unqualified(a))
