import { type Column, createColumn, F64Column, FixedColumn, I64Column, VarColumn } from '../../runtime/column'
import { type DataType, type Field, field } from '../../runtime/schema'
import type { Faults } from './faults'
import type { Layout } from './layout'
import type { FieldOptions } from './options'
import { hash, normal, streamOf, uniform, uniform53 } from './random'
import type { Rows } from './rows'
import { seriesOf } from './shapes'

/** A column of generated rows: its field and how to fill it, one loop over all rows. */
export interface Generated {
  readonly field: Field
  fill(rows: Rows): Column
}

export interface ColumnContext {
  readonly seed: number
  readonly start: number
  readonly layout: Layout
  /** Key number to key. */
  readonly keyText: (key: number) => string
}

/** The fault of each row, as text; empty: none. */
export function labelColumn(name: string, context: ColumnContext, faults: Faults): Generated {
  const of = field(name, 'utf8')
  return {
    field: of,
    fill(rows) {
      const column = new VarColumn(of.type, false)
      column.reserve(rows.count, 0)
      for (let i = 0; i < rows.count; i++) {
        const text = faults.label(rows.fault[i], rows.time[i] - context.start)
        column.reserve(0, Buffer.byteLength(text))
        column.offsets[i + 1] = column.offsets[i] + column.data.write(text, column.offsets[i])
        column.length = i + 1
      }
      return column
    },
  }
}

/** A column that faults damage. */
export function damaged(column: Generated, damage: ((column: Column, rows: Rows) => void) | null): Generated {
  if (damage === null) return column
  return {
    field: column.field,
    fill(rows) {
      const filled = column.fill(rows)
      damage(filled, rows)
      return filled
    },
  }
}

export function generated(name: string, options: FieldOptions, context: ColumnContext): Generated {
  const stream = streamOf(context.seed, name)
  switch (options.type) {
    case 'constant':
      return constant(name, options.value)
    case 'sequence':
      return i64(name, rows => {
        const { keys } = context.layout
        return i => options.start + options.step * (rows.tick[i] * keys + rows.key[i])
      })
    case 'uniform': {
      const { min, max } = options
      if (options.integer) {
        const span = Math.floor(max) - Math.ceil(min) + 1
        return i64(name, rows => i => Math.ceil(min) + Math.floor(uniform53(stream, rows.key[i], rows.tick[i]) * span))
      }
      return f64(name, options.decimals, rows => i => min + uniform53(stream, rows.key[i], rows.tick[i]) * (max - min))
    }
    case 'normal': {
      const { mean, sd, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = options
      return f64(
        name,
        options.decimals,
        rows => i => Math.min(max, Math.max(min, mean + sd * normal(stream, rows.key[i], rows.tick[i]))),
      )
    }
    case 'choice':
      return choice(name, options, stream)
    case 'template':
      return template(name, options.text, context)
    case 'uuid':
      return uuid(name, stream)
    case 'series': {
      const value = seriesOf(options, context.seed, name)
      return f64(
        name,
        options.decimals,
        rows => i => value(rows.key[i], rows.tick[i], rows.time[i] - context.start, rows.time[i]),
      )
    }
  }
}

/** The event time, in milliseconds. */
export function timeColumn(name: string): Generated {
  const type: DataType = { kind: 'timestamp', unit: 'ms', zoned: true }
  return numbers(
    field(name, type),
    I64Column,
    (column, i, value) => column.setNumber(i, value),
    rows => i => rows.time[i],
  )
}

/** The key, from texts that are encoded once. */
export function keyColumn(name: string, context: ColumnContext): Generated {
  const texts = Array.from({ length: context.layout.keys }, (_, key) => context.keyText(key))
  return texted(name, texts, rows => i => rows.key[i])
}

type PerRow = (rows: Rows) => (i: number) => number

function numbers<C extends Column>(
  of: Field,
  kind: new (type: DataType, nullable: boolean) => C,
  set: (column: C, row: number, value: number) => void,
  value: PerRow,
): Generated {
  return {
    field: of,
    fill(rows) {
      const column = new kind(of.type, of.nullable)
      column.reserve(rows.count)
      const at = value(rows)
      for (let i = 0; i < rows.count; i++) set(column, i, at(i))
      column.length = rows.count
      return column
    },
  }
}

const i64 = (name: string, value: PerRow): Generated =>
  numbers(field(name, 'i64'), I64Column, (column, i, v) => column.setNumber(i, v), value)

function f64(name: string, decimals: number | undefined, value: PerRow): Generated {
  const set = (column: F64Column, i: number, v: number): void => {
    column.values[i] = v
  }
  if (decimals === undefined) return numbers(field(name, 'f64'), F64Column, set, value)
  const scale = 10 ** decimals
  return numbers(field(name, 'f64'), F64Column, (column, i, v) => set(column, i, Math.round(v * scale) / scale), value)
}

/** Rows that are one of few texts: `pick` gives the index. */
function texted(name: string, texts: readonly string[], pick: PerRow): Generated {
  const encoded = Buffer.from(texts.join(''), 'utf8')
  const ends = new Int32Array(texts.length + 1)
  for (let t = 0; t < texts.length; t++) ends[t + 1] = ends[t] + Buffer.byteLength(texts[t])
  let longest = 0
  for (let t = 0; t < texts.length; t++) longest = Math.max(longest, ends[t + 1] - ends[t])
  const of = field(name, 'utf8')
  return {
    field: of,
    fill(rows) {
      const column = new VarColumn(of.type, false)
      column.reserve(rows.count, rows.count * longest)
      const { data, offsets } = column
      const at = pick(rows)
      let end = 0
      for (let i = 0; i < rows.count; i++) {
        const text = at(i)
        for (let p = ends[text]; p < ends[text + 1]; p++) data[end++] = encoded[p]
        offsets[i + 1] = end
      }
      column.length = rows.count
      return column
    },
  }
}

function constant(name: string, value: string | number | boolean): Generated {
  if (typeof value === 'string') return texted(name, [value], () => () => 0)
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) ? i64(name, () => () => value) : f64(name, undefined, () => () => value)
  }
  const of = field(name, 'bool')
  return {
    field: of,
    fill(rows) {
      const column = createColumn(of, rows.count)
      if (column.layout === 'bool') column.values.fill(value ? 1 : 0)
      column.length = rows.count
      return column
    },
  }
}

function choice(name: string, options: FieldOptions & { type: 'choice' }, stream: number): Generated {
  const weights = options.weights ?? options.of.map(() => 1)
  const total = weights.reduce((a, b) => a + b, 0)
  const bounds: number[] = []
  for (const w of weights) bounds.push((bounds.at(-1) ?? 0) + w / total)
  // rounding may leave the last bound below 1
  bounds[bounds.length - 1] = 1
  const byKey = options.per === 'key'
  const index: PerRow = rows => i => {
    const u = uniform(stream, rows.key[i], byKey ? 0 : rows.tick[i])
    let at = 0
    while (u >= bounds[at]) at += 1
    return at
  }
  const numbersOf = options.of.filter(v => typeof v === 'number')
  if (numbersOf.length === 0) return texted(name, options.of.map(String), index)
  const value: PerRow = rows => {
    const at = index(rows)
    return i => numbersOf[at(i)]
  }
  return numbersOf.every(v => Number.isSafeInteger(v)) ? i64(name, value) : f64(name, undefined, value)
}

function template(name: string, text: string, context: ColumnContext): Generated {
  const of = field(name, 'utf8')
  const pieces = text.split(/(\{\w+\})/)
  return {
    field: of,
    fill(rows) {
      const column = new VarColumn(of.type, false)
      column.reserve(rows.count, rows.count * (text.length + 16))
      for (let i = 0; i < rows.count; i++) {
        const key = rows.key[i]
        let line = ''
        for (const piece of pieces) {
          if (piece === '{key}') line += context.keyText(key)
          else if (piece === '{key_number}') line += key
          else if (piece === '{tick}') line += rows.tick[i]
          else if (piece === '{record}') line += rows.tick[i] * context.layout.keys + key
          else line += piece
        }
        column.reserve(0, Buffer.byteLength(line))
        column.offsets[i + 1] = column.offsets[i] + column.data.write(line, column.offsets[i])
        column.length = i + 1
      }
      return column
    },
  }
}

/** Random bits with version 4 and variant 10 set (RFC 9562, section 5.4). */
function uuid(name: string, stream: number): Generated {
  const of = field(name, 'uuid')
  return {
    field: of,
    fill(rows) {
      const column = new FixedColumn(of.type, false, 16)
      column.reserve(rows.count)
      for (let i = 0; i < rows.count; i++) {
        for (let w = 0; w < 4; w++)
          column.data.writeInt32BE(hash(stream + w * 0x61c88647, rows.key[i], rows.tick[i]), i * 16 + w * 4)
        column.data[i * 16 + 6] = (column.data[i * 16 + 6] & 0x0f) | 0x40
        column.data[i * 16 + 8] = (column.data[i * 16 + 8] & 0x3f) | 0x80
      }
      column.length = rows.count
      return column
    },
  }
}
