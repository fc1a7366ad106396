import { z } from 'zod'
import { type FixedColumn, VarColumn } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import * as fields from '../../runtime/fields'
import type { Memory } from '../../runtime/memory'
import { type Decoder, defineFormat, type Encoder } from '../../runtime/plugin'
import { fieldTypeName, type Schema } from '../../runtime/schema'
import { appendBytes, singleField } from './decode_text'

const config = z.strictObject({
  field: fields.columnName().optional().describe('Column to write; needed where there is more than one.'),
})

const READS: Schema = { fields: [{ name: 'value', type: { kind: 'bytes' }, nullable: false }] }

export const bytes = defineFormat({
  name: 'bytes',
  status: 'beta',
  since: '0.1.0',
  summary: 'Bytes as they are: one column `value`.',
  description: 'Each record becomes the column `value`, unchanged. Writes one column of type bytes, utf8, json, fixed or uuid.',
  config,
  capabilities: { encodes: true, needs_registry: false },
  examples: [
    {
      title: 'Whatever stands in a topic',
      yaml: `name: bytes
connections:
  kafka: { brokers: embedded, schema_registry: embedded }
flows:
  publish:
    source: { type: generate, count: 100, keys: { column: device, count: 5, prefix: d- }, fields: { line: { type: template, text: 'record {record}' } } }
    sink: { type: kafka, topic: bytes.images, key: [device], value: { format: string, field: line } }
  read:
    source:
      type: kafka
      topics: [bytes.images]
      value: bytes
    sink: { type: stdout, limit: 5 }
`,
    },
  ],
  conformance: {
    config: {},
    schema: READS,
    skip: { 'rejects bad bytes': 'all bytes are good' },
  },
  create: ({ field }) => ({
    open: async () => READS,
    infer: async () => READS,
    decoder: (schema, capacity, memory) => decoderOf(schema, capacity, memory),
    encoder: async schema => encoderOf(schema, field),
    close: async () => {},
  }),
})

function decoderOf(schema: Schema, capacity: number, memory?: Memory): Decoder {
  const { type, nullable } = schema.fields[0]
  const column = new VarColumn(type, nullable, memory)
  column.reserve(capacity)
  return { columns: [column], decode: (block, part) => appendBytes(column, block, part) }
}

const WRITES: readonly string[] = ['bytes', 'utf8', 'json', 'fixed', 'uuid']

function encoderOf(schema: Schema, name: string | undefined): Encoder {
  const { index, field } = singleField(schema, name, 'bytes')
  if (!WRITES.includes(field.type.kind)) {
    throw new ConnectError(
      'C016_SCHEMA',
      `the format bytes writes ${WRITES.join(', ')}; "${field.name}" is ${fieldTypeName(field)}`,
    )
  }
  return {
    encode(columns, row) {
      const column = columns[index] as VarColumn | FixedColumn
      return column.nulls?.[row] === 1 ? null : Buffer.from(column.bytes(row))
    },
  }
}
