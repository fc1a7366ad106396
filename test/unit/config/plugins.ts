import { z } from 'zod'
import { bytes, duration, flush, format, inlineSchema, rawSourceFields, secret, topicName } from '../../../runtime/fields'
import {
  type DeadLetterWriter,
  defineConnection,
  defineFormat,
  defineSink,
  defineSource,
  defineTransform,
  type Format,
  type Sink,
  type Source,
  type Transform,
} from '../../../runtime/plugin'
import { createRegistry } from '../../../runtime/registry'

/** Declarations small enough to see every case of the loader in. Nothing is ever created from them. */

const base = { status: 'stable', since: '0.1.0', summary: 's', description: 'd', examples: [], conformance: {} } as const
const never = (): never => {
  throw new Error('the loader creates nothing')
}

const sasl = z.discriminatedUnion('mechanism', [
  z.strictObject({ mechanism: z.literal('plain'), username: z.string(), password: secret() }),
  z.strictObject({ mechanism: z.literal('oauthbearer'), token_url: z.url() }),
])

export const registry = createRegistry([
  defineConnection({
    ...base,
    name: 'queue',
    embedded: { brokers: 'kafka' },
    config: z.strictObject({
      brokers: z.union([z.string().min(1), z.array(z.string()).min(1)]),
      schema_registry: z.string().optional(),
      sasl: sasl.optional(),
      tls: z.boolean().prefault(false),
    }),
  }),
  defineConnection({
    ...base,
    name: 'store',
    embedded: { url: 'clickhouse' },
    config: z.strictObject({ url: z.string(), database: z.string().prefault('default'), password: secret().optional() }),
  }),
  defineSource({
    ...base,
    name: 'topic',
    connection: 'queue',
    capabilities: { delivers: 'records', exactly_once: true, groups: true },
    config: z.strictObject({
      topics: z.array(topicName()).min(1),
      start: z.enum(['earliest', 'latest']).prefault('earliest'),
      idle: duration().optional(),
      ...rawSourceFields,
    }),
    bounded: () => false,
    reads: config => config.topics,
    create: (): Source => never(),
  }),
  defineSource({
    ...base,
    name: 'ticks',
    connection: null,
    capabilities: { delivers: 'columns', exactly_once: true, groups: false },
    config: z.strictObject({ rows: z.int().min(1).optional(), columns: inlineSchema(), rate: z.number().min(0).prefault(10) }),
    bounded: config => config.rows !== undefined,
    reads: () => [],
    create: (): Source => never(),
  }),
  defineTransform({
    ...base,
    name: 'filter',
    capabilities: { stateful: false },
    config: z.strictObject({ if: z.string().min(1) }),
    create: (): Transform => never(),
  }),
  defineTransform({
    ...base,
    name: 'rename',
    capabilities: { stateful: false },
    config: z.strictObject({ fields: z.record(z.string(), z.string()) }),
    create: (): Transform => never(),
  }),
  defineSink({
    ...base,
    name: 'table',
    connection: 'store',
    capabilities: { exactly_once: true, upsert: true, create_table: true, transactional: false },
    config: z.strictObject({
      table: z.string().min(1),
      mode: z.enum(['append', 'upsert']).prefault('append'),
      max_ahead: duration().optional(),
      limit: bytes().prefault('1MiB'),
      order_by: z.array(z.string()).prefault([]),
      flush: flush(),
    }),
    writes: config => [config.table],
    create: (): Sink => never(),
  }),
  defineSink({
    ...base,
    name: 'topic',
    connection: 'queue',
    capabilities: { exactly_once: true, upsert: false, create_table: true, transactional: true },
    config: z.strictObject({ topic: topicName(), value: format().prefault('json') }),
    writes: config => [config.topic],
    create: (): Sink => never(),
    deadLetters: (): DeadLetterWriter => never(),
  }),
  defineSink({
    ...base,
    name: 'screen',
    connection: null,
    capabilities: { exactly_once: false, upsert: false, create_table: false, transactional: false },
    config: z.strictObject({ limit: z.int().min(1).optional(), color: z.boolean().optional() }),
    writes: () => [],
    create: (): Sink => never(),
  }),
  ...['json', 'string'].map(name =>
    defineFormat({
      ...base,
      name,
      capabilities: { encodes: true, needs_registry: false },
      config: z.strictObject({}),
      create: (): Format => never(),
    }),
  ),
  defineFormat({
    ...base,
    name: 'csv',
    capabilities: { encodes: false, needs_registry: false },
    config: z.strictObject({ columns: inlineSchema(), separator: z.string().length(1).prefault(',') }),
    create: (): Format => never(),
  }),
])
