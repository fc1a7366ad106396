import { z } from 'zod'
import { defineFormat } from '../../runtime/plugin'
import { AvroFormat } from './avro/format'

const avroSchema = () => z.union([z.string().min(1), z.record(z.string(), z.json()), z.array(z.json())])

const config = z.strictObject({
  reader_schema: avroSchema()
    .optional()
    .describe(
      'Schema to read records as: an .avsc file (relative to the pipeline file) or the schema itself. Default: the latest of the subject, else that of the first record.',
    ),
  schema: avroSchema()
    .optional()
    .describe('Schema to write records with: an .avsc file or the schema itself. Default: made from the columns.'),
  subject: z.string().min(1).optional().describe('Subject in the schema registry. Default: <topic>-value or <topic>-key.'),
  auto_register: z
    .boolean()
    .prefault(true)
    .describe('Register the schema that records are written with; false: it must be registered already.'),
  evolution: z
    .enum(['fixed'])
    .prefault('fixed')
    .describe(
      'What happens when a writer brings a new schema. fixed: records are read as the schema that was there at the start.',
    ),
})

export type AvroConfig = z.output<typeof config>

export const avro = defineFormat({
  name: 'avro',
  status: 'beta',
  since: '0.1.0',
  summary: 'Avro with a schema registry (the Confluent wire format).',
  description: [
    'Reads and writes records that start with a zero byte and a schema id, followed by the Avro body. Writer schemas are resolved',
    'to one reader schema by the rules of Avro 1.12: aliases, defaults, promotions, enum defaults.',
    'A record of the reader schema gives one column a field; any other schema gives one column named `value`.',
    'General unions and recursive types have no column type: they become JSON text in the JSON encoding of Avro (slower; such rows',
    'are counted). A `string` that is not valid UTF-8 is kept byte for byte, except inside such JSON, where it is refused.',
    'Unknown logical types, and decimals of more than 38 digits, are read as the type beneath, as the specification demands.',
  ].join(' '),
  config,
  capabilities: { encodes: true, needs_registry: true },
  examples: [
    {
      title: 'Write and read Avro',
      yaml: `name: avro
connections:
  kafka: { brokers: embedded, schema_registry: embedded }
flows:
  publish:
    source: { type: generate, count: 100, keys: { column: device, count: 5, prefix: d- }, fields: { cpu: { type: uniform, min: 0, max: 100 } } }
    sink: { type: kafka, topic: avro.metrics, key: [device], value: avro }
  read:
    source:
      type: kafka
      topics: [avro.metrics]
      value: avro
    sink: { type: stdout, limit: 5 }
`,
    },
    {
      title: 'Read as a schema of our own',
      yaml: `name: avro-reader
connections:
  kafka: { brokers: embedded, schema_registry: embedded }
flows:
  publish:
    source: { type: generate, count: 100, keys: { column: device, count: 5, prefix: d- }, fields: { cpu: { type: uniform, min: 0, max: 100 } } }
    sink: { type: kafka, topic: avro.readings, key: [device], value: avro }
  read:
    source:
      type: kafka
      topics: [avro.readings]
      value: { format: avro, reader_schema: metrics.avsc }
    sink: { type: stdout, limit: 5 }
`,
      files: {
        'metrics.avsc': `{
  "type": "record",
  "name": "Metric",
  "fields": [
    { "name": "device", "type": "string" },
    { "name": "cpu", "type": "double" },
    { "name": "unit", "type": "string", "default": "percent" }
  ]
}
`,
      },
    },
  ],
  conformance: { config: {} },
  create: (options, context) => new AvroFormat(options, context),
})
