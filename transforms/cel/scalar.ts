import type { Column } from '../../runtime/column'
import { type ArithmeticSign, type CelValue, type ColumnRef, type CompareSign, type Node, RowFailure } from './node'
import { cellReader, checkedInt } from './values'

/** Computes one row. Throws RowFailure where CEL has an error. */
export type Scalar = (columns: readonly Column[], row: number) => CelValue

/**
 * The exact evaluator, one closure per node: what the kernels of vector.ts must agree with, and what computes everything they
 * do not cover.
 *
 * Nulls: arithmetic and calls with a null are null; an order comparison with a null is false; `==` holds between two nulls
 * only and `!=` is its opposite; where a bool is needed, null counts as false.
 */
export function compileScalar(node: Node): Scalar {
  switch (node.op) {
    case 'const':
      return () => node.value
    case 'column':
      return columnScalar(node)
    case 'not': {
      const arg = compileScalar(node.arg)
      return (columns, row) => arg(columns, row) !== true
    }
    case 'negate': {
      const arg = compileScalar(node.arg)
      return (columns, row) => negated(arg(columns, row))
    }
    case 'and':
      return logical(compileScalar(node.left), compileScalar(node.right), false)
    case 'or':
      return logical(compileScalar(node.left), compileScalar(node.right), true)
    case 'compare': {
      const left = compileScalar(node.left)
      const right = compileScalar(node.right)
      const { sign } = node
      return (columns, row) => compareValues(sign, left(columns, row), right(columns, row))
    }
    case 'arithmetic': {
      const left = compileScalar(node.left)
      const right = compileScalar(node.right)
      const { sign, type } = node
      return (columns, row) => {
        const a = left(columns, row)
        const b = right(columns, row)
        return a === null || b === null ? null : calculate(sign, a, b, type)
      }
    }
    case 'choose': {
      const test = compileScalar(node.test)
      const then = compileScalar(node.then)
      const otherwise = compileScalar(node.otherwise)
      const widen = node.type === 'double'
      return (columns, row) => {
        const value = test(columns, row) === true ? then(columns, row) : otherwise(columns, row)
        return widen && typeof value === 'bigint' ? Number(value) : value
      }
    }
    case 'in': {
      const arg = compileScalar(node.arg)
      return (columns, row) => {
        const value = arg(columns, row)
        return node.list.some(item => equal(value, item))
      }
    }
    case 'call': {
      const args = node.args.map(compileScalar)
      return (columns, row) => {
        const values = args.map(arg => arg(columns, row))
        return values.includes(null) ? null : node.run(values)
      }
    }
  }
}

function columnScalar(node: ColumnRef): Scalar {
  const [first, ...inner] = node.path
  const read = cellReader(node.column)
  if (inner.length === 0) return (columns, row) => read(columns[first], row)
  return (columns, row) => {
    let column = columns[first]
    for (const index of inner) {
      if (column.nulls?.[row] || column.layout !== 'struct') return null
      column = column.children[index]
    }
    return read(column, row)
  }
}

/** `&&` (decides = false) and `||` (decides = true). As CEL has it, an error on one side is absorbed where the other decides. */
function logical(left: Scalar, right: Scalar, decides: boolean): Scalar {
  return (columns, row) => {
    let failure: unknown = null
    try {
      if ((left(columns, row) === true) === decides) return decides
    } catch (error) {
      failure = error
    }
    const value = right(columns, row) === true
    if (value === decides) return decides
    if (failure !== null) throw failure
    return value
  }
}

export function equal(a: CelValue, b: CelValue): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  if (typeof a === 'bigint' && typeof b === 'number') return Number.isInteger(b) && a === BigInt(b)
  if (typeof a === 'number' && typeof b === 'bigint') return equal(b, a)
  return a === b
}

function compareValues(sign: CompareSign, a: CelValue, b: CelValue): boolean {
  if (sign === '==') return equal(a, b)
  if (sign === '!=') return !equal(a, b)
  if (a === null || b === null) return false
  switch (sign) {
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    case '>=':
      return a >= b
  }
}

function negated(value: CelValue): CelValue {
  if (value === null) return null
  return typeof value === 'bigint' ? checkedInt(-value) : -(value as number)
}

function calculate(sign: ArithmeticSign, a: CelValue, b: CelValue, type: string): CelValue {
  if (type === 'double') return doubles(sign, Number(a), Number(b))
  if (type === 'string') return (a as string) + (b as string)
  const result = integers(sign, a as bigint, b as bigint)
  return type === 'int' ? checkedInt(result) : result
}

function doubles(sign: ArithmeticSign, a: number, b: number): number {
  switch (sign) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      return a / b
    case '%':
      return a % b
  }
}

/** Integers, timestamps and durations (which only add and subtract). Division rounds towards zero. */
function integers(sign: ArithmeticSign, a: bigint, b: bigint): bigint {
  if ((sign === '/' || sign === '%') && b === 0n) throw new RowFailure('division by zero')
  switch (sign) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      return a / b
    case '%':
      return a % b
  }
}
