import type { Column } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import { TICKS_PER_MS, typeName } from '../../runtime/schema'

/** A numeric column as doubles, one a row, null as NaN. The column's own values where it is f64 without nulls. */
export function numbersOf(column: Column, length: number): Float64Array {
  const { nulls } = column
  if (column.layout === 'f64' && nulls === null) return column.values
  const out = new Float64Array(length)
  switch (column.layout) {
    case 'f64':
    case 'f32':
    case 'i32':
    case 'bool':
      out.set(column.values.subarray(0, length))
      break
    case 'i64':
      for (let i = 0; i < length; i++) out[i] = column.number(i)
      break
    default:
      throw new ConnectError('R001_INTERNAL', `a column of type ${typeName(column.type)} is no number`)
  }
  if (nulls) for (let i = 0; i < length; i++) if (nulls[i]) out[i] = Number.NaN
  return out
}

const DAY = 86_400_000

/** A timestamp or date column as milliseconds since 1970, rounded down. */
export function millisecondsOf(column: Column, length: number): Float64Array {
  const out = new Float64Array(length)
  const { type } = column
  if (column.layout === 'i64' && type.kind === 'timestamp') {
    const perMs = TICKS_PER_MS[type.unit]
    for (let i = 0; i < length; i++) out[i] = Math.floor(column.number(i) / perMs)
  } else if (column.layout === 'i32' && type.kind === 'date') {
    for (let i = 0; i < length; i++) out[i] = column.values[i] * DAY
  } else throw new ConnectError('R001_INTERNAL', `a column of type ${typeName(type)} is no time`)
  return out
}
