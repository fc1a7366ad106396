import { setMaxListeners } from 'node:events'
import type { Clock } from './clock'
import { asConnectError, ConnectError, TimeOver } from './errors'
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
  /**
   * A graceful stop: what runs is finished, but a service that is away is not waited for; its reason is thrown. Whatever is
   * then unfinished is named in the position and finished by the next start.
   */
  readonly drain?: AbortSignal
  /** What the lanes of a flow wait for, so that one outage is said once. */
  readonly outages?: Outages
  /** The flow has not done anything yet: it has failed, not ended well, where its time is over while it waits. */
  readonly opening?: boolean
  /** Aborts when no flow is left that could make a view that is missing: then there is one try more. */
  readonly hopeless?: AbortSignal
}

/** Counts who waits at which stage: the first to wait says so, the last to go on says that it is over. */
export class Outages {
  readonly #waiting = new Map<StageName, number>()

  /** True for the first to wait at this stage. */
  enter(stage: StageName): boolean {
    const count = this.#waiting.get(stage) ?? 0
    this.#waiting.set(stage, count + 1)
    return count === 0
  }

  /** True for the last. */
  leave(stage: StageName): boolean {
    const count = (this.#waiting.get(stage) ?? 1) - 1
    this.#waiting.set(stage, count)
    return count === 0
  }
}

const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 5_000

/**
 * Runs `operation` until it succeeds or fails for good. A retriable error is said once when it starts and once when it is over,
 * and waited out with growing pauses for as long as it takes: a broker that is away for an hour is no reason to stop.
 * `operation(attempt)`: attempt counts from 0. Throws the last non-retriable error or the signal's reason; after a graceful stop
 * while a topic is missing, or once the time is over and nothing has been done yet, what is waited for: that must not end well.
 */
export async function retrying<T>(context: RetryContext, operation: (attempt: number) => Promise<T>): Promise<T> {
  const { pipeline, flow, stage, events, clock, signal, drain, outages = new Outages(), opening = false, hopeless } = context
  const started = clock.monotonic()
  let waiting = false
  let missing: ConnectError | null = null
  const ended = (reason: unknown): unknown => {
    if (!drain?.aborted || !missing) return reason
    // how long it would have been waited for is of no use any more
    if (missing.code === 'K005_UNKNOWN_TOPIC') return new ConnectError(missing.code, missing.message, { stage })
    return opening && drain.reason instanceof TimeOver ? missing : reason
  }
  const leave = (): boolean => {
    const last = waiting && outages.leave(stage)
    waiting = false
    return last
  }
  try {
    for (let attempt = 0; ; attempt++) {
      if (signal.aborted) throw ended(signal.reason)
      const last = hopeless?.aborted ?? false
      try {
        const result = await operation(attempt)
        if (leave()) events.emit('service_back', { pipeline, flow, stage, after_ms: Math.round(clock.monotonic() - started) })
        return result
      } catch (thrown) {
        const error = asConnectError(thrown, { stage })
        // the session ended or a stop was asked for while the operation ran: that is why it failed
        if (signal.aborted) throw ended(signal.reason)
        if (!error.retriable || error.code === 'P005_SESSION_OVER') throw error
        if (last && error.code === 'S011_NO_VIEW') throw new ConnectError(error.code, error.message, { stage, retriable: false })
        missing = error
        if (drain?.aborted) throw ended(drain.reason)
        const in_ms = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 10))
        const { code, message, hint } = error
        if (!waiting) {
          waiting = true
          if (outages.enter(stage)) events.emit('service_unreachable', { pipeline, flow, stage, code, message, hint })
        }
        events.emit('retrying', { pipeline, flow, stage, code, message, in_ms })
        // once it has woken the loop for the last look, what else is away is waited for as ever
        const wakes = [signal, drain, last ? undefined : hopeless].filter(s => s !== undefined)
        await pause(clock, in_ms, wakes).catch(reason => {
          if (signal.aborted || drain?.aborted) throw ended(reason)
        })
      }
    }
  } finally {
    leave()
  }
}

async function pause(clock: Clock, ms: number, signals: readonly AbortSignal[]): Promise<void> {
  const { signal, release } = anySignal(...signals)
  try {
    await clock.sleep(ms, signal)
  } finally {
    release()
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
  const release = (): void => {
    for (const s of signals) s.removeEventListener('abort', abort)
  }
  return { signal: controller.signal, release }
}

/** Rejects with the reason of the first signal that aborts; the operation itself goes on unheard. */
export async function orAbort<T>(operation: Promise<T>, ...signals: readonly AbortSignal[]): Promise<T> {
  let stop: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    const check = (): void => {
      const signal = signals.find(s => s.aborted)
      if (signal) reject(signal.reason)
    }
    for (const s of signals) s.addEventListener('abort', check, { once: true })
    stop = () => {
      for (const s of signals) s.removeEventListener('abort', check)
    }
    check()
  })
  try {
    return await Promise.race([operation, aborted])
  } finally {
    stop?.()
    operation.catch(() => {})
  }
}

/**
 * Node warns of a leak at the 11th listener of a signal. Signals that all lanes listen to legitimately have a few for each lane;
 * above this bound it is a leak, and the warning stays.
 */
export const expectListeners = (lanes: number, ...signals: readonly AbortSignal[]): void =>
  setMaxListeners(10 + 8 * lanes, ...signals)

const RESTARTABLE: readonly string[] = ['K006_FENCED', 'P005_SESSION_OVER', 'P007_RESULT_UNKNOWN', 'S007_DEADLINE']

/** Errors after which work starts again from what is stored: they concern a service, a session or a transaction, not the data. */
export const isRestartable = (error: ConnectError): boolean => error.retriable || RESTARTABLE.includes(error.code)

export const stopped = (): ConnectError => new ConnectError('R003_ABORTED', 'stopped on request')
