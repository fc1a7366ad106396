/**
 * Avro schemas as a tree whose names are resolved: a name used again, or a recursive type, is the same object again.
 * Read by the rules of Avro 1.12 (https://avro.apache.org/docs/1.12.0/specification/).
 */

export type Primitive = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'

/** A logical type whose attributes are valid; anything else is ignored, as the specification demands. */
export type Logical =
  | { readonly kind: 'date' }
  | { readonly kind: 'time'; readonly unit: 'ms' | 'us' }
  | { readonly kind: 'timestamp'; readonly unit: 'ms' | 'us' | 'ns'; readonly zoned: boolean }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'uuid' }
  | { readonly kind: 'duration' }

/** A JSON value as it stands in a schema (defaults). */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export interface PrimitiveNode {
  readonly type: Primitive
  readonly logical: Logical | null
}
interface Named {
  /** Full name: namespace and name. */
  readonly name: string
  /** Full names. */
  readonly aliases: readonly string[]
}
export interface FixedNode extends Named {
  readonly type: 'fixed'
  readonly size: number
  readonly logical: Logical | null
}
export interface EnumNode extends Named {
  readonly type: 'enum'
  readonly symbols: readonly string[]
  readonly fallback: string | null
}
export interface ArrayNode {
  readonly type: 'array'
  readonly items: Node
}
export interface MapNode {
  readonly type: 'map'
  readonly values: Node
}
export interface UnionNode {
  readonly type: 'union'
  readonly branches: readonly Node[]
}
export interface RecordNode extends Named {
  readonly type: 'record'
  /** Empty until the record is parsed to its end, because its own fields may name it. */
  readonly fields: readonly AvroField[]
}
export interface AvroField {
  readonly name: string
  readonly aliases: readonly string[]
  readonly node: Node
  /** Undefined: none. */
  readonly default: Json | undefined
  readonly doc: string | undefined
}

export type Node = PrimitiveNode | FixedNode | EnumNode | ArrayNode | MapNode | UnionNode | RecordNode

/** Name without its namespace. */
export const unqualified = (name: string): string => name.slice(name.lastIndexOf('.') + 1)

export const primitive = (type: Primitive, logical: Logical | null = null): PrimitiveNode => ({ type, logical })

/** The branch name that Avro's JSON encoding and resolution use. */
export const branchName = (node: Node): string => ('name' in node ? node.name : node.type)

/** If the union is null and one other type: that type and the index of null. */
export function nullableOf(node: Node): { readonly node: Node; readonly nullAt: number } | null {
  if (node.type !== 'union' || node.branches.length !== 2) return null
  const nullAt = node.branches.findIndex(b => b.type === 'null')
  const other = node.branches[1 - nullAt]
  return nullAt < 0 || other.type === 'null' ? null : { node: other, nullAt }
}

/**
 * Fewest bytes a value can take: bounds how many elements an array in n bytes can hold, so that a hostile count never sizes an
 * allocation.
 */
export function minBytes(node: Node, known: Map<Node, number> = new Map()): number {
  const before = known.get(node)
  if (before !== undefined) return before
  // while a record is being added up, a mention of itself counts nothing: it stands behind a union or list, which count by themselves
  known.set(node, 0)
  const bytes = fewest(node, known)
  known.set(node, bytes)
  return bytes
}

function fewest(node: Node, known: Map<Node, number>): number {
  switch (node.type) {
    case 'null':
      return 0
    case 'float':
      return 4
    case 'double':
      return 8
    case 'fixed':
      return node.size
    case 'record':
      return node.fields.reduce((sum, f) => sum + minBytes(f.node, known), 0)
    default:
      return 1
  }
}

/** True if the record holds itself somewhere, so that it has no finite set of columns. */
export function isRecursive(record: RecordNode): boolean {
  const seen = new Set<Node>()
  const reaches = (node: Node): boolean => {
    if (node === record) return true
    if (seen.has(node)) return false
    seen.add(node)
    return children(node).some(reaches)
  }
  return record.fields.some(f => reaches(f.node))
}

function children(node: Node): readonly Node[] {
  switch (node.type) {
    case 'array':
      return [node.items]
    case 'map':
      return [node.values]
    case 'union':
      return node.branches
    case 'record':
      return node.fields.map(f => f.node)
    default:
      return []
  }
}
