import { z } from 'zod'
import * as fields from '../../runtime/fields'
import { defineSink } from '../../runtime/plugin'
import { requireColumn } from '../../runtime/require_column'
import { KafkaClosings } from './closings'
import { CODEC_NUMBER, type CodecName } from './codecs'
import type { KafkaConnection } from './connection'
import { KafkaDeadLetters } from './dead_letters'
import { KafkaSink, topicNameOf } from './sink'

const topic = z.union([
  fields.topicName(),
  z.strictObject({
    name: fields.topicName(),
    partitions: z.int().min(1).optional().describe('Partitions of a new topic, and the least an existing one must have.'),
    replication: z.int().min(1).optional().describe('Replicas of each partition.'),
    config: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
      .prefault({})
      .describe('Settings of the topic, e.g. {cleanup.policy: compact}; an existing topic must have the same.'),
    on_difference: z
      .enum(['stop', 'alter'])
      .prefault('stop')
      .describe('What to do where an existing topic has other values of `config`: stop, or change them.'),
  }),
])

export const sinkConfig = z.strictObject({
  topic: topic.describe('Topic to write. Made if it does not exist; refused if it has other settings than given here.'),
  key: z
    .array(fields.columnName())
    .prefault([])
    .describe(
      'Columns of the record key: one as its text, several as a JSON object. Default: the id of anomaly records, the keys of a view; else records have no key.',
    ),
  key_format: fields.format().optional().describe('Format of the key, where it is not text.'),
  value: fields.format().prefault('avro').describe('Format of the values.'),
  timestamp: fields
    .columnName()
    .optional()
    .describe(
      'Column with the time of a record. Default: the time of the source record, else now. A broker deletes by this time: where ' +
        'history is written, the topic needs `config: {retention.ms: -1}`, or what was just written may be gone within minutes.',
    ),
  headers: z.record(z.string().min(1), z.string()).prefault({}).describe('Headers of every record.'),
  compression: z
    .enum(Object.keys(CODEC_NUMBER) as [CodecName, ...CodecName[]])
    .prefault('none')
    .describe('Compression of record batches. zstd needs Node 22.15 or later.'),
  flush: fields.flush().describe('When a batch is written.'),
  transaction_timeout: fields
    .duration()
    .prefault('10s')
    .meta({ advanced: true })
    .describe('The broker aborts a transaction that is open longer; until then readers of the topic wait for it.'),
})

export type KafkaSinkConfig = z.output<typeof sinkConfig>

export const kafkaSink = defineSink<typeof sinkConfig, KafkaConnection>({
  name: 'kafka',
  status: 'beta',
  since: '0.1.0',
  summary: 'Writes a topic, exactly once: records and position in one transaction.',
  description:
    'Each batch is one Kafka transaction that also stores the position of the source, so readers with read_committed see every ' +
    'record once. Keys choose the partition as in Java (murmur2).',
  config: sinkConfig,
  connection: 'kafka',
  capabilities: { exactly_once: true, upsert: false, create_table: true, transactional: true },
  writes: config => [topicNameOf(config)],
  create: (config, context) => new KafkaSink(config, context),
  checkColumns({ key, timestamp }, schema) {
    for (const name of key) requireColumn(schema, name, 'key')
    if (timestamp !== undefined) requireColumn(schema, timestamp, 'timestamp')
  },
  closings: (options, context) => new KafkaClosings(options, context),
  deadLetters: (name, context) => new KafkaDeadLetters(name, context),
  examples: [
    {
      title: 'A compacted topic with the device as key',
      yaml: `name: kafka-sink
connections:
  kafka: { brokers: embedded, schema_registry: embedded }
flows:
  publish:
    source: { type: generate, count: 100, keys: { column: device, count: 5, prefix: d- }, fields: { cpu: { type: uniform, min: 0, max: 100 } } }
    sink:
      type: kafka
      topic: { name: kafka_sink.latest, partitions: 4, config: { cleanup.policy: compact } }
      key: [device]
      value: avro
`,
    },
  ],
  conformance: { config: { topic: 'out', value: 'json' } },
})
