import { type Column, createColumn, type DictionaryColumn, type ListColumn, type MapColumn, type VarColumn } from './column'
import type { Field } from './schema'

/** One column with the rows of several of the same type, in order. The first itself where there is only one. */
export function concatColumns(field: Pick<Field, 'type' | 'nullable'>, parts: readonly Column[]): Column {
  if (parts.length === 1) return parts[0]
  const out = createColumn(field)
  for (const part of parts) appendColumn(out, part)
  return out
}

/** Appends all rows of `from`, which has the same layout. */
export function appendColumn(out: Column, from: Column): void {
  const base = out.length
  const n = from.length
  out.reserve(n, out.layout === 'var' ? (from as VarColumn).offsets[n] : 0)
  if (out.nulls && from.nulls) out.nulls.set(from.nulls.subarray(0, n), base)
  switch (out.layout) {
    case 'bool':
    case 'i32':
    case 'f32':
    case 'f64':
      out.values.set((from as typeof out).values.subarray(0, n) as never, base)
      break
    case 'i64':
      out.halves.set((from as typeof out).halves.subarray(0, 2 * n), 2 * base)
      break
    case 'var': {
      const source = from as VarColumn
      source.data.copy(out.data, out.offsets[base], 0, source.offsets[n])
      shiftOffsets(out.offsets, base, source.offsets, n)
      break
    }
    case 'fixed':
      ;(from as typeof out).data.copy(out.data, base * out.width, 0, n * out.width)
      break
    case 'dictionary': {
      const source = from as DictionaryColumn
      const ids = source.dictionary.map(s => out.idOf(s))
      for (let i = 0; i < n; i++) out.ids[base + i] = ids[source.ids[i]] ?? 0
      break
    }
    case 'list':
      appendColumn(out.child, (from as ListColumn).child)
      shiftOffsets(out.offsets, base, (from as ListColumn).offsets, n)
      break
    case 'map':
      appendColumn(out.keys, (from as MapColumn).keys)
      appendColumn(out.child, (from as MapColumn).child)
      shiftOffsets(out.offsets, base, (from as MapColumn).offsets, n)
      break
    case 'struct':
      out.children.forEach((child, i) => {
        appendColumn(child, (from as typeof out).children[i])
      })
      break
  }
  out.length = base + n
}

function shiftOffsets(out: Int32Array, base: number, from: Int32Array, n: number): void {
  const shift = out[base]
  for (let i = 1; i <= n; i++) out[base + i] = from[i] + shift
}
