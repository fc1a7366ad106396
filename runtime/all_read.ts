import type { FlowRun } from './flow'
import type { LaneEnd } from './lane'
import type { LaneBuffer } from './lane_buffer'
import { partitionKey } from './origin'
import type { LaneReader, PartitionSurvey, Session } from './plugin'
import { anySignal, retrying } from './retry'

const EVERY_MS = 100

/** Whether no other worker holds partitions of the flow. */
export const isWhole = (session: Session): boolean => session.whole ?? true

/**
 * The lanes of this worker have read all that was there; the flow is done once those of the other workers have as well, because
 * what it feeds takes its end for the end of its input. A worker that goes away meanwhile ends the session, and its lanes come
 * here.
 */
export async function allRead(flow: FlowRun, session: Session): Promise<LaneEnd> {
  const { survey } = session
  if (!survey || isWhole(session)) return 'done'
  const { signal, release } = anySignal(session.over, flow.drain, flow.abort)
  const look = (): Promise<readonly PartitionSurvey[]> =>
    retrying(flow.retryContext('read', signal), () => survey.call(session, signal))
  try {
    const ends = new Map<string, number>()
    for (;;) {
      const partitions = await look()
      for (const p of partitions) if (!ends.has(partitionKey(p))) ends.set(partitionKey(p), p.end)
      if (partitions.every(p => p.next >= (ends.get(partitionKey(p)) ?? 0))) return 'done'
      await flow.clock.sleep(EVERY_MS, signal)
    }
  } catch (error) {
    flow.abort.throwIfAborted()
    if (flow.drain.aborted) return 'stopped'
    if (session.over.aborted) return 'over'
    throw error
  } finally {
    release()
  }
}

/** Where the run ends with its input: marks the buffer as ended once all that was there has been read. */
export async function watchEnd(flow: FlowRun, reader: LaneReader, buffer: LaneBuffer, signal: AbortSignal): Promise<void> {
  const stopAt = await flow.whenInputIsComplete(signal)
  if (!stopAt) return
  const ends = await retrying(flow.retryContext('read', signal), () => reader.ends(signal))
  const behind = (): boolean => [...ends].some(([key, end]) => (buffer.reads().get(key) ?? 0) < end)
  while (behind() && !buffer.ended) await buffer.changed(signal, 100)
  buffer.end()
}
