import path from 'node:path'
import { ConnectError } from '../runtime/errors'
import type { Status } from '../runtime/status'
import type { Io } from './io'
import { runningWorkers } from './workers'

export interface WorkerOptions {
  readonly url?: string
  readonly data: string
}

const TIMEOUT_MS = 5_000

/**
 * Addresses of the workers to ask: the one of --url, else those that run with the data folder, the latest first. Throws
 * E001_UNREACHABLE where none runs.
 */
export function workerAddresses({ url, data }: WorkerOptions, io: Io): readonly string[] {
  if (url !== undefined) {
    if (!/^https?:\/\//.test(url) || !URL.canParse(url))
      throw new ConnectError('C019_USAGE', `--url ${url}: expected an address such as http://127.0.0.1:8083`)
    return [url.replace(/\/+$/, '')]
  }
  const found = runningWorkers(path.resolve(io.cwd, data))
  if (found.length > 0) return found.map(w => w.address)
  throw new ConnectError('E001_UNREACHABLE', `no worker runs with the data folder ${data}`, {
    hint: 'start one with `connect run FILE`, or name another with --data DIR or --url http://HOST:PORT',
  })
}

/** What a worker runs. Throws E001_UNREACHABLE if nobody answers there, or something that is no worker. */
export async function fetchStatus(address: string, signal?: AbortSignal): Promise<Status> {
  const response = await ask(`${address}/api/status`, signal)
  const body: unknown = await response.json().catch(() => null)
  if (typeof body !== 'object' || body === null || !('flows' in body)) throw noWorker(address)
  return body as Status
}

/** An answer of a worker that is 200. Its refusals become errors with its own words. */
export async function ask(url: string, signal?: AbortSignal, timeout: number | null = TIMEOUT_MS): Promise<Response> {
  const signals = [...(signal ? [signal] : []), ...(timeout === null ? [] : [AbortSignal.timeout(timeout)])]
  let response: Response
  try {
    response = await fetch(url, { signal: AbortSignal.any(signals) })
  } catch (cause) {
    signal?.throwIfAborted()
    throw new ConnectError('E001_UNREACHABLE', `no worker answers at ${new URL(url).origin}`, {
      hint: 'is it running, and with this --listen address?',
      cause,
    })
  }
  if (response.ok) return response
  const refusal = (await response.json().catch(() => null)) as { error?: { code?: string; message?: string } } | null
  const { code, message } = refusal?.error ?? {}
  if (code === 'C010_UNKNOWN_REFERENCE' || code === 'C019_USAGE') throw new ConnectError(code, String(message))
  throw noWorker(new URL(url).origin)
}

const noWorker = (address: string): ConnectError =>
  new ConnectError('E001_UNREACHABLE', `what answers at ${address} is no worker of this program`)
