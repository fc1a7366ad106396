import { type MaskKernel, type NumberKernel, scratchMask } from './frame'
import type { CelValue, ColumnRef, Node } from './node'
import { compileScalar } from './scalar'
import { compareKernel } from './vector_compare'
import { arithmeticKernel, loadNumbers, negateKernel, numberSetKernel } from './vector_numbers'
import { textKernel } from './vector_text'

/** A mask for a bool node. Always there: what has no kernel of its own runs the scalar evaluator row by row. */
export function maskKernel(node: Node): MaskKernel {
  return fastMask(node) ?? scalarMask(node)
}

/** Numbers for an int or double node; null if the scalar evaluator must do it. */
export function numberKernel(node: Node): NumberKernel | null {
  switch (node.op) {
    case 'const':
      return typeof node.value === 'number' || safe(node.value) ? constant(Number(node.value)) : null
    case 'column':
      return loadNumbers(node)
    case 'negate': {
      const arg = numberKernel(node.arg)
      return arg && negateKernel(arg, node.type)
    }
    case 'arithmetic': {
      if (node.type !== 'int' && node.type !== 'double') return null
      const left = numberKernel(node.left)
      const right = numberKernel(node.right)
      return left && right && arithmeticKernel(node.sign, node.type, left, right)
    }
    case 'call':
      return node.name === 'double(int)' || node.name === 'double(double)' ? numberKernel(node.args[0]) : null
    default:
      return null
  }
}

/** A kernel that needs no scalar evaluator, or null. */
function fastMask(node: Node): MaskKernel | null {
  switch (node.op) {
    case 'const': {
      const fill = node.value === true ? 1 : 0
      return scratchMask((out, frame) => out.fill(fill, 0, frame.count))
    }
    case 'column':
      return boolColumn(node)
    case 'not': {
      const arg = maskKernel(node.arg)
      return scratchMask((out, frame) => {
        const mask = arg(frame)
        for (let i = 0; i < frame.count; i++) out[i] = mask[i] ^ 1
      })
    }
    case 'and':
      return connective(node.left, node.right, 1)
    case 'or':
      return connective(node.left, node.right, 0)
    case 'compare':
      return compareKernel(node, numberKernel)
    case 'in':
      return textKernel(node) ?? numberSetKernel(node)
    case 'call':
      return textKernel(node)
    default:
      return null
  }
}

const safe = (value: CelValue): boolean => typeof value === 'bigint' && Number.isSafeInteger(Number(value))

const constant = (value: number): NumberKernel => {
  let values = new Float64Array(0)
  return ({ count }) => {
    if (values.length < count) values = new Float64Array(count).fill(value)
    return { values, nulls: null }
  }
}

function boolColumn(node: ColumnRef): MaskKernel | null {
  if (node.path.length > 1) return null
  const [index] = node.path
  return scratchMask((out, { columns, rows, count }) => {
    const column = columns[index]
    if (column.layout !== 'bool') return
    const { values, nulls } = column
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]
      out[i] = nulls?.[row] ? 0 : values[row]
    }
  })
}

/** A mask by the scalar evaluator. Errors are only marked: an `&&` further up may absorb them. */
function scalarMask(node: Node): MaskKernel {
  const scalar = compileScalar(node)
  return scratchMask((out, { columns, rows, count, bad }) => {
    for (let i = 0; i < count; i++) {
      try {
        out[i] = scalar(columns, rows === null ? i : rows[i]) === true ? 1 : 0
      } catch {
        out[i] = 0
        bad[i] = 1
      }
    }
  })
}

/**
 * `&&` (open = 1: only rows where the left side is true need the right one) and `||` (open = 0). A right side that runs row by
 * row gets only those rows; a vectorised one is cheaper over all of them.
 */
function connective(left: Node, right: Node, open: 0 | 1): MaskKernel {
  const first = maskKernel(left)
  const fast = fastMask(right)
  if (fast !== null) {
    return scratchMask((out, frame) => {
      const a = first(frame)
      const b = fast(frame)
      if (open === 1) for (let i = 0; i < frame.count; i++) out[i] = a[i] & b[i]
      else for (let i = 0; i < frame.count; i++) out[i] = a[i] | b[i]
    })
  }
  const second = scalarMask(right)
  let rows = new Int32Array(0)
  let positions = new Int32Array(0)
  return scratchMask((out, frame) => {
    const a = first(frame)
    if (rows.length < frame.count) {
      rows = new Int32Array(frame.count)
      positions = new Int32Array(frame.count)
    }
    let n = 0
    for (let i = 0; i < frame.count; i++) {
      out[i] = a[i]
      if (a[i] !== open) continue
      positions[n] = i
      rows[n++] = frame.rows === null ? i : frame.rows[i]
    }
    const bad = new Uint8Array(n)
    const b = second({ columns: frame.columns, rows, count: n, bad })
    for (let k = 0; k < n; k++) {
      out[positions[k]] = b[k]
      if (bad[k]) frame.bad[positions[k]] = 1
    }
  })
}
