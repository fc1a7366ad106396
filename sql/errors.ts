import { ConnectError, type ErrorCode } from '../runtime/errors'

/** ClickHouse's own answer, kept as the cause of the ConnectError it became. `code` as in src/Common/ErrorCodes.cpp. */
export class ClickHouseError extends Error {
  override readonly name = 'ClickHouseError'
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message)
  }
}

/**
 * What an error code of ClickHouse means for us. A code that is not listed stops the flow (S001): retrying what nobody has
 * understood loses or doubles rows. The groups follow ClickHouse Kafka Connect's list of retriable codes and what was seen in
 * tests with 26.7.
 */
const CLASSES: readonly (readonly [ErrorCode, readonly number[]])[] = [
  // unexpected end of file, file vanished, timeout, readonly, too many queries, no connection, socket timeout, network, aborted by
  // shutdown, memory limit, table readonly, no space, too many parts, few replicas, unknown status of insert, system error, keeper
  ['S002_STORE_BUSY', [3, 107, 159, 164, 202, 203, 209, 210, 236, 241, 242, 243, 252, 285, 319, 425, 999]],
  // cancelled (KILL QUERY, connection lost), std::exception (a rename that failed): rows may be there or not
  ['S008_UNKNOWN_OUTCOME', [394, 1001]],
  ['E003_AUTHENTICATION', [192, 193, 194, 516]],
  ['E007_AUTHORIZATION', [497]],
  // no such column, column not in block, duplicate column, cannot read all data, unknown table, unknown database, table is dropped
  ['S003_TABLE_MISMATCH', [8, 10, 15, 16, 20, 33, 60, 81, 218]],
  // text, quoted string, input assertion, date, datetime, type mismatch, out of bound, cannot convert, number, incorrect data, string
  // too large, array sizes, out of range, NULL in ordinary column, UUID, throwIf, decimal overflow, domain value, constraint, IPv4,
  // IPv6, unknown element of enum
  ['D014_REFUSED_BY_STORE', [6, 26, 27, 38, 41, 53, 69, 70, 72, 117, 131, 190, 321, 349, 376, 395, 407, 441, 469, 675, 676, 691]],
  // unknown function, unknown identifier, syntax, wrong arguments, unknown setting, not an aggregate
  ['S006_STATEMENT', [36, 42, 43, 46, 47, 48, 62, 63, 115, 215, 386]],
]

const BY_CODE: ReadonlyMap<number, ErrorCode> = new Map(
  CLASSES.flatMap(([ours, codes]) => codes.map(code => [code, ours] as const)),
)

/** Raised before anything was sent, or by the network while it was: the server's answer is not known. */
const TLS = /^(CERT_|ERR_TLS|ERR_SSL|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|EPROTO|HOSTNAME_MISMATCH)/

/** The ConnectError for an answer of the server. `where` names the address, without credentials. */
export function serverError(code: number, text: string, where: string): ConnectError {
  const cause = new ClickHouseError(code, text)
  // ClickHouse uses 252 for two things: parts not merged fast enough (wait) and a block that touches too many partitions
  const ours = code === 252 && /single INSERT block/.test(text) ? 'D014_REFUSED_BY_STORE' : BY_CODE.get(code)
  return new ConnectError(ours ?? 'S001_STORE_ERROR', `ClickHouse at ${where}: ${firstLine(text)}`, { cause })
}

/** The ConnectError for an HTTP status that did not come from ClickHouse itself (a proxy, a balancer). */
export function statusError(status: number, text: string, where: string): ConnectError {
  const code: ErrorCode =
    status === 401
      ? 'E003_AUTHENTICATION'
      : status === 403
        ? 'E007_AUTHORIZATION'
        : status >= 500
          ? 'S002_STORE_BUSY'
          : 'S001_STORE_ERROR'
  return new ConnectError(code, `ClickHouse at ${where} answered HTTP ${status}: ${firstLine(text)}`)
}

/** The ConnectError for whatever a socket threw. */
export function networkError(thrown: unknown, where: string): ConnectError {
  if (thrown instanceof ConnectError) return thrown
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const what = error.message || code || error.name
  if (TLS.test(code)) return new ConnectError('E009_TLS', `ClickHouse at ${where}: ${what}`, { cause: error })
  return new ConnectError('E001_UNREACHABLE', `ClickHouse at ${where} cannot be reached: ${what}`, { cause: error })
}

/** ClickHouse's code behind an error, or null. */
export const clickHouseCode = (error: unknown): number | null =>
  error instanceof ConnectError && error.cause instanceof ClickHouseError ? error.cause.code : null

/** The column of which ClickHouse says that there is none, or null. */
export const unknownColumn = (error: unknown): string | null =>
  error instanceof ConnectError && error.cause instanceof ClickHouseError
    ? (/[Uu]nknown (?:expression |expression or function )?identifier [`']([^`']+)[`']/.exec(error.cause.message)?.[1] ?? null)
    : null

/** `Code: 27. DB::Exception: ...` -> 27. */
export const codeOf = (text: string): number | null => {
  const match = /Code: (\d+)/.exec(text)
  return match ? Number(match[1]) : null
}

// what follows is the stack or the version; the first line says what happened. A row's own text may be quoted in it: bounded.
const firstLine = (text: string): string => {
  const line = text
    .replace(/^Code: \d+\. DB::Exception: /, '')
    // the whole statement, and what the grammar would allow in its place, say nothing to whoever wrote it
    .replace(/ in scope [\s\S]*?(?=\. Maybe you meant|\. \([A-Z_]+\)|$)/, '')
    .replace(/\. Expected one of: (?:[^,]+, ){3}[\s\S]*?(?=\. \([A-Z_]+\)|$)/, '')
    .split('\n', 1)[0]
    .replace(/ \(version [\d.]+.*$/, '')
    .trim()
  return line.length > 600 ? `${line.slice(0, 600)}...` : line
}
