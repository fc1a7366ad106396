import type { StageName } from './stage_name'

/**
 * Every error of the product in one table. `retriable`: the engine tries the same thing again. `exit`: the exit code of a
 * command that ends with it (1 runtime, 2 invalid input, 3 environment). `hint`: what to do, shown after the message unless the
 * place that throws knows better.
 *
 * The first letter groups them: C configuration, E environment, D data (rows), S store, K Kafka, P delivery and positions, R runtime.
 */
export const ERRORS = {
  // configuration: found before anything opens
  C001_YAML_SYNTAX: { retriable: false, exit: 2, hint: 'the file is not valid YAML; fix the marked place' },
  C002_UNKNOWN_KEY: { retriable: false, exit: 2, hint: 'remove the key or correct its spelling' },
  C003_WRONG_TYPE: { retriable: false, exit: 2, hint: 'give a value of the expected type' },
  C004_MISSING_KEY: { retriable: false, exit: 2, hint: 'add the missing key' },
  C005_INVALID_VALUE: { retriable: false, exit: 2, hint: 'give a value that is allowed here' },
  C006_NULL_VALUE: {
    retriable: false,
    exit: 2,
    hint: 'give the key a value or remove it; `!x` is a YAML tag and reads as nothing: quote it',
  },
  C007_YAML_TAG: { retriable: false, exit: 2, hint: 'quote the value: an unquoted `!` starts a YAML tag' },
  C008_DUPLICATE_KEY: { retriable: false, exit: 2, hint: 'a key may stand once in a mapping' },
  C009_UNKNOWN_PLUGIN: {
    retriable: false,
    exit: 2,
    hint: '`connect plugins` lists what there is; others are loaded by `plugins:`',
  },
  C010_UNKNOWN_REFERENCE: { retriable: false, exit: 2, hint: 'name something that this file declares' },
  C011_UNSET_VARIABLE: { retriable: false, exit: 2, hint: 'set the variable or give a default: ${NAME:-default}' },
  C012_UNREADABLE_FILE: { retriable: false, exit: 2, hint: 'check the path (relative to the pipeline file) and its permissions' },
  C013_UNSAFE_NEIGHBOURS: { retriable: false, exit: 2, hint: 'change one of the two stages' },
  C014_EXPRESSION: {
    retriable: false,
    exit: 2,
    hint: 'correct the expression; columns and their types are listed by `connect schema`',
  },
  C015_UNKNOWN_COLUMN: { retriable: false, exit: 2, hint: '`connect schema` lists the columns at each stage' },
  C016_SCHEMA: { retriable: false, exit: 2, hint: 'correct the schema' },
  C017_FLOW_STYLE: {
    retriable: false,
    exit: 2,
    hint: 'quote the value: commas and braces split an unquoted value in flow style',
  },
  C018_PLUGIN_INVALID: {
    retriable: false,
    exit: 2,
    hint: 'the default export must be made by defineSource, defineTransform, defineSink, defineFormat or defineDetector',
  },
  C019_USAGE: { retriable: false, exit: 2, hint: '`connect help` shows the commands and their options' },
  C020_TYPE_MISMATCH: { retriable: false, exit: 2, hint: 'add a `cast` or change the column' },
  C021_NOT_AVAILABLE: { retriable: false, exit: 2, hint: 'remove it; this version does not run this part of the language' },

  // environment: what is around us is missing or refuses
  E001_UNREACHABLE: { retriable: true, exit: 3, hint: 'check the address and that the service runs' },
  E002_CONNECTION_MISSING: { retriable: false, exit: 3, hint: 'set the address, or allow embedded services with --embedded' },
  E003_AUTHENTICATION: { retriable: false, exit: 3, hint: 'check user, password and mechanism' },
  E004_PORT_TAKEN: { retriable: false, exit: 3, hint: 'stop the program that listens there or give another port' },
  E005_EMBEDDED_FAILED: { retriable: false, exit: 3, hint: 'see the log of the service in the data folder' },
  E006_EMBEDDED_MISSING: { retriable: false, exit: 3, hint: 'install the optional dependencies: npm install --include=optional' },
  E007_AUTHORIZATION: { retriable: false, exit: 3, hint: 'grant the missing right to this user' },
  E008_DATA_LOCKED: { retriable: false, exit: 3, hint: 'another process uses this data folder; give another with --data' },
  E009_TLS: { retriable: false, exit: 3, hint: 'check ca, cert, key and the host name in the certificate' },
  E010_LANES_DIFFER: {
    retriable: false,
    exit: 3,
    hint: 'this group runs with other lanes or topics; stop all its workers, then change them',
  },

  // data: rows that cannot pass
  D001_MALFORMED: { retriable: false, exit: 1, hint: 'the bytes are not what the format says' },
  D002_UNKNOWN_SCHEMA_ID: { retriable: false, exit: 1, hint: 'register the schema or correct the producer' },
  D003_INCOMPATIBLE_SCHEMA: {
    retriable: false,
    exit: 1,
    hint: 'the writer schema cannot be read as the reader schema of this flow',
  },
  D004_MISSING_FIELD: { retriable: false, exit: 1, hint: 'a required field has no value and no default' },
  D005_OUT_OF_RANGE: { retriable: false, exit: 1, hint: 'the value does not fit the column' },
  D006_WRONG_TYPE: { retriable: false, exit: 1, hint: 'the value has another type than the column' },
  D007_TOMBSTONE: { retriable: false, exit: 1, hint: 'a record without value; set on_tombstone: skip to leave them out' },
  D008_NULL: { retriable: false, exit: 1, hint: 'the column is not nullable' },
  D009_TOO_FAR_AHEAD: { retriable: false, exit: 1, hint: 'the event time is further ahead than max_ahead allows' },
  D010_CORRUPT_BATCH: {
    retriable: false,
    exit: 1,
    hint: 'the checksum of the record batch is wrong; the broker or the network damaged it',
  },
  D011_TOO_LARGE: { retriable: false, exit: 1, hint: 'raise the size limit on both sides or send smaller records' },
  D012_EXPRESSION: { retriable: false, exit: 1, hint: 'the expression failed on this row' },
  D013_UNKNOWN_FIELD: { retriable: false, exit: 1, hint: 'declare the field or set unknown_fields: ignore' },
  D014_REFUSED_BY_STORE: { retriable: false, exit: 1, hint: 'the store refused this row; see the reason' },

  // store
  S001_STORE_ERROR: { retriable: false, exit: 1, hint: 'the store refused the statement' },
  S002_STORE_BUSY: { retriable: true, exit: 1, hint: 'the store is overloaded or restarting' },
  S003_TABLE_MISMATCH: { retriable: false, exit: 1, hint: 'change the table or the columns of the flow so that they agree' },
  S004_CANNOT_DEDUPLICATE: {
    retriable: false,
    exit: 1,
    hint: 'set non_replicated_deduplication_window on the table, or delivery: at_least_once on the sink',
  },
  S005_PARTIAL_PART: {
    retriable: false,
    exit: 1,
    hint: 'the table holds part of a block that is written as a whole; was it changed by hand?',
  },
  S006_STATEMENT: { retriable: false, exit: 2, hint: 'correct the SQL' },
  S007_DEADLINE: { retriable: false, exit: 1, hint: 'the insert arrived after its deadline and was refused' },
  S008_UNKNOWN_OUTCOME: { retriable: true, exit: 1, hint: 'sent again and checked' },
  S009_TABLE_OWNED: {
    retriable: false,
    exit: 1,
    hint: 'another pipeline writes this table; give this one another table, or remove the mark from the comment of its __in table',
  },
  S010_VIEW_CHANGED: {
    retriable: false,
    exit: 1,
    hint: 'undo the change of the view, or drop its objects and let them be made again',
  },
  S011_NO_VIEW: { retriable: true, exit: 1, hint: 'the flow that writes its table makes it; see what that flow says' },

  // Kafka
  K001_OFFSET_OUT_OF_RANGE: {
    retriable: false,
    exit: 1,
    hint: 'records this flow still needed were deleted by retention; `start:` decides only for new flows',
  },
  K002_OFFSET_JUMP: { retriable: false, exit: 1, hint: 'offsets must be contiguous; was the topic made again?' },
  K003_KAFKA_ERROR: { retriable: false, exit: 1, hint: 'see the code of the broker' },
  K004_KAFKA_BUSY: { retriable: true, exit: 1, hint: 'the broker asks to try again' },
  K005_UNKNOWN_TOPIC: { retriable: false, exit: 1, hint: 'start what writes it, create the topic or correct its name' },
  K006_FENCED: { retriable: false, exit: 1, hint: 'another worker took this over; nothing to do' },
  K007_TOPIC_SETTINGS: { retriable: false, exit: 1, hint: 'the topic exists with other settings' },
  K008_REGISTRY: { retriable: false, exit: 1, hint: 'see the answer of the schema registry' },
  K009_TOPIC_PENDING: { retriable: true, exit: 1, hint: 'see what the flow that creates it says' },

  // positions and delivery
  P001_POSITION_STOP: { retriable: false, exit: 1, hint: 'the stored position cannot be trusted; nothing was written' },
  P002_BEHIND_TABLE: {
    retriable: false,
    exit: 1,
    hint: 'the group knows less than the table holds: offsets were reset or expired',
  },
  P003_DEAD_LETTER_FAILED: {
    retriable: false,
    exit: 1,
    hint: 'a dead letter could not be written, so the flow stopped before it',
  },
  P004_REJECTED: { retriable: false, exit: 1, hint: 'set on_error: {dead_letter: TOPIC} to set such records aside and go on' },
  P005_SESSION_OVER: { retriable: false, exit: 1, hint: 'the group was rebalanced' },
  P006_POSITION_TOO_LARGE: { retriable: false, exit: 1, hint: 'fewer topics or more lanes' },
  P007_RESULT_UNKNOWN: { retriable: false, exit: 1, hint: 'the outcome of a transaction is not known; it is looked up' },

  // runtime
  R001_INTERNAL: { retriable: false, exit: 1, hint: 'this is a bug; please report it with the message' },
  R002_TIMEOUT: { retriable: true, exit: 1, hint: 'it took longer than allowed' },
  R003_ABORTED: { retriable: false, exit: 1, hint: 'stopped on request' },
  R004_SHUTDOWN_TIMEOUT: { retriable: false, exit: 1, hint: 'raise shutdown_timeout; nothing is lost, the next start goes on' },
} as const satisfies Record<string, { retriable: boolean; exit: 1 | 2 | 3; hint: string }>

export type ErrorCode = keyof typeof ERRORS

export interface ErrorDetails {
  readonly stage?: StageName
  /** Name of the plugin as in YAML. */
  readonly plugin?: string
  /** Replaces the table's hint where the thrower knows better. */
  readonly hint?: string
  /** Replaces the table's verdict where the thrower knows better. */
  readonly retriable?: boolean
  readonly cause?: unknown
}

/**
 * The one error type. The engine acts on `retriable` and `stage`; people read message and hint; scripts read the exit code.
 * The message never holds a secret: whoever builds it from foreign text scrubs it first.
 */
export class ConnectError extends Error {
  override readonly name = 'ConnectError'
  readonly stage: StageName | undefined
  readonly plugin: string | undefined
  readonly hint: string
  readonly retriable: boolean

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, { cause: details.cause })
    this.stage = details.stage
    this.plugin = details.plugin
    this.hint = details.hint ?? ERRORS[code].hint
    this.retriable = details.retriable ?? ERRORS[code].retriable
  }

  get exitCode(): 1 | 2 | 3 {
    return ERRORS[this.code].exit
  }
}

/** Reason of a graceful stop that nobody asked for at that moment: the time of the run is over, whatever it has done by then. */
export class TimeOver extends ConnectError {
  constructor() {
    super('R003_ABORTED', 'the time given by --for is over')
  }
}

/** Any thrown value as a ConnectError; what we did not raise ourselves is R001. */
export function asConnectError(thrown: unknown, details: ErrorDetails = {}): ConnectError {
  if (thrown instanceof ConnectError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new ConnectError('R001_INTERNAL', message, { cause: thrown, ...details })
}
