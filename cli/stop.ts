import { ConnectError } from '../runtime/errors'
import { EXIT } from './exit_codes'
import type { Io } from './io'

/** How a run is ended: the graceful stop and the hard one. */
export interface Stop {
  readonly draining: AbortSignal
  readonly aborting: AbortSignal
  drain(reason: ConnectError): void
  /** From now on a drain that takes longer than this many milliseconds is cut short. */
  limit(ms: number): void
  release(): void
}

/** The first signal stops reading and drains; a second ends the process at once, which loses nothing. */
export function stopOnSignals(io: Io): Stop {
  const draining = new AbortController()
  const aborting = new AbortController()
  let limit = 30_000
  let deadline: NodeJS.Timeout | null = null
  const drain = (reason: ConnectError): void => {
    if (draining.signal.aborted) return
    draining.abort(reason)
    deadline = setTimeout(
      () => aborting.abort(new ConnectError('R004_SHUTDOWN_TIMEOUT', `not finished after ${limit / 1000} s`)),
      limit,
    )
  }
  const off = io.onSignal(signal => {
    if (draining.signal.aborted) io.exit(EXIT[signal])
    drain(new ConnectError('R003_ABORTED', `stopped by ${signal}`))
  })
  return {
    draining: draining.signal,
    aborting: aborting.signal,
    drain,
    limit: ms => {
      limit = ms
    },
    release: () => {
      off()
      if (deadline) clearTimeout(deadline)
    },
  }
}
