import { isWhole } from '../all_read'
import type { FlowRun } from '../flow'
import { partitionKey } from '../origin'
import type { PartitionSurvey, Session } from '../plugin'
import { decodeMetadata } from '../position_metadata'
import type { ElsewhereState } from './progress'

/** A window that waits for another worker's partition closes so much later; two requests each time. */
const EVERY_MS = 200

/**
 * Tells how far the partitions are that other workers hold, out of the positions of the whole group: the event time that stands
 * in them is that of rows which are settled. Only where it is of use; ends with the signal.
 */
export async function watchElsewhere(flow: FlowRun, session: Session, signal: AbortSignal): Promise<void> {
  const { progress, idle, clock } = flow
  if (!progress || !session.survey || isWhole(session)) return
  const here = new Set(session.lanes.flatMap(l => l.partitions.map(partitionKey)))
  let looks = new IdleLooks(idle)
  while (!signal.aborted) {
    try {
      if (progress.watched()) {
        const survey = await session.survey(signal)
        const now = clock.monotonic()
        const elsewhere = survey.filter(p => !here.has(partitionKey(p)))
        progress.elsewhere(new Map(elsewhere.map(p => [partitionKey(p), stateOf(p, looks.idle(p, now))])))
      }
    } catch {
      // a look that failed says nothing, and idle is what two looks agree on
      looks = new IdleLooks(idle)
    }
    await clock.sleep(EVERY_MS, signal).catch(() => {})
  }
}

function stateOf(p: PartitionSurvey, idle: boolean): ElsewhereState {
  const key = partitionKey(p)
  const { offset, metadata } = p.committed
  return { watermark: decodeMetadata(key, p.committed)?.wm ?? null, idle, begun: offset >= 0 && metadata !== null }
}

/** Which partitions stand at their end in two looks at least so many milliseconds apart, by their positions; null: none ever. */
export class IdleLooks {
  readonly #ms: number | null
  readonly #since = new Map<string, { readonly end: number; readonly at: number }>()

  constructor(ms: number | null) {
    this.#ms = ms
  }

  idle(p: PartitionSurvey, now: number): boolean {
    const key = partitionKey(p)
    const before = this.#since.get(key)
    if (p.next < p.end) {
      this.#since.delete(key)
      return false
    }
    if (before?.end === p.end) return this.#ms !== null && now - before.at >= this.#ms
    this.#since.set(key, { end: p.end, at: now })
    return false
  }
}
