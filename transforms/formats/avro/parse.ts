import { ConnectError } from '../../../runtime/errors'
import { logicalOf } from './logical'
import type { AvroField, EnumNode, FixedNode, Json, Node, Primitive, RecordNode } from './schema'

const PRIMITIVES: ReadonlySet<string> = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'])
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
/** Nesting no honest schema reaches; keeps a hostile one from overflowing the stack. */
const MAX_DEPTH = 100
/** Largest `fixed` accepted: a row of it must be allocated even where the field is null. */
const MAX_FIXED = 1 << 20

type NamedNode = FixedNode | EnumNode | RecordNode
type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type JsonObject = { readonly [key: string]: Json }

/** Named types known so far, by full name; shared by schemas that reference one another. */
export type Names = Map<string, NamedNode>

/** A schema from its JSON text. Throws C016_SCHEMA that says where. */
export function parseText(text: string, names: Names = new Map()): Node {
  let json: Json
  try {
    json = JSON.parse(text) as Json
  } catch (cause) {
    // a bare primitive name is a common way to store a schema
    if (PRIMITIVES.has(text.trim())) return parseSchema(text.trim(), names)
    throw new ConnectError('C016_SCHEMA', `the Avro schema is not JSON: ${(cause as Error).message}`, { cause })
  }
  return parseSchema(json, names)
}

/** A schema from its JSON. Throws C016_SCHEMA that says where. */
export function parseSchema(json: Json, names: Names = new Map()): Node {
  return parse(json, { names, namespace: '', path: '', depth: 0 })
}

interface Place {
  readonly names: Names
  readonly namespace: string
  readonly path: string
  readonly depth: number
}

const inside = (place: Place, step: string): Place => ({ ...place, path: `${place.path}/${step}`, depth: place.depth + 1 })

function fail(place: Place, message: string): never {
  throw new ConnectError('C016_SCHEMA', `Avro schema${place.path ? ` at ${place.path}` : ''}: ${message}`)
}

const isObject = (json: Json | undefined): json is JsonObject => typeof json === 'object' && json !== null && !Array.isArray(json)

function parse(json: Json, place: Place): Node {
  if (place.depth > MAX_DEPTH) fail(place, `nested deeper than ${MAX_DEPTH}`)
  if (typeof json === 'string') return reference(json, place)
  if (Array.isArray(json)) return union(json as readonly Json[], place)
  if (!isObject(json)) return fail(place, 'expected a name, an object or a list')
  const type = json.type
  if (typeof type !== 'string') {
    if (type === undefined) fail(place, 'no type')
    return parse(type, inside(place, 'type'))
  }
  switch (type) {
    case 'record':
    case 'error':
      return record(json, place)
    case 'enum':
      return enumeration(json, place)
    case 'fixed':
      return fixed(json, place)
    case 'array':
      if (json.items === undefined) fail(place, 'an array needs items')
      return { type: 'array', items: parse(json.items, inside(place, 'items')) }
    case 'map':
      if (json.values === undefined) fail(place, 'a map needs values')
      return { type: 'map', values: parse(json.values, inside(place, 'values')) }
    default:
      if (PRIMITIVES.has(type)) return { type: type as Primitive, logical: logicalOf(json, type as Primitive, 0) }
      return reference(type, place)
  }
}

function reference(name: string, place: Place): Node {
  if (PRIMITIVES.has(name)) return { type: name as Primitive, logical: null }
  const full = name.includes('.') || !place.namespace ? name : `${place.namespace}.${name}`
  // a name without a dot means the enclosing namespace; many writers leave the namespace of a top-level type out
  const found = place.names.get(full) ?? place.names.get(name)
  return found ?? fail(place, `unknown type "${name}"`)
}

function union(branches: readonly Json[], place: Place): Node {
  const nodes = branches.map((b, i) => parse(b, inside(place, String(i))))
  if (nodes.length === 0) fail(place, 'an empty union')
  const seen = new Set<string>()
  for (const node of nodes) {
    if (node.type === 'union') fail(place, 'a union directly inside a union')
    const key = 'name' in node ? node.name : node.type
    if (seen.has(key)) fail(place, `the union holds ${key} twice`)
    seen.add(key)
  }
  return { type: 'union', branches: nodes }
}

interface Header {
  readonly name: string
  readonly aliases: readonly string[]
  readonly namespace: string
}

function header(json: JsonObject, place: Place): Header {
  const { name, namespace } = json
  if (typeof name !== 'string') return fail(place, 'a named type needs a name')
  if (namespace !== undefined && namespace !== null && typeof namespace !== 'string') fail(place, 'namespace must be text')
  const space = name.includes('.')
    ? name.slice(0, name.lastIndexOf('.'))
    : typeof namespace === 'string'
      ? namespace
      : place.namespace
  const full = name.includes('.') || !space ? name : `${space}.${name}`
  if (!full.split('.').every(part => NAME.test(part))) fail(place, `"${full}" is not a name`)
  if (PRIMITIVES.has(full)) fail(place, `"${full}" is a primitive type and cannot be defined`)
  if (place.names.has(full)) fail(place, `"${full}" is defined twice`)
  const aliases = strings(json.aliases).map(a => (a.includes('.') || !space ? a : `${space}.${a}`))
  return { name: full, aliases, namespace: space }
}

const strings = (json: Json | undefined): readonly string[] =>
  Array.isArray(json) ? json.filter((a): a is string => typeof a === 'string') : []

function record(json: JsonObject, place: Place): Node {
  const { name, aliases, namespace } = header(json, place)
  const node: Mutable<RecordNode> = { type: 'record', name, aliases, fields: [] }
  place.names.set(name, node)
  if (!Array.isArray(json.fields)) return fail(place, `record ${name} needs a list of fields`)
  const seen = new Set<string>()
  node.fields = (json.fields as readonly Json[]).map(f => {
    const at = inside({ ...place, namespace }, isObject(f) && typeof f.name === 'string' ? f.name : 'fields')
    if (!isObject(f) || typeof f.name !== 'string' || !NAME.test(f.name)) return fail(at, 'a field needs a name')
    if (seen.has(f.name)) fail(at, `the field "${f.name}" stands twice`)
    seen.add(f.name)
    return field(f, f.name, at)
  })
  return node
}

function field(json: JsonObject, name: string, place: Place): AvroField {
  if (json.type === undefined) fail(place, 'a field needs a type')
  return {
    name,
    aliases: strings(json.aliases),
    // `{name, type: 'long', logicalType: ...}` on the field itself is a common mistake; the specification gives it no meaning
    node: parse(json.type, place),
    default: json.default,
    doc: typeof json.doc === 'string' ? json.doc : undefined,
  }
}

function enumeration(json: JsonObject, place: Place): Node {
  const { name, aliases } = header(json, place)
  const symbols = strings(json.symbols)
  if (!Array.isArray(json.symbols) || symbols.length !== json.symbols.length) return fail(place, `enum ${name} needs symbols`)
  for (const s of symbols) if (!NAME.test(s)) fail(place, `"${s}" is not a symbol`)
  if (new Set(symbols).size !== symbols.length) fail(place, `enum ${name} repeats a symbol`)
  const fallback = json.default ?? null
  if (fallback !== null && (typeof fallback !== 'string' || !symbols.includes(fallback))) {
    return fail(place, `the default of enum ${name} is none of its symbols`)
  }
  const node: EnumNode = { type: 'enum', name, aliases, symbols, fallback }
  place.names.set(name, node)
  return node
}

function fixed(json: JsonObject, place: Place): Node {
  const { name, aliases } = header(json, place)
  const size = json.size
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > MAX_FIXED) {
    return fail(place, `fixed ${name} needs a size between 0 and ${MAX_FIXED}`)
  }
  const node: FixedNode = { type: 'fixed', name, aliases, size, logical: logicalOf(json, 'fixed', size) }
  place.names.set(name, node)
  return node
}
