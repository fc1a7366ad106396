import type {
  BoolColumn,
  Column,
  DictionaryColumn,
  F32Column,
  F64Column,
  FixedColumn,
  I32Column,
  I64Column,
  VarColumn,
} from '../../../runtime/column'
import type { DataType, TimeUnit } from '../../../runtime/schema'
import { Unfit } from './json_write'
import { parseUuid } from './logical_kernels'
import type { Output } from './output'
import type { EnumNode, FixedNode, Logical, PrimitiveNode } from './schema'

/** Writes one row of a column as Avro. Throws Unfit for a value the schema cannot take. */
export type Put = (out: Output, column: Column, row: number) => void

const PER_SECOND: Readonly<Record<TimeUnit, number>> = { s: 1, ms: 1e3, us: 1e6, ns: 1e9 }

/** How to write this column type as this Avro type without nulls, unions or children; null if it cannot be. */
export function putLeaf(node: PrimitiveNode | FixedNode | EnumNode, type: DataType): Put | null {
  switch (node.type) {
    case 'boolean':
      return type.kind === 'bool' ? (out, c, row) => out.byte((c as BoolColumn).values[row]) : null
    case 'int':
      if (type.kind !== 'i32' && !sameLogical(node.logical, type)) return null
      return type.kind === 'i32' || type.kind === 'date' || (type.kind === 'time' && type.unit === 'ms') ? putInt : null
    case 'long':
      if (type.kind === 'i32') return putInt
      if (type.kind === 'i64') return putLong
      if (type.kind === 'time' && type.unit === 'us') return sameLogical(node.logical, type) ? putLong : null
      return type.kind === 'timestamp' ? putTimestamp(node.logical, type) : null
    case 'float':
      return type.kind === 'f32' ? (out, c, row) => out.float((c as F32Column).values[row]) : null
    case 'double':
      if (type.kind !== 'f64' && type.kind !== 'f32' && type.kind !== 'i32') return null
      return (out, c, row) => out.double((c as F64Column | F32Column | I32Column).values[row])
    case 'string':
      return putString(node.logical, type)
    case 'bytes':
      if (type.kind === 'decimal') return putDecimal(node.logical, type, null)
      return node.logical === null && (type.kind === 'bytes' || type.kind === 'utf8') ? putVar : null
    case 'fixed':
      if (type.kind === 'decimal') return putDecimal(node.logical, type, node.size)
      if (type.kind === 'uuid' ? node.size !== 16 : type.kind !== 'fixed' || type.size !== node.size) return null
      return node.logical?.kind === 'decimal' ? null : putFixed
    case 'enum':
      return putEnum(node, type)
    case 'null':
      return null
  }
}

/** Ticks may go into a plain number; never into another logical type. */
const sameLogical = (logical: Logical | null, type: DataType): boolean =>
  logical === null || JSON.stringify(logical) === JSON.stringify(type)

const putInt: Put = (out, c, row) => out.int((c as I32Column).values[row])
const putLong: Put = (out, c, row) => {
  const { halves } = c as I64Column
  out.long(halves[2 * row], halves[2 * row + 1])
}
const putVar: Put = (out, c, row) => {
  const { data, offsets } = c as VarColumn
  out.bytes(data, offsets[row], offsets[row + 1])
}
const putFixed: Put = (out, c, row) => {
  const { data, width } = c as FixedColumn
  out.raw(data, row * width, (row + 1) * width)
}

/** A finer unit is multiplied, as Avro has no seconds; a coarser one would lose digits and is refused. */
function putTimestamp(logical: Logical | null, type: DataType & { kind: 'timestamp' }): Put | null {
  if (logical === null) return putLong
  if (logical.kind !== 'timestamp' || logical.zoned !== type.zoned) return null
  const factor = PER_SECOND[logical.unit] / PER_SECOND[type.unit]
  if (factor < 1) return null
  if (factor === 1) return putLong
  return (out, c, row) => {
    const ticks = (c as I64Column).bigint(row) * BigInt(factor)
    if (BigInt.asIntN(64, ticks) !== ticks) throw new Unfit(`the timestamp is beyond what 64 bits hold in ${logical.unit}`)
    out.bigint(ticks)
  }
}

function putString(logical: Logical | null, type: DataType): Put | null {
  switch (type.kind) {
    case 'uuid':
      return (out, c, row) => out.string(uuidText((c as FixedColumn).bytes(row)))
    case 'utf8':
      if (logical?.kind !== 'uuid') return putVar
      return (out, c, row) => {
        const text = (c as VarColumn).bytes(row)
        if (text.length !== 36 || !parseUuid(text, 0, Buffer.alloc(16), 0)) throw new Unfit('the text is no UUID')
        putVar(out, c, row)
      }
    case 'json':
      return logical ? null : putVar
    case 'dictionary':
      return logical
        ? null
        : (out, c, row) => {
            const { dictionary, ids } = c as DictionaryColumn
            out.string(dictionary[ids[row]])
          }
    default:
      return null
  }
}

/** Text of 16 bytes: 8-4-4-4-12 hexadecimal digits. */
export function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function putDecimal(logical: Logical | null, type: DataType & { kind: 'decimal' }, size: number | null): Put | null {
  if (logical?.kind !== 'decimal' || logical.scale !== type.scale || logical.precision < type.precision) return null
  const bytes = Buffer.alloc(Math.max(16, size ?? 0))
  return (out, c, row) => {
    const value = (c as FixedColumn).bytes(row)
    const sign = value[15] > 127 ? 255 : 0
    const width = bytes.length
    for (let k = 0; k < width; k++) bytes[width - 1 - k] = k < 16 ? value[k] : sign
    let start = 0
    // leading bytes that only repeat the sign
    while (start < width - 1 && bytes[start] === sign && bytes[start + 1] > 127 === sign > 0) start++
    if (size === null) return out.bytes(bytes, start, width)
    if (width - start > size) throw new Unfit(`the decimal does not fit ${size} bytes`)
    return out.raw(bytes, width - size, width)
  }
}

function putEnum(node: EnumNode, type: DataType): Put | null {
  const index = new Map(node.symbols.map((s, i) => [s, i]))
  const put = (out: Output, symbol: string): void => {
    const known = index.get(symbol)
    if (known === undefined) throw new Unfit(`"${symbol}" is no symbol of ${node.name}`)
    out.int(known)
  }
  if (type.kind === 'utf8') return (out, c, row) => put(out, (c as VarColumn).string(row))
  if (type.kind !== 'dictionary') return null
  return (out, c, row) => put(out, (c as DictionaryColumn).dictionary[(c as DictionaryColumn).ids[row]])
}
