import { z } from 'zod'
import * as fields from '../../runtime/fields'
import { defineSource } from '../../runtime/plugin'
import type { KafkaConnection } from './connection'
import { KafkaSource } from './source'

export const sourceConfig = z.strictObject({
  topics: z.array(fields.topicName()).min(1).describe('Topics to read.'),
  ...fields.rawSourceFields,
  start: z.enum(['earliest', 'latest']).prefault('earliest').describe('Where a flow begins that has no position yet.'),
  isolation: z
    .enum(['read_committed', 'read_uncommitted'])
    .prefault('read_committed')
    .describe('Whether records of open and aborted transactions are left out.'),
  idle: fields
    .duration()
    .optional()
    .describe('After this long without records, a partition that is read to its end no longer holds the watermark back.'),
  group: z.string().min(1).max(249).optional().describe('Consumer group. Default: olap-connect.<pipeline>.<flow>.'),
  session_timeout: fields
    .duration()
    .prefault('10s')
    .meta({ advanced: true })
    .describe('After this long without a heartbeat the lanes of a worker go to others.'),
  fetch: z
    .strictObject({
      max_bytes_per_partition: fields
        .bytes()
        .prefault('1MiB')
        .describe('Bytes fetched of a partition at once. A larger record is read all the same.'),
      max_bytes: fields.bytes().prefault('4MiB').describe('Bytes in one answer of a broker.'),
      max_wait: fields.duration().prefault('200ms').describe('How long a broker waits for records before it answers.'),
    })
    .prefault({})
    .describe('How much is asked for at once.')
    .meta({ advanced: true }),
})

export type KafkaSourceConfig = z.output<typeof sourceConfig>

export const kafkaSource = defineSource<typeof sourceConfig, KafkaConnection>({
  name: 'kafka',
  status: 'beta',
  since: '0.1.0',
  summary: 'Reads topics, exactly once, with its partitions spread over the workers of a group.',
  description:
    'Every partition belongs to one of the lanes of the flow, and a lane to one worker. Records are read as the broker stored ' +
    'them (gzip, snappy, lz4, zstd), their checksums are checked, and a damaged batch becomes a dead letter. Offsets are ' +
    'committed with the batch they fence, never automatically.',
  config: sourceConfig,
  connection: 'kafka',
  capabilities: { delivers: 'records', exactly_once: true, groups: true },
  bounded: () => false,
  reads: config => config.topics,
  create: (config, context) => new KafkaSource(config, context),
  examples: [
    {
      title: 'Avro records with the key and the timestamp as columns',
      yaml: `name: kafka-source
connections:
  kafka: { brokers: embedded, schema_registry: embedded }
flows:
  publish:
    source: { type: generate, count: 100, keys: { column: device, count: 5, prefix: d- }, fields: { cpu: { type: uniform, min: 0, max: 100 } } }
    sink: { type: kafka, topic: kafka_source.cpu, key: [device], value: avro }
  ingest:
    source:
      type: kafka
      topics: [kafka_source.cpu]
      value: avro
      columns: { sent_by: key, recorded_at: timestamp }
    sink: { type: stdout, limit: 5 }
    on_error: { dead_letter: kafka_source.dead }
`,
    },
  ],
  conformance: { config: { topics: ['events'], value: 'json' } },
})
