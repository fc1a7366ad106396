import { ConnectError } from '../../../runtime/errors'
import { logicalAttributes } from './logical'
import type { Json, Node } from './schema'

/** The schema as JSON: full names, each named type defined where it is first met. */
export function schemaJson(node: Node): Json {
  return write(node, new Map())
}

/** The schema as JSON text; equal schemas give equal text (documentation left out). */
export const schemaText = (node: Node): string => JSON.stringify(schemaJson(node))

type JsonObject = { readonly [key: string]: Json }
type Seen = Map<string, Node>

function write(node: Node, seen: Seen): Json {
  switch (node.type) {
    case 'union':
      return node.branches.map(b => write(b, seen))
    case 'array':
      return { type: 'array', items: write(node.items, seen) }
    case 'map':
      return { type: 'map', values: write(node.values, seen) }
    case 'record':
    case 'enum':
    case 'fixed':
      return named(node, seen)
    default:
      return node.logical ? { type: node.type, ...logicalAttributes(node.logical) } : node.type
  }
}

function named(node: Extract<Node, { name: string }>, seen: Seen): Json {
  const before = seen.get(node.name)
  if (before === node) return node.name
  if (before) {
    if (schemaText(before) !== schemaText(node)) {
      throw new ConnectError('C016_SCHEMA', `two different Avro types are named ${node.name}`)
    }
    return node.name
  }
  seen.set(node.name, node)
  // the namespace stands in the name; an empty one says so, or the enclosing type's would be taken
  const head: JsonObject = {
    name: node.name,
    ...(node.name.includes('.') ? {} : { namespace: '' }),
    ...(node.aliases.length > 0 ? { aliases: node.aliases } : {}),
  }
  switch (node.type) {
    case 'fixed':
      return { type: 'fixed', ...head, size: node.size, ...logicalAttributes(node.logical) }
    case 'enum':
      return { type: 'enum', ...head, symbols: node.symbols, ...(node.fallback === null ? {} : { default: node.fallback }) }
    case 'record':
      return {
        type: 'record',
        ...head,
        fields: node.fields.map(
          (f): JsonObject => ({
            name: f.name,
            ...(f.aliases.length > 0 ? { aliases: f.aliases } : {}),
            type: write(f.node, seen),
            ...(f.default === undefined ? {} : { default: f.default }),
          }),
        ),
      }
  }
}
