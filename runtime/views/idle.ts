import type { FlowRun } from '../flow'
import type { LaneRun } from '../lane'

/**
 * Tells which partitions of a lane are idle: everything up to their end in the broker is settled, in two looks at least `idle`
 * apart. One that lags, waits or is being retried never is. Ends with the signal; a look that fails says nothing.
 */
export async function watchIdle(flow: FlowRun, lane: LaneRun, idle: number | null, signal: AbortSignal): Promise<void> {
  const { progress } = flow
  if (!progress || idle === null) return
  let before: ReadonlyMap<string, number> = new Map()
  while (!signal.aborted) {
    try {
      const ends = await lane.reader.ends(signal)
      const { atRest } = lane
      const atEnd = new Map([...ends].filter(([key, end]) => atRest && (lane.buffer.reads().get(key) ?? 0) >= end))
      for (const key of lane.keys) progress.idle(key, atEnd.has(key) && before.get(key) === atEnd.get(key))
      before = atEnd
    } catch {
      before = new Map()
    }
    await flow.clock.sleep(idle, signal).catch(() => {})
  }
}
