import type { Clock } from './clock'
import { asConnectError, ConnectError } from './errors'
import type { Emitter } from './events'
import type { StageName } from './stage_name'

export interface RetryContext {
  readonly pipeline: string
  readonly flow: string
  readonly stage: StageName
  readonly events: Emitter
  readonly clock: Clock
  /** Ends the waiting; its reason is thrown. */
  readonly signal: AbortSignal
}

const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 5_000

/**
 * Runs `operation` until it succeeds or fails for good. A retriable error is said once when it starts and once when it is over,
 * and waited out with growing pauses for as long as it takes: a broker that is away for an hour is no reason to stop.
 * `operation(attempt)`: attempt counts from 0. Throws the last non-retriable error or the signal's reason.
 */
export async function retrying<T>(context: RetryContext, operation: (attempt: number) => Promise<T>): Promise<T> {
  const { pipeline, flow, stage, events, clock, signal } = context
  const started = clock.monotonic()
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted()
    try {
      const result = await operation(attempt)
      if (attempt > 0) events.emit('service_back', { pipeline, flow, stage, after_ms: Math.round(clock.monotonic() - started) })
      return result
    } catch (thrown) {
      const error = asConnectError(thrown, { stage })
      // the session ended or a stop was asked for while the operation ran: that is why it failed
      if (signal.aborted) throw signal.reason
      if (!error.retriable || error.code === 'P005_SESSION_OVER') throw error
      const in_ms = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 10))
      const { code, message } = error
      if (attempt === 0) events.emit('service_unreachable', { pipeline, flow, stage, code, message })
      events.emit('retrying', { pipeline, flow, stage, code, message, in_ms })
      await clock.sleep(in_ms, signal)
    }
  }
}

/** A signal that aborts with the first of several, and a function that lets go of them. */
export function anySignal(...signals: readonly AbortSignal[]): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController()
  const abort = (event: Event): void => controller.abort((event.target as AbortSignal).reason)
  for (const s of signals) {
    if (s.aborted) controller.abort(s.reason)
    else s.addEventListener('abort', abort, { once: true })
  }
  return { signal: controller.signal, release: () => signals.forEach(s => s.removeEventListener('abort', abort)) }
}

export const stopped = (): ConnectError => new ConnectError('R003_ABORTED', 'stopped on request')
