import { watchEnd } from './all_read'
import type { FlowRun } from './flow'
import { LaneBuffer } from './lane_buffer'
import type { Chunk, LaneReader } from './plugin'
import { anySignal } from './retry'

/**
 * A schema that nobody registered or declared is taken from the first records; then transforms and sink are bound to it. Returns
 * what was read meanwhile (the reader goes on from there), or null if the input ended before its first record.
 */
export async function bindToFirstBlock(
  flow: FlowRun,
  reader: LaneReader,
  next: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<readonly Chunk[] | null> {
  const enough = new AbortController()
  const either = anySignal(signal, flow.drain, flow.boundSignal, enough.signal)
  const buffer = new LaneBuffer(reader.partitions, next, flow.clock)
  const chunks: Chunk[] = []
  const watching = watchEnd(flow, reader, buffer, either.signal).then(
    () => buffer.ended && enough.abort(),
    () => {},
  )
  try {
    while (!flow.bound) {
      const read = await reader.poll(either.signal)
      if (read === null) break
      for (const chunk of read) {
        buffer.add(chunk)
        chunks.push(chunk)
      }
      const block = chunks.find(c => c.block !== null && c.block.count > 0)?.block
      if (block) await flow.bindTo(block, signal)
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!either.signal.aborted) throw error
  } finally {
    enough.abort()
    either.release()
    await watching
  }
  return flow.bound ? chunks : null
}
