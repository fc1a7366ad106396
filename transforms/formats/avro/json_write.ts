import type { ExactJson } from '../json/exact'
import type { Output } from './output'
import { branchName, type Node, type RecordNode } from './schema'
import { MAX_DEPTH } from './skip'
import { sameName } from './types'

/** Why a JSON value is none of the schema's. */
export class Unfit extends Error {}

function fail(node: Node, value: ExactJson): never {
  const text = JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v))
  throw new Unfit(`${text.length > 60 ? `${text.slice(0, 60)}...` : text} is no Avro ${branchName(node)}`)
}

/**
 * Writes a value in Avro's JSON encoding as Avro bytes. `defaults`: the value is a default of a schema, in which a union's value
 * stands without its branch and belongs to the first branch that takes it. Throws Unfit.
 */
export function writeJson(out: Output, node: Node, value: ExactJson, defaults: boolean, depth = 0): void {
  if (depth > MAX_DEPTH) throw new Unfit(`nested deeper than ${MAX_DEPTH}`)
  switch (node.type) {
    case 'null':
      if (value !== null) fail(node, value)
      return
    case 'boolean':
      if (typeof value !== 'boolean') fail(node, value)
      out.byte(value ? 1 : 0)
      return
    case 'int':
      if (typeof value !== 'number' || (value | 0) !== value) fail(node, value)
      out.int(value)
      return
    case 'long':
      if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) fail(node, value)
      if (BigInt.asIntN(64, BigInt(value as bigint | number)) !== BigInt(value as bigint | number)) fail(node, value)
      out.bigint(BigInt(value as bigint | number))
      return
    case 'float':
    case 'double': {
      const number = asFloat(value)
      if (number === null) fail(node, value)
      if (node.type === 'float') out.float(number)
      else out.double(number)
      return
    }
    case 'string':
      if (typeof value !== 'string') fail(node, value)
      out.string(value)
      return
    case 'bytes':
    case 'fixed': {
      const bytes = typeof value === 'string' ? latin1(value) : null
      if (bytes === null || (node.type === 'fixed' && bytes.length !== node.size)) fail(node, value)
      if (node.type === 'fixed') out.raw(bytes, 0, bytes.length)
      else out.bytes(bytes, 0, bytes.length)
      return
    }
    case 'enum': {
      const index = typeof value === 'string' ? node.symbols.indexOf(value) : -1
      if (index < 0) fail(node, value)
      out.int(index)
      return
    }
    case 'array':
      if (!Array.isArray(value)) fail(node, value)
      if (value.length > 0) out.int(value.length)
      for (const item of value as readonly ExactJson[]) writeJson(out, node.items, item, defaults, depth + 1)
      out.byte(0)
      return
    case 'map': {
      if (!isObject(value)) fail(node, value)
      const entries = Object.entries(value)
      if (entries.length > 0) out.int(entries.length)
      for (const [key, item] of entries) {
        out.string(key)
        writeJson(out, node.values, item, defaults, depth + 1)
      }
      out.byte(0)
      return
    }
    case 'record':
      if (!isObject(value)) fail(node, value)
      writeRecord(out, node, value, defaults, depth)
      return
    case 'union':
      if (defaults) writeDefaultUnion(out, node.branches, value, depth)
      else writeUnion(out, node, value, depth)
  }
}

type ExactObject = { readonly [key: string]: ExactJson }

const isObject = (value: ExactJson): value is ExactObject => typeof value === 'object' && value !== null && !Array.isArray(value)

function writeRecord(out: Output, node: RecordNode, value: ExactObject, defaults: boolean, depth: number): void {
  for (const field of node.fields) {
    if (Object.hasOwn(value, field.name)) writeJson(out, field.node, value[field.name], defaults, depth + 1)
    else if (field.default !== undefined) writeJson(out, field.node, field.default as ExactJson, true, depth + 1)
    else throw new Unfit(`the field "${field.name}" of ${node.name} is missing`)
  }
}

function writeUnion(out: Output, node: Node & { type: 'union' }, value: ExactJson, depth: number): void {
  if (value === null) {
    const index = node.branches.findIndex(b => b.type === 'null')
    if (index < 0) fail(node, value)
    out.int(index)
    return
  }
  const keys = isObject(value) ? Object.keys(value) : []
  if (!isObject(value) || keys.length !== 1) fail(node, value)
  const exact = node.branches.findIndex(b => branchName(b) === keys[0])
  const index = exact >= 0 ? exact : node.branches.findIndex(b => 'name' in b && sameName(keys[0], b.name, b.aliases))
  if (index < 0) fail(node, value)
  out.int(index)
  writeJson(out, node.branches[index], value[keys[0]], false, depth + 1)
}

function writeDefaultUnion(out: Output, branches: readonly Node[], value: ExactJson, depth: number): void {
  const start = out.at
  for (const [index, branch] of branches.entries()) {
    try {
      out.int(index)
      writeJson(out, branch, value, true, depth + 1)
      return
    } catch (error) {
      if (!(error instanceof Unfit)) throw error
      out.at = start
    }
  }
  throw new Unfit('the default fits no branch of the union')
}

function asFloat(value: ExactJson): number | null {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : null
}

/** Bytes of a string of characters 0 to 255, as Avro's JSON encoding writes bytes; null if it holds others. */
function latin1(text: string): Buffer | null {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) return null
  return Buffer.from(text, 'latin1')
}
