import type { Column, I64Column } from '../../runtime/column'
import { type Frame, type MaskKernel, type NumberKernel, scratchMask } from './frame'
import type { ArithmeticSign, ColumnRef, Membership } from './node'

/** Kernels over numbers. Ints are doubles while they are within 2^53; a row with a larger one is marked bad. */

/** A kernel with its own buffers for values and nulls, grown as needed. */
function scratchNumbers(fill: (values: Float64Array, nulls: Uint8Array, frame: Frame) => boolean): NumberKernel {
  let values = new Float64Array(0)
  let nulls = new Uint8Array(0)
  return frame => {
    if (values.length < frame.count) {
      values = new Float64Array(frame.count)
      nulls = new Uint8Array(frame.count)
    }
    return { values, nulls: fill(values, nulls, frame) ? nulls : null }
  }
}

/** Null if the column does not hold numbers at the top level. */
export function loadNumbers(node: ColumnRef): NumberKernel | null {
  const { kind } = node.column
  if (node.path.length > 1 || (kind !== 'i32' && kind !== 'i64' && kind !== 'f32' && kind !== 'f64')) return null
  const [index] = node.path
  const gather = scratchNumbers((values, nulls, frame) => {
    const column = frame.columns[index]
    loadValues(column, values, frame)
    return loadNulls(column, nulls, frame)
  })
  return frame => {
    const column = frame.columns[index]
    // the column's own buffer serves as it is
    if (column.layout === 'f64' && frame.rows === null) return { values: column.values, nulls: column.nulls }
    return gather(frame)
  }
}

function loadValues(column: Column, out: Float64Array, frame: Frame): void {
  const { rows, count } = frame
  if (column.layout === 'i64') loadInt64(column, out, frame)
  else if (column.layout === 'f64' || column.layout === 'f32' || column.layout === 'i32') {
    const { values } = column
    for (let i = 0; i < count; i++) out[i] = values[rows === null ? i : rows[i]]
  }
}

// high half of integers within +-2^53: -2^21 .. 2^21 - 1 (that takes in -2^53 itself, which is exact and harmless as an input)
const SAFE_HIGH = 0x200000

function loadInt64(column: I64Column, out: Float64Array, { rows, count, bad }: Frame): void {
  const { halves, nulls } = column
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]
    const high = halves[2 * row + 1]
    out[i] = high * 4294967296 + (halves[2 * row] >>> 0)
    if ((high < -SAFE_HIGH || high >= SAFE_HIGH) && !nulls?.[row]) bad[i] = 1
  }
}

/** False if the column has no nulls. */
export function loadNulls(column: Column, out: Uint8Array, { rows, count }: Frame): boolean {
  const { nulls } = column
  if (nulls === null) return false
  for (let i = 0; i < count; i++) out[i] = nulls[rows === null ? i : rows[i]]
  return true
}

export function negateKernel(arg: NumberKernel, type: string): NumberKernel {
  // 0 - v never gives the negative zero, which a double has and an integer has not
  const isInt = type === 'int'
  return scratchNumbers((out, nulls, frame) => {
    const a = arg(frame)
    for (let i = 0; i < frame.count; i++) out[i] = isInt ? 0 - a.values[i] : -a.values[i]
    return mergeNulls(a.nulls, null, nulls, frame.count)
  })
}

function mergeNulls(a: Uint8Array | null, b: Uint8Array | null, out: Uint8Array, count: number): boolean {
  if (a === null && b === null) return false
  for (let i = 0; i < count; i++) out[i] = (a === null ? 0 : a[i]) | (b === null ? 0 : b[i])
  return true
}

export function arithmeticKernel(
  sign: ArithmeticSign,
  type: 'int' | 'double',
  left: NumberKernel,
  right: NumberKernel,
): NumberKernel {
  const compute = OPERATIONS[sign]
  return scratchNumbers((out, nulls, frame) => {
    const a = left(frame)
    const b = right(frame)
    compute(a.values, b.values, out, frame.count)
    const some = mergeNulls(a.nulls, b.nulls, nulls, frame.count)
    if (type === 'int') keepInts(sign, b.values, out, some ? nulls : null, frame)
    return some
  })
}

type Operation = (a: Float64Array, b: Float64Array, out: Float64Array, count: number) => void

const OPERATIONS: Readonly<Record<ArithmeticSign, Operation>> = {
  '+': (a, b, out, count) => {
    for (let i = 0; i < count; i++) out[i] = a[i] + b[i]
  },
  '-': (a, b, out, count) => {
    for (let i = 0; i < count; i++) out[i] = a[i] - b[i]
  },
  '*': (a, b, out, count) => {
    for (let i = 0; i < count; i++) out[i] = a[i] * b[i]
  },
  '/': (a, b, out, count) => {
    for (let i = 0; i < count; i++) out[i] = a[i] / b[i]
  },
  '%': (a, b, out, count) => {
    for (let i = 0; i < count; i++) out[i] = a[i] % b[i]
  },
}

/**
 * Makes integers of the results. Operands are within 2^53, so a result beyond it is seen even after rounding (rounding is
 * monotonic), and the quotient of two such integers never rounds up to the next integer (the distance 1/b exceeds half an ulp).
 */
function keepInts(sign: ArithmeticSign, divisor: Float64Array, out: Float64Array, nulls: Uint8Array | null, frame: Frame): void {
  const divides = sign === '/' || sign === '%'
  for (let i = 0; i < frame.count; i++) {
    // + 0 turns the negative zero into the zero an integer has
    const value = Math.trunc(out[i]) + 0
    out[i] = value
    const exact = value >= -Number.MAX_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER && !(divides && divisor[i] === 0)
    if (!exact && (nulls === null || nulls[i] === 0)) frame.bad[i] = 1
  }
}

/** `x in [numbers]` over a numeric column or expression-free node; null otherwise. */
export function numberSetKernel(node: Membership): MaskKernel | null {
  if (node.arg.op !== 'column' || node.list.some(v => typeof v !== 'number' && typeof v !== 'bigint')) return null
  const load = loadNumbers(node.arg)
  if (load === null) return null
  // a Set finds NaN, CEL does not
  const wanted = node.list.map(Number).filter(v => !Number.isNaN(v))
  if (node.list.some(v => typeof v === 'bigint' && !Number.isSafeInteger(Number(v)))) return null
  const set = new Set(wanted)
  const few = wanted.length <= 8
  return scratchMask((out, frame) => {
    const { values, nulls } = load(frame)
    for (let i = 0; i < frame.count; i++) out[i] = (few ? wanted.includes(values[i]) : set.has(values[i])) && !nulls?.[i] ? 1 : 0
  })
}
