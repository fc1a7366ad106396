import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { Kafka, type KafkaConfig, type LogEntry, logLevel, type SASLOptions } from 'kafkajs'
import { ConnectError } from '../../runtime/errors'
import type { Emitter, Level } from '../../runtime/events'
import { brokerAddresses, type KafkaConnection } from './connection'
import { type FetchAnswers, fetchSockets } from './fetch_socket'
import { tokenProvider } from './oauth'

/** Builds the kafkajs client of a connection. Nothing here opens a socket. */

export interface ClientContext {
  readonly connection: KafkaConnection
  /** Folder of the pipeline file, for relative paths of certificates. */
  readonly baseDir: string
  readonly events: Emitter
}

export interface ClientOptions {
  /** Given by who decodes fetches itself: what it is given as their answers is then to be exchanged here. */
  readonly answers?: FetchAnswers
}

/**
 * How kafkajs tries again inside one call before it gives up and the engine's own retry begins: about five seconds. All fields
 * are given, because kafkajs takes other defaults where NODE_ENV is `test`. It never restarts a consumer by itself: the source
 * does, so that no session exists that the engine does not know.
 */
export const RETRY = {
  initialRetryTime: 100,
  maxRetryTime: 1_000,
  factor: 0.2,
  multiplier: 2,
  retries: 8,
  restartOnFailure: async () => false,
} as const

export function createClient({ connection, baseDir, events }: ClientContext, { answers }: ClientOptions = {}): Kafka {
  const config: KafkaConfig = {
    clientId: connection.client_id,
    brokers: [...brokerAddresses(connection.brokers)],
    connectionTimeout: connection.connection_timeout,
    requestTimeout: connection.request_timeout,
    authenticationTimeout: connection.authentication_timeout,
    retry: RETRY,
    logLevel: logLevel.INFO,
    logCreator: () => entry => log(events, entry),
    ...(connection.tls ? { ssl: tlsOptions(connection.tls, baseDir) } : {}),
    ...(answers && !connection.tls ? { socketFactory: fetchSockets(answers) } : {}),
    ...(connection.sasl === undefined ? {} : { sasl: saslOptions(connection.sasl) }),
  }
  return new Kafka(config)
}

function tlsOptions(tls: true | Exclude<KafkaConnection['tls'], boolean | undefined>, baseDir: string): true | ConnectionOptions {
  if (tls === true) return true
  const pem = (text: string | undefined, field: string): string | undefined =>
    text === undefined || text.includes('-----BEGIN') ? text : readPem(resolve(baseDir, text), field)
  return {
    ca: pem(tls.ca, 'ca'),
    cert: pem(tls.cert, 'cert'),
    key: pem(tls.key, 'key'),
    passphrase: tls.passphrase,
    rejectUnauthorized: tls.reject_unauthorized,
    ...(tls.server_name === undefined ? {} : { servername: tls.server_name }),
  }
}

function readPem(path: string, field: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ConnectError('C012_UNREADABLE_FILE', `tls.${field}: cannot read ${path}`, { cause })
  }
}

function saslOptions(sasl: NonNullable<KafkaConnection['sasl']>): SASLOptions {
  switch (sasl.mechanism) {
    case 'oauthbearer':
      return { mechanism: 'oauthbearer', oauthBearerProvider: tokenProvider(sasl) }
    default:
      return { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password }
  }
}

/**
 * kafkajs says at `error`, twice a second for as long as it takes, what it then retries; what it gives up reaches the engine as an
 * exception, which is told once. Its `info` is what happens at every start. So both are details; its warnings nobody else tells.
 */
const LEVEL: Readonly<Record<number, Level>> = {
  [logLevel.ERROR]: 'debug',
  [logLevel.WARN]: 'info',
  [logLevel.INFO]: 'debug',
  [logLevel.DEBUG]: 'debug',
}

function log(events: Emitter, { namespace, level, log: { message, error } }: LogEntry): void {
  const detail = typeof error === 'string' && !message.includes(error) ? `: ${error}` : ''
  events.emit('client_log', {
    client: 'kafka',
    level: LEVEL[level] ?? 'debug',
    message: `${namespace ? `[${namespace}] ` : ''}${message}${detail}`,
  })
}
