import { z } from 'zod'
import * as fields from '../../runtime/fields'
import { defineFormat } from '../../runtime/plugin'
import { JsonFormat } from './json/format'

const config = z.strictObject({
  schema: fields.inlineSchema().optional(),
  unknown_fields: z
    .enum(['reject', 'ignore'])
    .prefault('reject')
    .describe('A record with a field that the schema does not have: reject the record, or leave the field out.'),
})

export type JsonConfig = z.output<typeof config>

export const json = defineFormat({
  name: 'json',
  status: 'beta',
  since: '0.1.0',
  summary: 'One JSON object a record.',
  description: [
    'Each record is one JSON object; its fields become columns by the declared `schema:`, or by what the first records show: bool,',
    'i64, f64, utf8, and json for anything nested or mixed, all nullable. Types are strict: 3.5 is no i64, "3" is no number.',
    'Integers keep all their digits up to 64 bits; decimals are numbers or strings. Timestamps, dates and times are ISO 8601 text or',
    'integers in the unit of the column; bytes and fixed are base64. A field that is absent is null.',
    'Of a key that stands twice the last one counts. Written back: integers with all digits, decimals as strings, timestamps as ISO',
    '8601 text in UTC, bytes as base64, NaN and infinities refused.',
  ].join(' '),
  config,
  capabilities: { encodes: true, needs_registry: false },
  examples: [
    {
      title: 'JSON with a declared schema',
      yaml: `name: json-schema
connections:
  kafka: { brokers: embedded, schema_registry: embedded }
flows:
  publish:
    source: { type: generate, count: 100, keys: { column: device, count: 5, prefix: d- }, fields: { cpu: { type: uniform, min: 0, max: 100 }, total: { type: uniform, min: 1, max: 9, decimals: 2 } } }
    sink: { type: kafka, topic: json.events, key: [device], value: json }
  read:
    source:
      type: kafka
      topics: [json.events]
      value:
        format: json
        unknown_fields: ignore
        schema: { ts: timestamp(ms), device: utf8, cpu: "f64?", total: "decimal(18, 4)" }
    sink: { type: stdout, limit: 5 }
`,
    },
    {
      title: 'JSON as the first records show it',
      yaml: `name: json
connections:
  kafka: { brokers: embedded, schema_registry: embedded }
flows:
  publish:
    source: { type: generate, count: 100, keys: { column: device, count: 5, prefix: d- }, fields: { cpu: { type: uniform, min: 0, max: 100 } } }
    sink: { type: kafka, topic: json.readings, key: [device], value: json }
  read:
    source:
      type: kafka
      topics: [json.readings]
      value: json
    sink: { type: stdout, limit: 5 }
`,
    },
  ],
  conformance: { config: {} },
  create: options => new JsonFormat(options),
})
