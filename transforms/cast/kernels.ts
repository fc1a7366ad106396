import { type Column, F32Column, F64Column, I32Column, I64Column } from '../../runtime/column'
import type { Field } from '../../runtime/schema'

/**
 * Numbers to numbers without a value per row. A kernel writes every row, dead ones too, and says of each whether it is right;
 * the caller converts the others one by one and so finds what is wrong with them.
 */
export type NumberCast = (column: Column, length: number, bad: Uint8Array) => Column

/** The kernel for two numeric kinds; null if there is none. */
export function numberCast(from: Field, to: Field): NumberCast | null {
  const source = SOURCES[from.type.kind]
  const target = TARGETS[to.type.kind]
  if (source === undefined || target === undefined) return null
  return (column, length, bad) => target(to, source(column, length), length, bad)
}

/** Values of a column as doubles; NaN where a double cannot hold the integer exactly. */
const SOURCES: Readonly<Record<string, (column: Column, length: number) => Float64Array | Float32Array | Int32Array>> = {
  i32: values,
  f32: values,
  f64: values,
  i64: (column, length) => {
    const out = new Float64Array(length)
    if (column.layout !== 'i64') return out
    const { halves } = column
    for (let i = 0; i < length; i++) {
      const high = halves[2 * i + 1]
      out[i] = high >= -0x200000 && high < 0x200000 ? high * 4294967296 + (halves[2 * i] >>> 0) : Number.NaN
    }
    return out
  },
}

function values(column: Column): Float64Array | Float32Array | Int32Array {
  return column.layout === 'f64' || column.layout === 'f32' || column.layout === 'i32' ? column.values : new Float64Array(0)
}

type Target = (to: Field, from: Float64Array | Float32Array | Int32Array, length: number, bad: Uint8Array) => Column

const TARGETS: Readonly<Record<string, Target>> = {
  i32: (to, from, length, bad) => {
    const column = new I32Column(to.type, to.nullable)
    column.reserve(length)
    const out = column.values
    for (let i = 0; i < length; i++) {
      out[i] = from[i]
      if (out[i] !== from[i]) bad[i] = 1
    }
    return column
  },
  i64: (to, from, length, bad) => {
    const column = new I64Column(to.type, to.nullable)
    column.reserve(length)
    for (let i = 0; i < length; i++) {
      const value = from[i]
      if (Number.isSafeInteger(value)) column.setNumber(i, value)
      else bad[i] = 1
    }
    return column
  },
  // NaN goes the slow way, because here it may stand for a large integer
  f64: (to, from, length, bad) => {
    const column = new F64Column(to.type, to.nullable)
    column.reserve(length)
    const out = column.values
    for (let i = 0; i < length; i++) {
      out[i] = from[i]
      if (Number.isNaN(out[i])) bad[i] = 1
    }
    return column
  },
  f32: (to, from, length, bad) => {
    const column = new F32Column(to.type, to.nullable)
    column.reserve(length)
    const out = column.values
    for (let i = 0; i < length; i++) {
      out[i] = from[i]
      // a finite double that becomes infinite is out of range; NaN as above
      if (out[i] - out[i] !== 0) bad[i] = 1
    }
    return column
  },
}
