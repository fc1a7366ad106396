import type { Column, ListColumn, MapColumn, StructColumn, VarColumn } from '../../../runtime/column'
import { ConnectError } from '../../../runtime/errors'
import type { Encoder } from '../../../runtime/plugin'
import { type Field, fieldTypeName, type Schema } from '../../../runtime/schema'
import { type ExactJson, parseExact } from '../json/exact'
import { type Put, putLeaf } from './encode_value'
import { Unfit, writeJson } from './json_write'
import { Output } from './output'
import { type AvroField, branchName, type Node, nullableOf, type UnionNode } from './schema'

/** A null in a column whose Avro type has none; a row of it is D008. */
class NullUnfit extends Unfit {}

/**
 * Rows -> Avro records with Confluent's header. Compiled once from the Avro schema and the columns' types; throws C016_SCHEMA
 * where they do not go together: every column must stand in the schema and every field of it in the columns or have a default.
 */
export class AvroEncoder implements Encoder {
  readonly #out = new Output()
  readonly #id: number
  readonly #steps: readonly { readonly index: number; readonly name: string; readonly put: Put }[]

  constructor(node: Node, schema: Schema, id: number) {
    this.#id = id
    this.#steps = node.type === 'record' ? fieldSteps(node.fields, schema.fields, '') : [valueStep(node, schema)]
  }

  encode(columns: readonly Column[], row: number): Buffer | ConnectError {
    const out = this.#out
    out.at = 0
    out.byte(0)
    out.byte(this.#id >>> 24)
    out.byte(this.#id >>> 16)
    out.byte(this.#id >>> 8)
    out.byte(this.#id)
    for (const { index, name, put } of this.#steps) {
      try {
        put(out, columns[index], row)
      } catch (error) {
        if (!(error instanceof Unfit)) throw error
        return new ConnectError(
          error instanceof NullUnfit ? 'D008_NULL' : 'D005_OUT_OF_RANGE',
          `column "${name}": ${error.message}`,
        )
      }
    }
    return out.take()
  }
}

interface Step {
  readonly index: number
  readonly name: string
  readonly put: Put
}

function valueStep(node: Node, schema: Schema): Step {
  if (schema.fields.length !== 1) {
    throw new ConnectError('C016_SCHEMA', `an Avro ${node.type} takes one column, there are ${schema.fields.length}`)
  }
  const field = schema.fields[0]
  return { index: 0, name: field.name, put: putField(node, field, field.name) }
}

function fieldSteps(fields: readonly AvroField[], columns: readonly Field[], path: string): readonly Step[] {
  const extra = columns.find(c => !fields.some(f => f.name === c.name))
  if (extra) throw new ConnectError('C016_SCHEMA', `the column "${path}${extra.name}" is not in the Avro schema`)
  return fields.map(f => {
    const index = columns.findIndex(c => c.name === f.name)
    const name = `${path}${f.name}`
    return index < 0 ? { index: 0, name, put: constant(f, name) } : { index, name, put: putField(f.node, columns[index], name) }
  })
}

/** A field that no column fills: its default, the same bytes in every row. */
function constant(field: AvroField, name: string): Put {
  if (field.default === undefined) {
    throw new ConnectError('C016_SCHEMA', `the Avro field "${name}" has neither a column nor a default`)
  }
  const out = new Output()
  try {
    writeJson(out, field.node, field.default as ExactJson, true)
  } catch (error) {
    if (!(error instanceof Unfit)) throw error
    throw new ConnectError('C016_SCHEMA', `the default of the Avro field "${name}" does not fit: ${error.message}`)
  }
  const bytes = out.take()
  return to => to.raw(bytes, 0, bytes.length)
}

function putField(node: Node, field: Field, path: string): Put {
  const put = putNode(node, field, path)
  if (put) return put
  throw new ConnectError(
    'C016_SCHEMA',
    `the column "${path}" of type ${fieldTypeName(field)} cannot be written as Avro ${branchName(node)}`,
    {
      hint: 'add a `cast`, or correct the Avro schema',
    },
  )
}

/** Null where the types do not go together. */
function putNode(node: Node, field: Field, path: string): Put | null {
  if (field.type.kind === 'json' && field.type.avro !== undefined) return putJson(node)
  const nullable = nullableOf(node)
  if (nullable) {
    const put = putPresent(nullable.node, field, path)
    return put && putUnion(nullable.nullAt, 1 - nullable.nullAt, put)
  }
  if (node.type === 'union') return putBranch(node, field, path)
  const put = putPresent(node, field, path)
  if (!put || !field.nullable) return put
  return (out, column, row) => {
    if (column.nulls?.[row] === 1) throw new NullUnfit('null, but the Avro schema has no null there')
    put(out, column, row)
  }
}

const putUnion =
  (nullAt: number, valueAt: number, put: Put): Put =>
  (out, column, row) => {
    if (column.nulls?.[row] === 1) return out.int(nullAt)
    out.int(valueAt)
    put(out, column, row)
  }

/** A union of several types: the first branch that takes the column. */
function putBranch(node: UnionNode, field: Field, path: string): Put | null {
  const nullAt = node.branches.findIndex(b => b.type === 'null')
  for (const [index, branch] of node.branches.entries()) {
    const put = branch.type === 'null' ? null : putPresent(branch, field, path)
    if (!put) continue
    if (nullAt >= 0) return putUnion(nullAt, index, put)
    return (out, column, row) => {
      if (column.nulls?.[row] === 1) throw new NullUnfit('null, but the Avro union has no null')
      out.int(index)
      put(out, column, row)
    }
  }
  return null
}

/** Cells that are not null. */
function putPresent(node: Node, field: Field, path: string): Put | null {
  const { type } = field
  switch (node.type) {
    case 'array': {
      if (type.kind !== 'list') return null
      const item = putField(node.items, type.item, `${path}.item`)
      return (out, column, row) => {
        const { offsets, child } = column as ListColumn
        const [from, to] = [offsets[row], offsets[row + 1]]
        if (to > from) out.int(to - from)
        for (let i = from; i < to; i++) item(out, child, i)
        out.byte(0)
      }
    }
    case 'map': {
      if (type.kind !== 'map') return null
      const value = putField(node.values, type.value, `${path}.value`)
      return (out, column, row) => {
        const { offsets, keys, child } = column as MapColumn
        const [from, to] = [offsets[row], offsets[row + 1]]
        if (to > from) out.int(to - from)
        for (let i = from; i < to; i++) {
          out.bytes(keys.data, keys.offsets[i], keys.offsets[i + 1])
          value(out, child, i)
        }
        out.byte(0)
      }
    }
    case 'record': {
      if (type.kind !== 'struct') return null
      const steps = fieldSteps(node.fields, type.fields, `${path}.`)
      return (out, column, row) => {
        const { children } = column as StructColumn
        for (const { index, put } of steps) put(out, children[index], row)
      }
    }
    case 'union':
      return null
    default:
      return putLeaf(node, type)
  }
}

/** JSON text in Avro's JSON encoding, as the decoder makes it. */
function putJson(node: Node): Put {
  return (out, column, row) => {
    let value: ExactJson = null
    if (column.nulls?.[row] !== 1) {
      try {
        value = parseExact((column as VarColumn).string(row))
      } catch (error) {
        throw new Unfit(`it is not JSON: ${(error as Error).message}`)
      }
    }
    writeJson(out, node, value, false)
  }
}
