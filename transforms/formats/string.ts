import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import type { RecordBlock } from '../../runtime/batch'
import { type Column, type DictionaryColumn, VarColumn } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import * as fields from '../../runtime/fields'
import type { Memory } from '../../runtime/memory'
import { type Decoder, defineFormat, type Encoder } from '../../runtime/plugin'
import { fieldTypeName, type Schema } from '../../runtime/schema'
import { appendBytes, singleField } from './decode_text'

const config = z.strictObject({
  encoding: z.enum(['utf-8']).prefault('utf-8').describe('How the text is encoded. Records that are not are rejected.'),
  field: fields.columnName().optional().describe('Column to write; needed where there is more than one.'),
})

const READS: Schema = { fields: [{ name: 'value', type: { kind: 'utf8' }, nullable: false }] }

export const string = defineFormat({
  name: 'string',
  status: 'beta',
  since: '0.1.0',
  summary: 'Text: one column `value`.',
  description:
    'Each record is one text in UTF-8 and becomes the column `value`; bytes that are not UTF-8 are rejected. Writes one column of type utf8, json or dictionary.',
  config,
  capabilities: { encodes: true, needs_registry: false },
  examples: [
    {
      title: 'Lines of a log',
      yaml: `name: string
connections:
  kafka: { brokers: embedded, schema_registry: embedded }
flows:
  publish:
    source: { type: generate, count: 100, keys: { column: device, count: 5, prefix: d- }, fields: { line: { type: template, text: 'request {record} of {key}' } } }
    sink: { type: kafka, topic: string.log, key: [device], value: { format: string, field: line } }
  read:
    source:
      type: kafka
      topics: [string.log]
      value: string
    sink: { type: stdout, limit: 5 }
`,
    },
  ],
  conformance: { config: {}, schema: READS },
  create: ({ field }) => ({
    open: async () => READS,
    infer: async () => READS,
    decoder: (schema, capacity, memory) => new StringDecoder(schema, capacity, memory),
    encoder: async schema => encoderOf(schema, field),
    close: async () => {},
  }),
})

class StringDecoder implements Decoder {
  readonly columns: readonly Column[]
  readonly #column: VarColumn
  constructor(schema: Schema, capacity: number, memory?: Memory) {
    const { type, nullable } = schema.fields[0]
    this.#column = new VarColumn(type, nullable, memory)
    this.#column.reserve(capacity)
    this.columns = [this.#column]
  }

  decode(block: RecordBlock, part: 'key' | 'value', reject: (row: number, error: ConnectError) => void): void {
    const column = this.#column
    const first = column.length
    appendBytes(column, block, part)
    const { offsets, data } = column
    const from = offsets[first]
    // one look at all of it; a text cannot be valid only together with its neighbour unless it is cut inside a character
    if (isAscii(data, from, offsets[column.length])) return
    for (let i = 0; i < block.count; i++) {
      const text = column.bytes(first + i)
      if (!isUtf8(text)) reject(i, new ConnectError('D001_MALFORMED', `the ${text.length} bytes are not UTF-8`))
    }
  }
}

function isAscii(data: Uint8Array, from: number, to: number): boolean {
  let seen = 0
  for (let p = from; p < to; p++) seen |= data[p]
  return seen < 128
}

function encoderOf(schema: Schema, name: string | undefined): Encoder {
  const { index, field } = singleField(schema, name, 'string')
  const { kind } = field.type
  if (kind === 'dictionary') {
    return {
      encode(columns, row) {
        const { nulls, dictionary, ids } = columns[index] as DictionaryColumn
        return nulls?.[row] === 1 ? null : Buffer.from(dictionary[ids[row]])
      },
    }
  }
  if (kind !== 'utf8' && kind !== 'json') {
    throw new ConnectError(
      'C016_SCHEMA',
      `the format string writes utf8, json or dictionary; "${field.name}" is ${fieldTypeName(field)}`,
      {
        hint: 'add a `cast` to utf8',
      },
    )
  }
  return {
    encode(columns, row) {
      const column = columns[index] as VarColumn
      return column.nulls?.[row] === 1 ? null : Buffer.from(column.bytes(row))
    },
  }
}
