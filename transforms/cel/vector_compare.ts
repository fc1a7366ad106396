import type { Column, I64Column } from '../../runtime/column'
import type { DataType } from '../../runtime/schema'
import { type Frame, type MaskKernel, type NumberKernel, scratchMask } from './frame'
import type { ColumnRef, CompareSign, Comparison, Const, Node } from './node'
import { isNullConst } from './node'
import { tickNanos } from './values'
import { textKernel } from './vector_text'

/** What a comparison gives where the left side is less, equal or greater; anything else (NaN) gives 0. `flip` inverts it all. */
interface Verdict {
  readonly less: 0 | 1
  readonly equal: 0 | 1
  readonly greater: 0 | 1
  readonly flip: 0 | 1
}

const VERDICTS: Readonly<Record<CompareSign, Verdict>> = {
  '<': { less: 1, equal: 0, greater: 0, flip: 0 },
  '<=': { less: 1, equal: 1, greater: 0, flip: 0 },
  '>': { less: 0, equal: 0, greater: 1, flip: 0 },
  '>=': { less: 0, equal: 1, greater: 1, flip: 0 },
  '==': { less: 0, equal: 1, greater: 0, flip: 0 },
  // as the opposite of ==, so that NaN differs from everything
  '!=': { less: 0, equal: 1, greater: 0, flip: 1 },
}

const MIRRORED: Readonly<Record<CompareSign, CompareSign>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
  '==': '==',
  '!=': '!=',
}

/** A mask for a comparison of numbers, times or texts, or a test for null; null where none of these kernels fits. */
export function compareKernel(node: Comparison, numbers: (node: Node) => NumberKernel | null): MaskKernel | null {
  if (isNullConst(node.right) || isNullConst(node.left)) return nullTest(node)
  if (node.left.op === 'const')
    return compareKernel({ ...node, sign: MIRRORED[node.sign], left: node.right, right: node.left }, numbers)
  if (node.left.op === 'column' && node.right.op === 'const' && node.left.path.length === 1) {
    const kernel = textKernel(node) ?? columnToConst(node.sign, node.left, node.right)
    if (kernel) return kernel
  }
  const isNumber = (n: Node): boolean => n.type === 'int' || n.type === 'double'
  if (!isNumber(node.left) || !isNumber(node.right)) return null
  const left = numbers(node.left)
  const right = numbers(node.right)
  return left && right && compareNumbers(node.sign, left, right)
}

function nullTest(node: Comparison): MaskKernel | null {
  const arg = isNullConst(node.right) ? node.left : node.right
  if (arg.op !== 'column' || arg.path.length > 1) return null
  const [index] = arg.path
  const isNull = node.sign === '==' ? 1 : 0
  return scratchMask((out, { columns, rows, count }) => {
    const { nulls } = columns[index]
    if (nulls === null) out.fill(isNull ^ 1, 0, count)
    else for (let i = 0; i < count; i++) out[i] = nulls[rows === null ? i : rows[i]] ^ isNull ^ 1
  })
}

/** A constant as an integer at or below it (`floor`), with the verdict to use in its stead: v < 2.5 is v <= 2. */
interface Threshold {
  readonly floor: bigint
  readonly verdict: Verdict
}

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -INT64_MAX - 1n

function threshold(type: DataType, constant: Const, verdict: Verdict): Threshold | null {
  const { value } = constant
  const below = { ...verdict, equal: verdict.less }
  const at = (floor: bigint, exact: boolean): Threshold => {
    if (floor > INT64_MAX) return { floor: INT64_MAX, verdict: below }
    if (floor < INT64_MIN) return { floor: INT64_MIN, verdict: { ...verdict, equal: verdict.greater } }
    return { floor, verdict: exact ? verdict : below }
  }
  if (typeof value === 'bigint' && constant.type === 'int') return at(value, true)
  if (typeof value === 'bigint') {
    const nanos = tickNanos(type)
    const rest = ((value % nanos) + nanos) % nanos
    return at((value - rest) / nanos, rest === 0n)
  }
  if (typeof value !== 'number' || Number.isNaN(value)) return null
  if (!Number.isFinite(value)) return at(value > 0 ? INT64_MAX + 1n : INT64_MIN - 1n, false)
  return at(BigInt(Math.floor(value)), Number.isInteger(value))
}

function columnToConst(sign: CompareSign, left: ColumnRef, right: Const): MaskKernel | null {
  const [index] = left.path
  const nullGives = sign === '!=' ? 1 : 0
  const overNulls = (compare: (out: Uint8Array, column: Column, frame: Frame) => void): MaskKernel =>
    scratchMask((out, frame) => {
      const column = frame.columns[index]
      compare(out, column, frame)
      fillNulls(out, column, nullGives, frame)
    })
  switch (left.column.kind) {
    case 'f32':
    case 'f64':
      return typeof right.value === 'number' || typeof right.value === 'bigint' ? floats(VERDICTS[sign], right, overNulls) : null
    case 'i32':
    case 'i64':
    case 'date':
    case 'time':
    case 'timestamp': {
      const limit = threshold(left.column, right, VERDICTS[sign])
      if (limit === null) return null
      return overNulls((out, column, frame) => {
        if (column.layout === 'i64') compareInt64(out, column, limit, frame)
        else if (column.layout === 'i32') compareValues(out, column.values, Number(limit.floor), limit.verdict, frame)
      })
    }
    default:
      return null
  }
}

type OverNulls = (compare: (out: Uint8Array, column: Column, frame: Frame) => void) => MaskKernel

function floats(verdict: Verdict, right: Const, overNulls: OverNulls): MaskKernel | null {
  const limit = Number(right.value)
  if (typeof right.value === 'bigint' && BigInt(limit) !== right.value) return null
  return overNulls((out, column, frame) => {
    if (column.layout === 'f64' || column.layout === 'f32') compareValues(out, column.values, limit, verdict, frame)
  })
}

function compareValues(
  out: Uint8Array,
  values: Float64Array | Float32Array | Int32Array,
  limit: number,
  verdict: Verdict,
  { rows, count }: Frame,
): void {
  const { less, equal, greater, flip } = verdict
  if (rows === null) {
    // no jumps inside: what a filter sees is rarely predictable, and a mispredicted jump costs more than three comparisons
    for (let i = 0; i < count; i++) {
      const value = values[i]
      out[i] = ((Number(value < limit) & less) | (Number(value === limit) & equal) | (Number(value > limit) & greater)) ^ flip
    }
    return
  }
  for (let i = 0; i < count; i++) {
    const value = values[rows[i]]
    out[i] = ((Number(value < limit) & less) | (Number(value === limit) & equal) | (Number(value > limit) & greater)) ^ flip
  }
}

function compareInt64(out: Uint8Array, column: I64Column, { floor, verdict }: Threshold, { rows, count }: Frame): void {
  const { less, equal, greater, flip } = verdict
  const { halves } = column
  const limitHigh = Number(floor >> 32n)
  const limitLow = Number(floor & 0xffffffffn)
  for (let i = 0; i < count; i++) {
    const at = 2 * (rows === null ? i : rows[i])
    const high = halves[at + 1]
    const low = halves[at] >>> 0
    const isLess = high < limitHigh || (high === limitHigh && low < limitLow)
    out[i] = (isLess ? less : high === limitHigh && low === limitLow ? equal : greater) ^ flip
  }
}

function fillNulls(out: Uint8Array, column: Column, value: 0 | 1, { rows, count }: Frame): void {
  const { nulls } = column
  if (nulls === null) return
  for (let i = 0; i < count; i++) if (nulls[rows === null ? i : rows[i]]) out[i] = value
}

function compareNumbers(sign: CompareSign, left: NumberKernel, right: NumberKernel): MaskKernel {
  const { less, equal, greater, flip } = VERDICTS[sign]
  const equality = sign === '==' || sign === '!='
  return scratchMask((out, frame) => {
    const a = left(frame)
    const b = right(frame)
    for (let i = 0; i < frame.count; i++) {
      const x = a.values[i]
      const y = b.values[i]
      out[i] = (x < y ? less : x > y ? greater : x === y ? equal : 0) ^ flip
    }
    if (a.nulls === null && b.nulls === null) return
    for (let i = 0; i < frame.count; i++) {
      const nulls = (a.nulls?.[i] ?? 0) + (b.nulls?.[i] ?? 0)
      // two nulls are equal, one null equals nothing; in an order comparison a null gives false
      if (nulls > 0) out[i] = equality ? (nulls === 2 ? 1 : 0) ^ flip : 0
    }
  })
}
