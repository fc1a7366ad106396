import type { FlowRun } from './flow'
import type { LaneBuffer } from './lane_buffer'
import type { LaneReader } from './plugin'

const EVERY_MS = 2_000

/**
 * Tells the flow every few seconds how many records lie between the lane's position and the end of its partitions, and how many
 * bytes it holds. A measurement that fails is left out: whoever moves the data says what is wrong. Ends with the signal.
 */
export async function measureLag(flow: FlowRun, reader: LaneReader, buffer: LaneBuffer, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const ends = await reader.ends(signal)
      const reads = buffer.reads()
      let records = 0
      let unread = 0
      for (const [key, end] of ends) {
        if (!Number.isFinite(end)) continue
        // what was read and has no rows waits for nobody: it rides along with the next batch
        const reached = buffer.hasRows(key) ? buffer.position(key) : (reads.get(key) ?? 0)
        records += Math.max(0, end - reached)
        unread += Math.max(0, end - (reads.get(key) ?? 0))
      }
      flow.report.measured(reader.lane, { records, unread, bytes: buffer.bytes })
    } catch {
      // the next round measures again
    }
    await flow.clock.sleep(EVERY_MS, signal).catch(() => {})
  }
}
