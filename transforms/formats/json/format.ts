import { isUtf8 } from 'node:buffer'
import type { RecordBlock } from '../../../runtime/batch'
import { type Column, createColumn } from '../../../runtime/column'
import { asConnectError, ConnectError } from '../../../runtime/errors'
import type { Memory } from '../../../runtime/memory'
import type { Decoder, Encoder, Format } from '../../../runtime/plugin'
import { rowJson } from '../../../runtime/row_json'
import type { DataType, Field, Schema } from '../../../runtime/schema'
import { parseType } from '../../../runtime/type_text'
import { appendEmpty, appendValue } from '../../../runtime/value'
import type { JsonConfig } from '../json'
import { fieldsOf } from './cell'
import { type ExactJson, isObject, parseExact } from './exact'
import { inferSchema } from './infer'
import { errorPosition } from './syntax_error'

export class JsonFormat implements Format {
  readonly #config: JsonConfig
  constructor(config: JsonConfig) {
    this.#config = config
  }

  async open(): Promise<Schema | null> {
    const { schema } = this.#config
    if (schema === undefined) return null
    return { fields: Object.entries(schema).map(([name, text]) => ({ name, ...typeOf(name, text) })) }
  }

  async infer(block: RecordBlock, part: 'key' | 'value'): Promise<Schema> {
    return inferSchema(block, part)
  }

  decoder(schema: Schema, capacity: number, memory?: Memory): Decoder {
    return new JsonDecoder(schema, capacity, memory, this.#config.unknown_fields === 'ignore')
  }

  async encoder(schema: Schema): Promise<Encoder> {
    return encoderOf(schema)
  }

  async close(): Promise<void> {}
}

function typeOf(name: string, text: string): { readonly type: DataType; readonly nullable: boolean } {
  const parsed = parseType(text)
  if (parsed) return parsed
  throw new ConnectError('C016_SCHEMA', `the column "${name}": "${text}" is no type`, {
    hint: 'types are bool, i32, i64, f32, f64, utf8, bytes, json, date, time(ms), timestamp(ms), decimal(p, s), uuid, fixed(n), list<...>, map<...>; `?` allows null',
  })
}

class JsonDecoder implements Decoder {
  readonly columns: readonly Column[]
  readonly #schema: Schema
  readonly #ignoreUnknown: boolean
  /** A decimal needs the digits as they are written. */
  readonly #texts: 'none' | 'long'

  constructor(schema: Schema, capacity: number, memory: Memory | undefined, ignoreUnknown: boolean) {
    this.#schema = schema
    this.#ignoreUnknown = ignoreUnknown
    this.#texts = schema.fields.some(f => holds(f.type, ['decimal', 'json'])) ? 'long' : 'none'
    this.columns = schema.fields.map(f => createColumn(f, capacity, memory))
  }

  decode(block: RecordBlock, part: 'key' | 'value', reject: (row: number, error: ConnectError) => void): void {
    const starts = part === 'key' ? block.keyStart : block.valueStart
    const ends = part === 'key' ? block.keyEnd : block.valueEnd
    for (let i = 0; i < block.count; i++) {
      if (starts[i] < 0) this.#empty(0)
      else {
        const error = this.#row(block.buffer.subarray(starts[i], ends[i]))
        if (error) reject(i, error)
      }
    }
  }

  #empty(from: number): void {
    for (let k = from; k < this.columns.length; k++) appendEmpty(this.columns[k])
  }

  /** Appends the row, empty from the column on that cannot take it; the error then. */
  #row(bytes: Buffer): ConnectError | null {
    let done = 0
    try {
      const json = parse(bytes, this.#texts)
      if (!isObject(json)) throw new ConnectError('D006_WRONG_TYPE', 'the record is JSON but no object')
      for (const [name, value] of fieldsOf(this.#schema.fields, json, '', this.#ignoreUnknown)) {
        append(this.columns[done], value, name)
        done++
      }
      return null
    } catch (error) {
      this.#empty(done)
      // JSON.parse takes any depth, what walks its result does not
      if (error instanceof RangeError)
        return new ConnectError('D001_MALFORMED', 'the JSON is nested too deeply', { cause: error })
      return asConnectError(error)
    }
  }
}

function append(column: Column, value: unknown, name: string): void {
  try {
    appendValue(column, value)
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error
    throw new ConnectError(error.code, `"${name}": ${error.message}`)
  }
}

function parse(bytes: Buffer, texts: 'none' | 'long'): ExactJson {
  // decoding would put U+FFFD for what is no UTF-8, without a word
  if (!isUtf8(bytes)) throw new ConnectError('D001_MALFORMED', 'the record is not UTF-8')
  const text = bytes.toString()
  try {
    return parseExact(text, texts)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    const at = errorPosition(text)
    const what = at >= text.length ? 'it ends too early' : `unexpected ${JSON.stringify(text[at])}`
    throw new ConnectError('D001_MALFORMED', `not JSON: ${what} at character ${at}`, { cause })
  }
}

function holds(type: DataType, kinds: readonly DataType['kind'][]): boolean {
  const inside = (f: Field): boolean => holds(f.type, kinds)
  if (kinds.includes(type.kind)) return true
  if (type.kind === 'list') return inside(type.item)
  if (type.kind === 'map') return inside(type.value)
  return type.kind === 'struct' && type.fields.some(inside)
}

function encoderOf(schema: Schema): Encoder {
  const floats = schema.fields.flatMap((f, i) => (holds(f.type, ['f32', 'f64']) ? [i] : []))
  return {
    encode(columns, row) {
      for (const i of floats) {
        if (finite(columns[i], row)) continue
        return new ConnectError('D005_OUT_OF_RANGE', `column "${schema.fields[i].name}": JSON has no NaN and no infinities`)
      }
      return Buffer.from(rowJson(schema, columns, row))
    },
  }
}

/** False if there is a NaN or an infinity in the cell. */
function finite(column: Column, row: number): boolean {
  if (column.nulls?.[row]) return true
  switch (column.layout) {
    case 'f32':
    case 'f64':
      return Number.isFinite(column.values[row])
    case 'struct':
      return column.children.every(c => finite(c, row))
    case 'list':
    case 'map':
      for (let i = column.offsets[row]; i < column.offsets[row + 1]; i++) if (!finite(column.child, i)) return false
      return true
    default:
      return true
  }
}
