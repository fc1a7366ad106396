import type { Column } from '../runtime/column'
import { ConnectError } from '../runtime/errors'
import { stripes } from '../runtime/stripes'
import type { Binding, Plan } from './bind'
import type { Limit } from './limits'

export interface RowFailure {
  readonly row: number
  readonly error: ConnectError
}

/** Rows whose values the table would change silently or refuse; each row once, ascending. */
export function checkRows(binding: Binding, columns: readonly Column[], rows: number): readonly RowFailure[] {
  const found = new Map<number, ConnectError>()
  binding.plans.forEach(({ name, plan }, i) => {
    checkNode(name, plan, columns[i], rows, null, (row, error) => {
      if (!found.has(row)) found.set(row, error())
    })
  })
  return [...found].map(([row, error]) => ({ row, error })).sort((a, b) => a.row - b.row)
}

type Report = (row: number, error: () => ConnectError) => void

/** `dead` rows belong to a null struct above: their cells mean nothing. */
function checkNode(name: string, plan: Plan, column: Column, rows: number, dead: Uint8Array | null, report: Report): void {
  const { nulls } = column
  if (nulls && plan.nulls === 'refused') {
    for (let i = 0; i < rows; i++) {
      if (nulls[i] && !dead?.[i]) report(i, () => new ConnectError('D008_NULL', `column ${name}: null into ${plan.target}`))
    }
  }
  if (plan.limit) checkLimit(name, plan, plan.limit, column, rows, dead, report)
  if (column.layout === 'struct') {
    const hidden = either(dead, nulls, rows)
    for (const c of plan.children) checkNode(`${name}.${c.name}`, c.plan, column.children[c.index], rows, hidden, report)
  } else if (column.layout === 'list' || column.layout === 'map') {
    const { offsets } = column
    for (const c of plan.children) {
      checkNode(`${name}.${c.name}`, c.plan, column.child, offsets[rows], null, (i, error) =>
        report(parentOf(offsets, rows, i), error),
      )
    }
  }
}

function checkLimit(
  name: string,
  plan: Plan,
  limit: Limit,
  column: Column,
  rows: number,
  dead: Uint8Array | null,
  report: Report,
): void {
  const { nulls } = column
  const bad = (i: number, value: unknown): void => {
    if (nulls?.[i] || dead?.[i]) return
    report(i, () => new ConnectError('D005_OUT_OF_RANGE', `column ${name}: ${value} does not fit ${plan.target}`))
  }
  switch (limit.kind) {
    case 'range': {
      const { min, max } = limit
      if (column.layout === 'i32') {
        const { values } = column
        for (let i = 0; i < rows; i++) if (values[i] < min || values[i] > max) bad(i, values[i])
      } else if (column.layout === 'i64') {
        const found: number[] = []
        stripes(rows, (from, to) => findOutside(column.halves, min, max, found, from, to))
        for (const i of found) bad(i, column.bigint(i))
      }
      return
    }
    case 'float32': {
      if (column.layout !== 'f64') return
      const { values } = column
      for (let i = 0; i < rows; i++) {
        if (Number.isFinite(values[i]) && !Number.isFinite(Math.fround(values[i]))) bad(i, values[i])
      }
      return
    }
    case 'digits':
      if (column.layout === 'fixed') checkDigits(limit.below, column.data, rows, bad)
      return
    case 'width': {
      if (column.layout !== 'var') return
      const { offsets } = column
      for (let i = 0; i < rows; i++) {
        const bytes = offsets[i + 1] - offsets[i]
        if (bytes !== limit.bytes) bad(i, `a string of ${bytes} bytes`)
      }
      return
    }
    case 'symbols':
      checkSymbols(limit.allowed, column, rows, bad)
  }
}

/** Rows whose 64-bit integer, as a double, lies outside. */
function findOutside(halves: Int32Array, min: number, max: number, found: number[], from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const value = halves[2 * i + 1] * 4294967296 + (halves[2 * i] >>> 0)
    if (value < min || value > max) found.push(i)
  }
}

function checkSymbols(
  allowed: ReadonlySet<string>,
  column: Column,
  rows: number,
  bad: (i: number, value: unknown) => void,
): void {
  if (column.layout === 'dictionary') {
    const known = column.dictionary.map(s => allowed.has(s))
    for (let i = 0; i < rows; i++) if (!known[column.ids[i]]) bad(i, JSON.stringify(column.dictionary[column.ids[i]]))
  } else if (column.layout === 'var') {
    for (let i = 0; i < rows; i++) {
      const text = column.string(i)
      if (!allowed.has(text)) bad(i, JSON.stringify(text))
    }
  }
}

/** 16 bytes, two's complement, little endian. Most values fit 53 bits, which is seen without a BigInt. */
function checkDigits(below: bigint, data: Buffer, rows: number, bad: (i: number, value: unknown) => void): void {
  const easy = Number(below < 2n ** 52n ? below : 2n ** 52n)
  for (let i = 0; i < rows; i++) {
    const at = i * 16
    const high = data.readInt32LE(at + 4)
    const rest = high < 0 ? -1 : 0
    if (data.readInt32LE(at + 8) === rest && data.readInt32LE(at + 12) === rest) {
      const value = high * 4294967296 + data.readUInt32LE(at)
      if (value < easy && value > -easy) continue
    }
    const exact = (data.readBigInt64LE(at + 8) << 64n) | data.readBigUInt64LE(at)
    if (exact >= below || exact <= -below) bad(i, `unscaled ${exact}`)
  }
}

const either = (a: Uint8Array | null, b: Uint8Array | null, rows: number): Uint8Array | null => {
  if (!a || !b) return a ?? b
  const out = new Uint8Array(rows)
  for (let i = 0; i < rows; i++) out[i] = a[i] | b[i]
  return out
}

/** The row whose items include item `i`: the last row that starts at or before it. */
function parentOf(offsets: Int32Array, rows: number, i: number): number {
  let low = 0
  let high = rows - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (offsets[middle] <= i) low = middle
    else high = middle - 1
  }
  return low
}
