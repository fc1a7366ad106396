import type { Clock } from '../clock'
import { asConnectError } from '../errors'
import type { Emitter } from '../events'
import { anySignal, isRestartable, retrying } from '../retry'
import type { OwnedClosings, SharedClosings } from './contracts'
import type { Finaliser } from './finaliser'
import type { TableProgress } from './progress'

export interface TurnsOptions {
  readonly pipeline: string
  readonly view: string
  readonly shared: SharedClosings
  readonly finaliser: Finaliser
  readonly progress: TableProgress
  readonly clock: Clock
  readonly events: Emitter
  readonly drain: AbortSignal
  readonly abort: AbortSignal
}

const PAUSE_MS = 200
/** A worker whose own input has ended waits so long for another that goes on: for ever, if that one never ends. */
const LONGEST_WAIT_MS = 30_000

/**
 * Finalises a view whenever it is this worker's turn, until the flows that write its table have ended. In a bounded run each
 * worker gets its turn at the end, one after the other: who leaves has seen every window closed.
 */
export async function takeTurns(o: TurnsOptions): Promise<void> {
  const { pipeline, view, shared, finaliser, clock, events, drain, abort } = o
  const stop = anySignal(drain, abort)
  try {
    for (;;) {
      try {
        const owned = await nextTurn(o, stop.signal)
        if (!owned) return
        const { closed } = owned.reached
        events.emit('view_owned', { pipeline, view, closed_ms: Number.isFinite(closed) ? closed : null })
        if ((await finaliser.run(owned, owned.over)) === 'ended') return
        events.emit('view_lost', { pipeline, view, reason: messageOf(owned.over.reason) })
      } catch (thrown) {
        abort.throwIfAborted()
        if (drain.aborted) return
        const error = asConnectError(thrown)
        if (!isRestartable(error)) throw error
        const { code, message } = error
        events.emit('retrying', { pipeline, flow: view, stage: 'write', code, message, in_ms: PAUSE_MS })
        await clock.sleep(PAUSE_MS, stop.signal).catch(() => {})
      }
    }
  } finally {
    stop.release()
    await shared.release()
  }
}

/** Null: it does not come while there is anything to do. */
async function nextTurn(o: TurnsOptions, signal: AbortSignal): Promise<OwnedClosings | null> {
  const { pipeline, view, shared, progress, clock, events } = o
  const enough = new AbortController()
  const either = anySignal(signal, enough.signal)
  const waiting = (async () => {
    let since: number | null = null
    while (!either.signal.aborted) {
      if (progress.ended) since ??= clock.monotonic()
      if (since !== null && (!progress.complete || clock.monotonic() - since > LONGEST_WAIT_MS)) return enough.abort()
      await clock.sleep(PAUSE_MS, either.signal).catch(() => {})
    }
  })()
  const own = (): Promise<OwnedClosings> => shared.own(either.signal)
  try {
    return await retrying({ pipeline, flow: view, stage: 'write', events, clock, signal: either.signal }, own)
  } catch (error) {
    if (enough.signal.aborted && !signal.aborted) return null
    throw error
  } finally {
    enough.abort()
    await waiting
    either.release()
  }
}

const messageOf = (reason: unknown): string => (reason instanceof Error ? reason.message : String(reason))
