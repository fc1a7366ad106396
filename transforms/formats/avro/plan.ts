import type { Column, Layout } from '../../../runtime/column'
import { ConnectError } from '../../../runtime/errors'
import type { ExactJson } from '../json/exact'
import { JsonKernel } from './json_read'
import { Unfit, writeJson } from './json_write'
import type { Kernel } from './kernel'
import {
  BoolKernel,
  DoubleKernel,
  EnumKernel,
  FixedKernel,
  FloatKernel,
  IntKernel,
  IntToFloatKernel,
  LongKernel,
  StringKernel,
} from './kernels'
import { DecimalKernel, UuidKernel } from './logical_kernels'
import {
  DefaultKernel,
  ListKernel,
  MapKernel,
  NullableKernel,
  NullKernel,
  PresentKernel,
  RecordKernel,
  UnionKernel,
} from './nested'
import { Output } from './output'
import { type AvroField, branchName, type Logical, minBytes, type Node, nullableOf, type RecordNode } from './schema'
import { SkipKernel } from './skip'
import { sameName } from './types'

/** Called with the rows that took the JSON path and why. */
export type CountSlow = (reason: string, rows: number) => void

/**
 * Compiles how values of the writer's schema become the columns of the reader's, by Avro's rules for schema resolution: fields
 * matched by name or alias, unread ones skipped, missing ones defaulted, numbers and strings promoted, enum symbols translated.
 * Beyond the rules: the names of records are not compared outside of unions, as in Avro's own Java library; two different logical
 * types never resolve (milliseconds read as microseconds would be wrong without a word).
 * `columns` are those of the reader's schema. Throws D003_INCOMPATIBLE_SCHEMA.
 */
export function compile(writer: Node, reader: Node, columns: readonly Column[], slow: CountSlow): Kernel {
  const place = { slow, path: '' }
  if (reader.type !== 'record') return resolve(writer, reader, columns[0], place)
  const record = writer.type === 'union' && writer.branches.length === 1 ? writer.branches[0] : writer
  if (record.type !== 'record') return fail(place, writer, reader)
  return new RecordKernel(fieldKernels(record, reader, columns, place))
}

interface Place {
  readonly slow: CountSlow
  /** Dotted path of the field, for messages. */
  readonly path: string
}

function fail(
  place: Place,
  writer: Node,
  reader: Node,
  detail = `${branchName(writer)} cannot be read as ${branchName(reader)}`,
): never {
  throw new ConnectError('D003_INCOMPATIBLE_SCHEMA', `${place.path ? `field "${place.path}": ` : ''}${detail}`)
}

function fieldKernels(writer: RecordNode, reader: RecordNode, columns: readonly Column[], place: Place): Kernel[] {
  const found = new Set<number>()
  const steps: Kernel[] = []
  for (const field of writer.fields) {
    const target = targetOf(field, writer, reader)
    if (target < 0) {
      steps.push(new SkipKernel(field.node))
      continue
    }
    found.add(target)
    steps.push(resolve(field.node, reader.fields[target].node, columns[target], inside(place, field.name)))
  }
  for (const [i, field] of reader.fields.entries()) {
    if (!found.has(i)) steps.push(defaulted(field, columns[i], writer, inside(place, field.name)))
  }
  return steps
}

const inside = (place: Place, name: string): Place => ({ ...place, path: place.path ? `${place.path}.${name}` : name })

/** The reader's field for a writer's: by name, else by an alias whose own name the writer does not have. */
function targetOf(field: AvroField, writer: RecordNode, reader: RecordNode): number {
  const byName = reader.fields.findIndex(f => f.name === field.name)
  if (byName >= 0) return byName
  return reader.fields.findIndex(
    f => f.aliases.find(a => writer.fields.some(w => w.name === a)) === field.name && !has(writer, f.name),
  )
}

const has = (record: RecordNode, name: string): boolean => record.fields.some(f => f.name === name)

function defaulted(field: AvroField, column: Column, writer: RecordNode, place: Place): Kernel {
  if (field.default === undefined)
    return fail(place, writer, field.node, `the writer's ${writer.name} lacks it and it has no default`)
  if (field.default === null && column.nullable) return new NullKernel(column)
  const out = new Output()
  try {
    writeJson(out, field.node, field.default as ExactJson, true)
  } catch (error) {
    if (error instanceof Unfit) fail(place, writer, field.node, `its default does not fit: ${error.message}`)
    throw error
  }
  return new DefaultKernel(column, out.take(), resolve(field.node, field.node, column, place))
}

function resolve(writer: Node, reader: Node, column: Column, place: Place): Kernel {
  if (column.type.kind === 'json') {
    const reason = `avro ${reader.type === 'record' ? 'recursive type' : 'union'}`
    return new JsonKernel(as(column, 'var'), writer, reader, rows => place.slow(reason, rows))
  }
  if (writer.type === 'union') return resolveUnion(writer, reader, column, place)
  if (writer.type === 'null') return column.nullable ? new NullKernel(column) : fail(place, writer, reader)
  const kernel = value(writer, nullableOf(reader)?.node ?? reader, column, place)
  return column.nullable ? new PresentKernel(column, kernel) : kernel
}

function resolveUnion(writer: Node & { type: 'union' }, reader: Node, column: Column, place: Place): Kernel {
  const nullable = nullableOf(writer)
  let refused: unknown = null
  const attempt = <T>(make: () => T): T | null => {
    try {
      return make()
    } catch (error) {
      if (!(error instanceof ConnectError) || error.code !== 'D003_INCOMPATIBLE_SCHEMA') throw error
      refused = error
      return null
    }
  }
  if (nullable) {
    const inner = attempt(() => value(nullable.node, nullableOf(reader)?.node ?? reader, column, place))
    if (inner) return new NullableKernel(column, inner, nullable.nullAt, !column.nullable)
  }
  const branches = writer.branches.map(b => (b.type === 'null' ? 'null' : attempt(() => resolve(b, reader, column, place))))
  if (branches.every(b => b === null)) throw refused
  return new UnionKernel(column, branches)
}

/** A type that is neither union nor null into the values of a column. */
function value(writer: Node, reader: Node, column: Column, place: Place): Kernel {
  const refuse = (): never => fail(place, writer, reader)
  checkLogical(writer, reader, place)
  const w = writer.type
  switch (reader.type) {
    case 'boolean':
      return w === 'boolean' ? new BoolKernel(as(column, 'bool')) : refuse()
    case 'int':
      return w === 'int' ? new IntKernel(as(column, 'i32')) : refuse()
    case 'long':
      return w === 'int' || w === 'long' ? new LongKernel(as(column, 'i64'), w === 'int') : refuse()
    case 'float':
    case 'double': {
      const out = reader.type === 'float' ? as(column, 'f32') : as(column, 'f64')
      if (w === 'int' || w === 'long') return new IntToFloatKernel(out, w === 'int')
      if (w === 'float') return new FloatKernel(out)
      return w === 'double' && reader.type === 'double' ? new DoubleKernel(as(column, 'f64')) : refuse()
    }
    case 'bytes':
    case 'string':
      if (w !== 'bytes' && w !== 'string') return refuse()
      if (reader.logical?.kind === 'decimal') return new DecimalKernel(as(column, 'fixed'), null, reader.logical.precision)
      return reader.logical?.kind === 'uuid' ? new UuidKernel(as(column, 'fixed')) : new StringKernel(as(column, 'var'))
    case 'fixed':
      if (writer.type !== 'fixed' || writer.size !== reader.size || !sameName(writer.name, reader.name, reader.aliases))
        return refuse()
      if (reader.logical?.kind !== 'decimal') return new FixedKernel(as(column, 'fixed'))
      return new DecimalKernel(as(column, 'fixed'), reader.size, reader.logical.precision)
    case 'enum': {
      if (writer.type !== 'enum' || !sameName(writer.name, reader.name, reader.aliases)) return refuse()
      const fallback = reader.fallback === null ? -1 : reader.symbols.indexOf(reader.fallback)
      const ids = writer.symbols.map(s => (reader.symbols.includes(s) ? reader.symbols.indexOf(s) : fallback))
      return new EnumKernel(as(column, 'dictionary'), Int32Array.from(ids))
    }
    case 'array': {
      if (writer.type !== 'array') return refuse()
      const list = as(column, 'list')
      return new ListKernel(list, resolve(writer.items, reader.items, list.child, inside(place, 'item')), minBytes(writer.items))
    }
    case 'map': {
      if (writer.type !== 'map') return refuse()
      const map = as(column, 'map')
      return new MapKernel(map, resolve(writer.values, reader.values, map.child, inside(place, 'value')), minBytes(writer.values))
    }
    case 'record':
      if (writer.type !== 'record') return refuse()
      return new RecordKernel(fieldKernels(writer, reader, as(column, 'struct').children, place))
    case 'null':
    case 'union':
      return refuse()
  }
}

const logicalOf = (node: Node): Logical | null => ('logical' in node ? node.logical : null)

function checkLogical(writer: Node, reader: Node, place: Place): void {
  const w = logicalOf(writer)
  const r = logicalOf(reader)
  if (!w || !r) return
  const key = (l: Logical): string => JSON.stringify(l.kind === 'decimal' ? [l.kind, l.scale] : Object.values(l))
  if (key(w) !== key(r)) fail(place, writer, reader, `logical type ${key(w)} cannot be read as ${key(r)}`)
}

/** The column as one of this layout. The reader's schema decided the layout, so another one is a bug. */
function as<L extends Layout>(column: Column, layout: L): Extract<Column, { layout: L }> {
  if (column.layout !== layout)
    throw new ConnectError('R001_INTERNAL', `an Avro column of layout ${column.layout} should be ${layout}`)
  return column as Extract<Column, { layout: L }>
}
