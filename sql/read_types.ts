import type { DataType, Field } from '../runtime/schema'
import { unwrap } from './bind'
import { type ChArgument, type ChType, parseChType } from './ch_type'
import { NULL_SUFFIX, WRAPPED } from './types'

/**
 * ClickHouse's types as ours, for reading. What has no type here comes as text: 128-bit and wider integers, wide decimals,
 * addresses, enums, Variant, Dynamic. JSON comes as json. UInt64 comes as i64, and a value beyond 2^63 - 1 is an error.
 */
export interface ReadField {
  readonly field: Field
  /** Position of the value, and of its companion, among the columns or tuple elements of the answer. */
  readonly at: number
  readonly companionAt: number | null
  /** The value is the first element of a `Tuple(value, value__null)`. */
  readonly wrapped: boolean
  /** Item of a list or map; fields of a struct. */
  readonly children: readonly ReadField[]
}

export interface ReadColumn {
  readonly name: string
  readonly type: ChType
}

const type = (name: string, ...args: readonly ChArgument[]): ChType => ({ name, args })
const number = (value: number): ChArgument => ({ kind: 'number', value })
const UTC: ChArgument = { kind: 'text', text: 'UTC', value: null }

const SAME = /^(Bool|U?Int(8|16|32|64)|Float(32|64)|String|FixedString|UUID|Date32|Nothing)$/

/** The type to ask for, so that the answer's Arrow form is one we read; the same type where it is already. */
export function readable(t: ChType): ChType {
  if (SAME.test(t.name)) return t
  switch (t.name) {
    case 'Nullable':
    case 'Array':
    case 'Map':
    case 'Tuple':
      return { name: t.name, args: t.args.map((a, i) => readableArgument(a, t.name === 'Map' && i === 0)) }
    case 'LowCardinality':
    case 'SimpleAggregateFunction': {
      const inner = t.args[t.args.length - 1]
      return inner?.kind === 'type' ? readable(inner.type) : type('String')
    }
    case 'BFloat16':
      return type('Float32')
    case 'Date':
      return type('Date32')
    case 'DateTime':
      return type('DateTime64', number(0), UTC)
    case 'DateTime64':
      return type('DateTime64', number(wholeScale(t.args[0])), UTC)
    case 'Decimal':
      return t.args[0]?.kind === 'number' && t.args[0].value <= 38 ? t : type('String')
    default:
      return type('String')
  }
}

const readableArgument = (a: ChArgument, asText: boolean): ChArgument =>
  a.kind === 'type' ? { ...a, type: asText ? type('String') : readable(a.type) } : a

/** Digits of the next of our units: s, ms, us, ns. */
const wholeScale = (scale: ChArgument | undefined): number => Math.ceil((scale?.kind === 'number' ? scale.value : 3) / 3) * 3

/** Fields for columns or tuple elements of readable types; companions of nullable containers are folded into them. */
export function readFields(columns: readonly ReadColumn[]): readonly ReadField[] {
  const index = new Map(columns.map((c, i) => [c.name, i]))
  const companionOf = (name: string): number | null => {
    const at = index.get(name + NULL_SUFFIX)
    return at !== undefined && columns[at].type.name === 'Bool' ? at : null
  }
  return columns.flatMap(({ name, type: t }, at) => {
    const owner = name.endsWith(NULL_SUFFIX) ? columns[index.get(name.slice(0, -NULL_SUFFIX.length)) ?? -1] : undefined
    if (owner && t.name === 'Bool' && isContainerName(owner.type)) return []
    return [readField(name, t, at, isContainerName(t) ? companionOf(name) : null, false)]
  })
}

const isContainerName = (t: ChType): boolean => ['Array', 'Map', 'Tuple'].includes(unwrap(t).type.name)

function readField(name: string, text: ChType, at: number, companionAt: number | null, wrapped: boolean): ReadField {
  const { type: bare, nullable } = unwrap(text)
  const children = childrenOf(bare)
  const field: Field = { name, type: dataType(bare, children), nullable: nullable || companionAt !== null || wrapped }
  return { field, at, companionAt, wrapped, children }
}

function childrenOf(t: ChType): readonly ReadField[] {
  const types = t.args.flatMap(a => (a.kind === 'type' ? [a] : []))
  if (t.name === 'Array') return [readItem('item', types[0].type)]
  if (t.name === 'Map') return [readItem('value', types[1].type)]
  if (t.name === 'Tuple') return readFields(types.map((a, i) => ({ name: a.label ?? String(i + 1), type: a.type })))
  return []
}

function readItem(name: string, t: ChType): ReadField {
  const [value, flag] = t.args
  const wrapped =
    t.name === 'Tuple' &&
    t.args.length === 2 &&
    value.kind === 'type' &&
    flag.kind === 'type' &&
    value.label === WRAPPED &&
    flag.label === WRAPPED + NULL_SUFFIX &&
    isContainerName(value.type)
  return wrapped ? readField(name, value.type, 0, 1, true) : readField(name, t, 0, null, false)
}

function dataType(t: ChType, children: readonly ReadField[]): DataType {
  const [first, second] = t.args.map(a => (a.kind === 'number' ? a.value : 0))
  switch (t.name) {
    case 'Bool':
      return { kind: 'bool' }
    case 'Int8':
    case 'UInt8':
    case 'Int16':
    case 'UInt16':
    case 'Int32':
      return { kind: 'i32' }
    case 'UInt32':
    case 'Int64':
    case 'UInt64':
      return { kind: 'i64' }
    case 'Float32':
      return { kind: 'f32' }
    case 'Float64':
      return { kind: 'f64' }
    case 'Date32':
      return { kind: 'date' }
    case 'DateTime64':
      return { kind: 'timestamp', unit: (['s', 'ms', 'us', 'ns'] as const)[first / 3], zoned: true }
    case 'Decimal':
      return { kind: 'decimal', precision: first, scale: second }
    case 'UUID':
      return { kind: 'uuid' }
    case 'FixedString':
      return { kind: 'fixed', size: first }
    case 'Array':
      return { kind: 'list', item: children[0].field }
    case 'Map':
      return { kind: 'map', value: children[0].field }
    case 'Tuple':
      return { kind: 'struct', fields: children.map(c => c.field) }
    default:
      return { kind: 'utf8' }
  }
}

/** A type text; what cannot be taken apart is read as text. */
export const readType = (text: string): ChType => parseChType(text) ?? type('Opaque')
