import { z } from 'zod'
import * as fields from '../../runtime/fields'
import { defineConnection, type RegistryEndpoint } from '../../runtime/plugin'

/** A cluster and its schema registry: `connections: {kafka: {brokers: ...}}`. Turned into a client by client.ts. */

const ADDRESS = /^[^\s,]+:\d{1,5}$/

const addresses = (text: string): readonly string[] =>
  text
    .split(',')
    .map(a => a.trim())
    .filter(a => a !== '')

const brokerList = z.union([z.string(), z.array(z.string()).min(1)]).refine(value => {
  const list = brokerAddresses(value)
  return value === 'embedded' || (list.length > 0 && list.every(a => ADDRESS.test(a)))
}, 'expected `host:port`, several of them separated by commas or as a list, or `embedded`')

const registry = z.union([
  z.string(),
  z.strictObject({
    url: z.string().describe('Address of the registry, or `embedded`.'),
    username: z.string().optional(),
    password: fields.secret().optional(),
    ca: z.string().optional().describe('Certificate authority: a path or PEM text.'),
  }),
])

const tls = z.union([
  z.boolean(),
  z.strictObject({
    ca: z.string().optional().describe('Certificate authority: a path or PEM text. Default: the ones of the system.'),
    cert: z.string().optional().describe('Client certificate: a path or PEM text.'),
    key: fields.secret().optional().describe('Key of the client certificate: a path or PEM text.'),
    passphrase: fields.secret().optional().describe('Passphrase of the key.'),
    reject_unauthorized: z.boolean().prefault(true).describe('False accepts any certificate. For trials only.'),
    server_name: z.string().optional().describe('Name expected in the certificate, where it is not the host name.'),
  }),
])

const password = {
  username: z.string(),
  password: fields.secret(),
}

const sasl = z.discriminatedUnion('mechanism', [
  z.strictObject({ mechanism: z.literal('plain'), ...password }),
  z.strictObject({ mechanism: z.literal('scram-sha-256'), ...password }),
  z.strictObject({ mechanism: z.literal('scram-sha-512'), ...password }),
  z
    .strictObject({
      mechanism: z.literal('oauthbearer'),
      token: fields.secret().optional().describe('A token that is sent as it is.'),
      token_endpoint: z.url().optional().describe('Where tokens are fetched by the client credentials grant (RFC 6749, 4.4).'),
      client_id: z.string().optional(),
      client_secret: fields.secret().optional(),
      scope: z.string().optional(),
    })
    .refine(
      c => (c.token !== undefined) !== (c.token_endpoint !== undefined),
      'give either `token`, or `token_endpoint` with `client_id` and `client_secret`',
    )
    .refine(
      c => c.token_endpoint === undefined || (c.client_id !== undefined && c.client_secret !== undefined),
      '`token_endpoint` needs `client_id` and `client_secret`',
    ),
])

export const connectionConfig = z.strictObject({
  brokers: brokerList.describe('Addresses of some brokers, or `embedded`.').meta({ examples: ['localhost:9092', 'embedded'] }),
  schema_registry: registry.optional().describe('Address of a Confluent-compatible schema registry, or `embedded`.'),
  tls: tls.optional().describe('Encrypts the connections.'),
  sasl: sasl.optional().describe('How to authenticate.'),
  client_id: z.string().prefault('olap-connect').describe('Name shown in the logs and quotas of the brokers.'),
  connection_timeout: fields.duration().prefault('5s').meta({ advanced: true }).describe('Longest wait for a connection.'),
  request_timeout: fields.duration().prefault('30s').meta({ advanced: true }).describe('Longest wait for an answer.'),
  authentication_timeout: fields.duration().prefault('10s').meta({ advanced: true }).describe('Longest wait for SASL.'),
  metadata_max_age: fields.duration().prefault('1m').meta({ advanced: true }).describe('How soon new partitions are seen.'),
})

export type KafkaConnection = z.output<typeof connectionConfig>

/** The list of `host:port` behind `brokers:`. */
export const brokerAddresses = (brokers: string | readonly string[]): readonly string[] =>
  (typeof brokers === 'string' ? [brokers] : brokers).flatMap(addresses)

export const kafkaConnection = defineConnection({
  name: 'kafka',
  status: 'beta',
  since: '0.1.0',
  summary: 'A Kafka cluster and its schema registry.',
  description:
    'Any broker that speaks the Kafka protocol since 0.11 (2.3 or later for reading from the current leader epoch). ' +
    '`embedded` starts a development broker on this machine.',
  config: connectionConfig,
  embedded: { brokers: 'kafka', schema_registry: 'schema_registry' },
  registry(config): RegistryEndpoint | null {
    const r = config.schema_registry
    if (r === undefined) return null
    return typeof r === 'string' ? { url: r } : r
  },
  examples: [
    {
      title: 'The development broker and registry',
      yaml: `name: development
connections:
  kafka: { brokers: embedded, schema_registry: embedded }
flows:
  publish:
    source: { type: generate, count: 100, fields: { cpu: { type: uniform, min: 0, max: 100 } } }
    sink: { type: kafka, topic: development.readings, value: avro }
`,
    },
    {
      title: 'A cluster with TLS and a password that the variable KAFKA_PASSWORD holds',
      yaml: `name: cluster
connections:
  kafka:
    brokers: broker-1:9093,broker-2:9093
    schema_registry: https://registry:8081
    tls: { ca: /etc/ssl/kafka-ca.pem }
    sasl: { mechanism: scram-sha-512, username: connect, password: "\${KAFKA_PASSWORD}" }
flows:
  look:
    source: { type: kafka, topics: [orders], value: avro }
    sink: { type: stdout, limit: 5 }
`,
    },
  ],
  conformance: { config: { brokers: 'localhost:9092' } },
})
