import type { Batch } from '../../runtime/batch'
import { BoolColumn, type Column, createColumn, F64Column, I64Column } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import type { DataType, Field, Schema } from '../../runtime/schema'
import { appendEmpty, appendValue } from '../../runtime/value'
import { summaryOf } from './calls'
import { checkCel, expressionError } from './check'
import type { Frame } from './frame'
import { TIMESTAMP } from './library'
import type { CelValue, Node } from './node'
import { resultType } from './result_type'
import { compileScalar, type Scalar } from './scalar'
import { ticksOf } from './values'
import { maskKernel, numberKernel } from './vector'

/** Told of each row for which an expression has no value (D012_EXPRESSION). */
export type OnFailure = (row: number, error: ConnectError) => void

/** A bool expression over batches. Null counts as false. */
export interface Predicate {
  /** Live rows for which it holds, ascending, without those that failed. */
  select(batch: Batch, onFailure: OnFailure): { readonly rows: Int32Array; readonly slow: number }
}

/** An expression that computes a column. `slow`: rows that were computed one by one. */
export interface Derivation {
  readonly field: Field
  /** A column as long as the batch; rows that are not live or failed hold an empty cell. */
  compute(batch: Batch, onFailure: OnFailure): { readonly column: Column; readonly slow: number }
}

/** Throws C014_EXPRESSION or C015_UNKNOWN_COLUMN. `where` names the expression in messages. */
export function compilePredicate(text: string, schema: Schema, where: string): Predicate {
  const node = checkCel(text, schema, where)
  if (node.type !== 'bool' && node.type !== 'dyn') {
    throw expressionError(text, where, node.start, `a bool is needed, this is of type ${node.type}`)
  }
  const kernel = maskKernel(node)
  const scalar = compileScalar(node)
  let bad = new Uint8Array(0)
  return {
    select(batch, onFailure) {
      if (bad.length < batch.length) bad = new Uint8Array(batch.length)
      const frame = frameOf(batch, bad)
      const mask = kernel(frame)
      const slow = repair(
        frame,
        row => {
          try {
            return scalar(batch.columns, row) === true ? 1 : 0
          } catch (error) {
            onFailure(row, failure(where, error))
            return 0
          }
        },
        mask,
      )
      return { rows: selected(mask, frame), slow }
    },
  }
}

function frameOf(batch: Batch, bad: Uint8Array): Frame {
  const count = batch.selection === null ? batch.length : batch.selection.length
  bad.fill(0, 0, count)
  return { columns: batch.columns, rows: batch.selection, count, bad }
}

/** Computes the rows marked bad again, exactly; gives how many there were. */
function repair({ rows, count, bad }: Frame, exact: (row: number, position: number) => 0 | 1, mask: Uint8Array | null): number {
  let slow = 0
  for (let i = bad.indexOf(1); i >= 0 && i < count; i = bad.indexOf(1, i + 1)) {
    const value = exact(rows === null ? i : rows[i], i)
    if (mask) mask[i] = value
    slow++
  }
  return slow
}

function selected(mask: Uint8Array, { rows, count }: Frame): Int32Array {
  const out = new Int32Array(count)
  let n = 0
  for (let i = 0; i < count; i++) {
    out[n] = rows === null ? i : rows[i]
    n += mask[i]
  }
  // a filter that keeps little must not hold the memory of all rows while the batch waits
  return n * 2 < count ? out.slice(0, n) : out.subarray(0, n)
}

const failure = (where: string, error: unknown): ConnectError =>
  error instanceof ConnectError ? error : new ConnectError('D012_EXPRESSION', `${where}: ${summaryOf(error)}`, { cause: error })

/** Throws C014_EXPRESSION (also where the result is of no column type) or C015_UNKNOWN_COLUMN. */
export function compileDerivation(name: string, text: string, schema: Schema, where: string): Derivation {
  const node = checkCel(text, schema, where)
  const type = resultType(node)
  if (type === null) {
    throw expressionError(
      text,
      where,
      node.start,
      `a result of type ${node.type} has no column type; convert it with string(), int() or double()`,
    )
  }
  const field: Field = { name, type, nullable: node.nullable }
  if (node.op === 'column' && node.path.length === 1) {
    const [index] = node.path
    return { field, compute: batch => ({ column: batch.columns[index], slow: 0 }) }
  }
  return { field, compute: vectorised(node, field, where) ?? rowByRow(node, field, where) }
}

type Compute = Derivation['compute']

/** The fast way for numbers and for bools that cannot be null; null for anything else. */
function vectorised(node: Node, field: Field, where: string): Compute | null {
  const scalar = compileScalar(node)
  let bad = new Uint8Array(0)
  const prepared = (batch: Batch): Frame => {
    if (bad.length < batch.length) bad = new Uint8Array(batch.length)
    return frameOf(batch, bad)
  }
  if (node.type === 'bool' && !node.nullable) {
    const kernel = maskKernel(node)
    return (batch, onFailure) => {
      const frame = prepared(batch)
      const column = new BoolColumn(field.type, false)
      column.reserve(batch.length)
      scatter(kernel(frame), column.values, frame)
      const slow = repair(
        frame,
        row => {
          column.values[row] = exactly(scalar, batch, row, where, onFailure) === true ? 1 : 0
          return 0
        },
        null,
      )
      column.length = batch.length
      return { column, slow }
    }
  }
  const numbers = node.type === 'int' || node.type === 'double' ? numberKernel(node) : null
  if (numbers === null) return null
  return (batch, onFailure) => {
    const frame = prepared(batch)
    const column = node.type === 'int' ? new I64Column(field.type, field.nullable) : new F64Column(field.type, field.nullable)
    column.reserve(batch.length)
    const { values, nulls } = numbers(frame)
    if (column.nulls) {
      if (frame.rows !== null) column.nulls.fill(1, 0, batch.length)
      if (nulls) scatter(nulls, column.nulls, frame)
      else if (frame.rows !== null) for (const row of frame.rows) column.nulls[row] = 0
    }
    if (column.layout === 'f64') scatter(values, column.values, frame)
    else for (let i = 0; i < frame.count; i++) column.setNumber(frame.rows === null ? i : frame.rows[i], values[i])
    const slow = repair(
      frame,
      row => {
        const value = exactly(scalar, batch, row, where, onFailure)
        if (column.nulls) column.nulls[row] = value === null ? 1 : 0
        if (column.layout === 'f64') column.values[row] = Number(value)
        else column.setBigint(row, typeof value === 'bigint' ? value : 0n)
        return 0
      },
      null,
    )
    clearNulls(column)
    column.length = batch.length
    return { column, slow }
  }
}

function scatter<A extends Uint8Array | Float64Array>(from: A, to: A, { rows, count }: Frame): void {
  if (rows === null) to.set(from.subarray(0, count) as never)
  else for (let i = 0; i < count; i++) to[rows[i]] = from[i]
}

/** What kernels computed under a null is meaningless; equal rows shall be equal bytes. */
function clearNulls(column: I64Column | F64Column): void {
  const { nulls } = column
  if (nulls === null) return
  for (let row = nulls.indexOf(1); row >= 0; row = nulls.indexOf(1, row + 1)) {
    if (column.layout === 'f64') column.values[row] = 0
    else column.setNumber(row, 0)
  }
}

/** The exact value of a row; null where it failed. */
function exactly(scalar: Scalar, batch: Batch, row: number, where: string, onFailure: OnFailure): CelValue {
  try {
    return scalar(batch.columns, row)
  } catch (error) {
    onFailure(row, failure(where, error))
    return null
  }
}

function rowByRow(node: Node, field: Field, where: string): Compute {
  const scalar = compileScalar(node)
  const convert = outgoing(node.type, field.type)
  return (batch, onFailure) => {
    const column = createColumn(field, batch.length)
    const { selection } = batch
    const count = selection === null ? batch.length : selection.length
    for (let i = 0; i < count; i++) {
      const row = selection === null ? i : selection[i]
      while (column.length < row) appendEmpty(column)
      try {
        appendValue(column, convert(scalar(batch.columns, row)))
      } catch (error) {
        appendEmpty(column)
        onFailure(row, failure(where, error))
      }
    }
    while (column.length < batch.length) appendEmpty(column)
    return { column, slow: count }
  }
}

/** From an evaluator's value to what `appendValue` takes. */
function outgoing(type: string, column: DataType): (value: CelValue) => unknown {
  if (type === TIMESTAMP && column.kind === 'timestamp')
    return value => (typeof value === 'bigint' ? ticksOf(value, column) : value)
  return value => value
}
