import http from 'node:http'
import https from 'node:https'
import { ConnectError } from '../runtime/errors'
import { codeOf, networkError, serverError, statusError } from './errors'

/** Where a store listens and how to get in. `where` is what messages call it: never with credentials. */
export interface Endpoint {
  readonly url: URL
  readonly where: string
  readonly username: string
  readonly password: string
  readonly agent: http.Agent
}

export interface Post {
  readonly search: Readonly<Record<string, string>>
  /** Sent as they are, one after another; must stay untouched until the promise settles. */
  readonly body: readonly Uint8Array[]
  readonly signal?: AbortSignal
  readonly timeout: number
}

/**
 * One POST with a chunk list as its body, and the whole answer. Spoken here and not through the client library because the
 * library takes a stream: copying 100,000 rows through it costs several times the encoding (see bench/insert.ts).
 */
export function post(endpoint: Endpoint, request: Post): Promise<Buffer> {
  const { url, where, agent } = endpoint
  const { signal, timeout, body } = request
  if (signal?.aborted) return Promise.reject(abortReason(signal))
  let size = 0
  for (const part of body) size += part.byteLength
  const search = new URLSearchParams([...url.searchParams, ...Object.entries(request.search)])

  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? https.request : http.request
    const outgoing = send(
      {
        hostname: url.hostname.replace(/^\[|\]$/g, ''),
        port: url.port || undefined,
        path: `${url.pathname}?${search}`,
        method: 'POST',
        agent,
        headers: {
          'content-length': size,
          'x-clickhouse-user': endpoint.username,
          'x-clickhouse-key': endpoint.password,
        },
      },
      answer => {
        const parts: Buffer[] = []
        answer.on('data', part => parts.push(part))
        answer.on('error', fail)
        answer.on('end', () => settle(() => finish(answer, Buffer.concat(parts), where)))
      },
    )
    const fail = (thrown: unknown): void => settle(() => Promise.reject(networkError(thrown, where)))
    const abort = (): void => {
      settle(() => Promise.reject(abortReason(signal)))
      outgoing.destroy()
    }
    const timer = setTimeout(() => {
      settle(() => Promise.reject(new ConnectError('R002_TIMEOUT', `ClickHouse at ${where} did not answer within ${timeout} ms`)))
      outgoing.destroy()
    }, timeout)
    let settled = false
    const settle = (outcome: () => Buffer | Promise<Buffer>): void => {
      // a request that is destroyed fails once more, and a rejection that nobody waits for ends the process
      if (settled) return
      settled = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      try {
        resolve(outcome())
      } catch (error) {
        reject(error)
      }
    }
    signal?.addEventListener('abort', abort, { once: true })
    outgoing.on('error', fail)
    outgoing.cork()
    for (const part of body) outgoing.write(part)
    outgoing.end()
    outgoing.uncork()
  })
}

function finish(answer: http.IncomingMessage, body: Buffer, where: string): Buffer {
  const status = answer.statusCode ?? 0
  const header = answer.headers['x-clickhouse-exception-code']
  if (header === undefined && status === 200) return body
  const text = body.toString('utf8')
  const code = header === undefined ? codeOf(text) : Number(header)
  throw code === null ? statusError(status, text, where) : serverError(code, text, where)
}

/** What a caller that aborted gets back: the reason where it is ours, else R003. */
export function abortReason(signal: AbortSignal | undefined): ConnectError {
  const reason: unknown = signal?.reason
  return reason instanceof ConnectError
    ? reason
    : new ConnectError('R003_ABORTED', 'the request was cancelled', { cause: reason })
}
