import { ConnectError, type ErrorCode, type ErrorDetails } from '../../runtime/errors'

/** What kafkajs throws, as one of our errors. Names of broker errors are those of the protocol guide, as kafkajs spells them. */

interface KafkaFailure {
  readonly name?: unknown
  readonly type?: unknown
  readonly code?: unknown
  readonly message?: unknown
  readonly cause?: unknown
  readonly originalError?: unknown
  readonly errors?: unknown
}

/** Broker errors that mean something of their own to us; any other is K004 where kafkajs calls it retriable, else K003. */
const BY_TYPE: Readonly<Record<string, ErrorCode>> = {
  OFFSET_OUT_OF_RANGE: 'K001_OFFSET_OUT_OF_RANGE',
  UNKNOWN_TOPIC_OR_PARTITION: 'K005_UNKNOWN_TOPIC',
  INVALID_TOPIC_EXCEPTION: 'K005_UNKNOWN_TOPIC',
  MESSAGE_TOO_LARGE: 'D011_TOO_LARGE',
  RECORD_LIST_TOO_LARGE: 'D011_TOO_LARGE',
  OFFSET_METADATA_TOO_LARGE: 'P006_POSITION_TOO_LARGE',
  INCONSISTENT_GROUP_PROTOCOL: 'E010_LANES_DIFFER',
  TOPIC_AUTHORIZATION_FAILED: 'E007_AUTHORIZATION',
  GROUP_AUTHORIZATION_FAILED: 'E007_AUTHORIZATION',
  CLUSTER_AUTHORIZATION_FAILED: 'E007_AUTHORIZATION',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'E007_AUTHORIZATION',
  SASL_AUTHENTICATION_FAILED: 'E003_AUTHENTICATION',
  UNSUPPORTED_SASL_MECHANISM: 'E003_AUTHENTICATION',
  // a listener that wants SASL answers a client that offers none with this
  ILLEGAL_SASL_STATE: 'E003_AUTHENTICATION',
  INVALID_PRODUCER_EPOCH: 'K006_FENCED',
  PRODUCER_FENCED: 'K006_FENCED',
  TRANSACTION_COORDINATOR_FENCED: 'K006_FENCED',
  GROUP_LOAD_IN_PROGRESS: 'K004_KAFKA_BUSY',
  GROUP_COORDINATOR_NOT_AVAILABLE: 'K004_KAFKA_BUSY',
  NOT_COORDINATOR_FOR_GROUP: 'K004_KAFKA_BUSY',
  NETWORK_EXCEPTION: 'E001_UNREACHABLE',
  BROKER_NOT_AVAILABLE: 'E001_UNREACHABLE',
  ILLEGAL_GENERATION: 'P005_SESSION_OVER',
  UNKNOWN_MEMBER_ID: 'P005_SESSION_OVER',
  REBALANCE_IN_PROGRESS: 'P005_SESSION_OVER',
  FENCED_INSTANCE_ID: 'P005_SESSION_OVER',
}

/** kafkajs's table of broker errors ends at 88; these later ones are met by what it can speak. */
const LATER_CODES: Readonly<Record<number, string>> = { 90: 'PRODUCER_FENCED', 97: 'INVALID_RECORD_STATE' }

const BY_NAME: Readonly<Record<string, ErrorCode>> = {
  KafkaJSSASLAuthenticationError: 'E003_AUTHENTICATION',
  KafkaJSConnectionError: 'E001_UNREACHABLE',
  KafkaJSConnectionClosedError: 'E001_UNREACHABLE',
  KafkaJSRequestTimeoutError: 'E001_UNREACHABLE',
  KafkaJSBrokerNotFound: 'E001_UNREACHABLE',
  KafkaJSNoBrokerAvailableError: 'E001_UNREACHABLE',
  KafkaJSLockTimeout: 'E001_UNREACHABLE',
  KafkaJSGroupCoordinatorNotFound: 'K004_KAFKA_BUSY',
  KafkaJSTopicMetadataNotLoaded: 'K004_KAFKA_BUSY',
  KafkaJSMetadataNotLoaded: 'K004_KAFKA_BUSY',
  KafkaJSStaleTopicMetadataAssignment: 'K004_KAFKA_BUSY',
}

/** Codes and words by which Node names a TLS failure; kafkajs passes on only its text. */
const TLS_FAILURE =
  /\bcertificate\b|self[- ]signed|ERR_TLS|ERR_SSL|SSL routines|\bEPROTO\b|altname|unable to (get|verify)|handshake failure|alert (number|bad|unknown)|secure TLS connection/i

const UNREACHABLE =
  /ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|Connection timeout|Closed connection/

export function kafkaError(thrown: unknown, what: string, details: ErrorDetails = {}): ConnectError {
  const chain = failureChain(thrown)
  const own = chain.find((e): e is ConnectError => e instanceof ConnectError)
  if (own) return own
  const message = `${what}: ${textOf(chain[0])}`
  const all = { cause: thrown, ...details }
  const tls = chain.find(e => TLS_FAILURE.test(textOf(e)))
  if (tls) return new ConnectError('E009_TLS', `${what}: ${textOf(tls)}`, all)
  for (const e of chain) {
    const type = typeOf(e)
    if (type !== null && BY_TYPE[type]) return new ConnectError(BY_TYPE[type], message, all)
  }
  for (const e of chain) {
    const code = typeof e.name === 'string' ? BY_NAME[e.name] : undefined
    if (code) return new ConnectError(code, message, all)
  }
  if (chain.some(e => UNREACHABLE.test(`${textOf(e)} ${String(e.code)}`)))
    return new ConnectError('E001_UNREACHABLE', message, all)
  const broker = chain.find(e => e.name === 'KafkaJSProtocolError')
  if (broker && 'retriable' in broker && broker.retriable === true) return new ConnectError('K004_KAFKA_BUSY', message, all)
  return new ConnectError('K003_KAFKA_ERROR', message, all)
}

/** Protocol name of the broker's error in a thrown value (`ILLEGAL_GENERATION`), or null if no broker answered with one. */
export function brokerErrorType(thrown: unknown): string | null {
  for (const e of failureChain(thrown)) {
    const type = typeOf(e)
    if (type !== null) return type
  }
  return null
}

function typeOf(e: KafkaFailure): string | null {
  if (e.type === 'KAFKAJS_UNKNOWN_ERROR_CODE') {
    const code = /Unknown error code (-?\d+)/.exec(textOf(e))
    return code ? (LATER_CODES[Number(code[1])] ?? `code ${code[1]}`) : null
  }
  return typeof e.type === 'string' ? e.type : null
}

/** A thrown value and what caused it, outermost first. */
function failureChain(thrown: unknown): readonly KafkaFailure[] {
  const chain: KafkaFailure[] = []
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || chain.includes(value) || chain.length > 20) return
    chain.push(value)
    const e: KafkaFailure = value
    visit(e.cause)
    visit(e.originalError)
    if (Array.isArray(e.errors)) e.errors.forEach(visit)
  }
  visit(thrown)
  return chain.length > 0 ? chain : [{ message: String(thrown) }]
}

const textOf = (e: KafkaFailure): string => (typeof e.message === 'string' ? e.message : String(e.name ?? 'unknown error'))
