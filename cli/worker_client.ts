import path from 'node:path'
import { ConnectError, ERRORS, type ErrorCode } from '../runtime/errors'
import type { Status } from '../runtime/status'
import type { Io } from './io'
import { TOKEN_VARIABLE, tokenOf } from './listen'
import { runningWorkers } from './workers'

export interface WorkerOptions {
  readonly url?: string
  readonly data: string
  readonly tokenFile?: string
}

/** A worker to ask. */
export interface WorkerAddress {
  readonly url: string
  /** Null: it asks for none. */
  readonly token: string | null
}

const TIMEOUT_MS = 5_000

/**
 * Addresses of the workers to ask: the one of --url, else those that run with the data folder, the latest first. Throws
 * E001_UNREACHABLE where none runs.
 */
export function workerAddresses({ url, data, tokenFile }: WorkerOptions, io: Io): readonly WorkerAddress[] {
  const token = tokenOf(tokenFile, io)
  if (url !== undefined) {
    if (!/^https?:\/\//.test(url) || !URL.canParse(url))
      throw new ConnectError('C019_USAGE', `--url ${url}: expected an address such as http://127.0.0.1:8083`)
    return [{ url: url.replace(/\/+$/, ''), token }]
  }
  const found = runningWorkers(path.resolve(io.cwd, data))
  if (found.length > 0) return found.map(w => ({ url: w.address, token }))
  throw new ConnectError('E001_UNREACHABLE', `no worker runs with the data folder ${data}`, {
    hint: 'start one with `connect run FILE`, or name another with --data DIR or --url http://HOST:PORT',
  })
}

/** What a worker runs. Throws E001_UNREACHABLE if nobody answers there, or something that is no worker. */
export async function fetchStatus(worker: WorkerAddress, signal?: AbortSignal): Promise<Status> {
  const response = await ask(worker, '/api/status', signal)
  const body: unknown = await response.json().catch(() => null)
  if (typeof body !== 'object' || body === null || !('flows' in body)) throw noWorker(worker)
  return body as Status
}

/** An answer of a worker that is 200. Its refusals become errors with its own words. `timeout` null: it may take for ever. */
export async function ask(
  worker: WorkerAddress,
  path: string,
  signal?: AbortSignal,
  timeout: number | null = TIMEOUT_MS,
): Promise<Response> {
  const signals = [...(signal ? [signal] : []), ...(timeout === null ? [] : [AbortSignal.timeout(timeout)])]
  const headers: Record<string, string> = worker.token === null ? {} : { authorization: `Bearer ${worker.token}` }
  let response: Response
  try {
    response = await fetch(`${worker.url}${path}`, { headers, signal: AbortSignal.any(signals) })
  } catch (cause) {
    signal?.throwIfAborted()
    throw new ConnectError('E001_UNREACHABLE', `no worker answers at ${worker.url}`, {
      hint: 'is it running, and with this --listen address?',
      cause,
    })
  }
  if (response.ok) return response
  if (response.status === 401) {
    const asks = worker.token === null ? 'a token, and none was given' : 'another token'
    throw new ConnectError('E003_AUTHENTICATION', `the worker at ${worker.url} asks for ${asks}`, {
      hint: `give the one it was started with, by ${TOKEN_VARIABLE} or --token-file`,
    })
  }
  const refusal = (await response.json().catch(() => null)) as { error?: Readonly<Record<string, unknown>> } | null
  const { code, message, hint } = refusal?.error ?? {}
  if (typeof code === 'string' && code in ERRORS)
    throw new ConnectError(code as ErrorCode, String(message), typeof hint === 'string' ? { hint } : {})
  throw noWorker(worker)
}

const noWorker = ({ url }: WorkerAddress): ConnectError =>
  new ConnectError('E001_UNREACHABLE', `what answers at ${url} is no worker of this program`)
