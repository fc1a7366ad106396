import { ConnectError } from './errors'
import type { LaneRun, Ready } from './lane'
import { partitionKey } from './origin'
import { settle } from './pipeline'
import type { Position, TokenLane } from './plugin'
import { retrying } from './retry'
import { batchToken } from './token'

/** A batch whose ranges stand in the position: it may be written, and will be written again after a crash. */
interface Named extends Ready {
  readonly batch: number
}

/**
 * Delivery to a store that remembers tokens. Per batch: name its exact ranges in ONE commit (the fence), write with a token made
 * of them, advance. While the store works the next batch is prepared, and one commit then advances the first and names the second.
 * After a crash the named ranges are read again and written with the same token.
 *
 * Commits, each one request for several partitions: P names, A advances, M does both, N writes the clean position of the whole
 * lane once after each join (nothing old stays behind, and new partitions are enrolled).
 */
export async function tokenLoop(lane: LaneRun, sink: TokenLane): Promise<void> {
  const { flow, reader, buffer, start, signal } = lane
  let acknowledged = start.acknowledged
  let lastNamed = start.lastNamed
  const at = (point: 'cut' | 'pending' | 'acked' | 'advanced' | 'replay') => flow.hooks.at?.(point, flow.spec.name, reader.lane)

  const clean = (keys: ReadonlySet<string>): Position[] =>
    reader.partitions
      .filter(p => keys.has(partitionKey(p)))
      .map(p => {
        const key = partitionKey(p)
        return { ...p, offset: buffer.position(key), metadata: lane.metadata(key, acknowledged, lane.watermarks.get(key)) }
      })
  const pending = ({ cut, prepared }: Ready, batch: number): Position[] =>
    cut.ranges.map(r => {
      const key = partitionKey(r)
      const wa = prepared.after.get(key)
      const range = {
        b: batch,
        n: cut.ranges.length,
        from: r.from,
        to: r.to,
        t: flow.clock.now(),
        ...(wa === undefined ? {} : { wa }),
      }
      return {
        topic: r.topic,
        partition: r.partition,
        offset: r.from,
        metadata: lane.metadata(key, acknowledged, prepared.before.get(key), range),
      }
    })
  /** Clean positions after a batch; offsets come from its own ranges, because the buffer may already have cut further. */
  const advanced = ({ cut, prepared }: Ready): Position[] =>
    cut.ranges.map(r => {
      const key = partitionKey(r)
      return {
        topic: r.topic,
        partition: r.partition,
        offset: r.to + 1,
        metadata: lane.metadata(key, acknowledged, prepared.after.get(key)),
      }
    })
  const commit = (positions: readonly Position[]): Promise<void> =>
    positions.length > 0 ? reader.commit(positions, signal) : Promise.resolve()

  const write = async (ready: Ready, replayOf: number | null): Promise<void> => {
    const { cut, prepared } = ready
    const { batch, behind } = prepared
    const ranges = cut.ranges.map(r => ({ ...r, incarnation: lane.incarnation(partitionKey(r)) }))
    const plain = batchToken({ pipeline: flow.pipeline, flow: flow.spec.name, epoch: lane.epoch, lane: reader.lane, ranges })
    const token = flow.hooks.token?.(plain) ?? plain
    const verify = flow.hooks.verifyResend ?? true
    const started = flow.clock.monotonic()
    const result =
      batch.length === 0
        ? { written: 0, failed: [] }
        : await retrying(flow.retryContext('write', signal), attempt =>
            sink.write(batch, { token, resend: verify && (attempt > 0 || replayOf !== null), namedAt: replayOf, behind, signal }),
          )
    await settle(flow, prepared, result.failed, signal)
    flow.report.written(reader.lane, prepared, result, flow.clock.monotonic() - started)
    lane.delivered(ready)
  }

  if (start.replay) {
    const { batch, ranges, namedAt } = start.replay
    flow.emit('lane_replaying', { lane: reader.lane, ranges: ranges.map(r => `${r.key} ${r.from}..${r.to}`).join(', ') })
    await reachable(lane, ranges)
    while (!buffer.holds(ranges)) {
      if (buffer.ended) throw new ConnectError('P001_POSITION_STOP', `the input ends before the pending batch ${batch}`)
      await buffer.changed(signal, 1000)
    }
    const again = await lane.ready(buffer.cutExactly(ranges))
    await at('replay')
    await write(again, namedAt)
    acknowledged = Math.max(acknowledged, batch)
  }
  await commit(clean(new Set(lane.keys)))

  let named: Named | null = null
  for (;;) {
    if (!named) {
      const ready = await lane.next()
      if (!ready) break
      await at('cut')
      named = { ...ready, batch: ++lastNamed }
      await commit(pending(named, named.batch))
    }
    await at('pending')
    const writing = write(named, null)
    const preparing = lane.ahead(writing).then(
      ready => ({ ready, error: null }),
      (error: unknown) => ({ ready: null, error }),
    )
    await writing
    await at('acked')
    acknowledged = named.batch
    const { ready, error } = await preparing
    const finished: Ready = named
    const done: Position[] = advanced(named)
    if (ready) {
      named = { ...ready, batch: ++lastNamed }
      await commit(merge(done, pending(named, named.batch)))
    } else {
      named = null
      await commit(done)
    }
    await lane.settled(finished)
    await at('advanced')
    if (error !== null) throw error
  }
  // control records after the last batch belong to the position too
  if (buffer.rows === 0) await commit(clean(new Set(lane.keys)))
}

/** One request for both: a partition that is named again stands at its new range. */
function merge(done: readonly Position[], named: readonly Position[]): Position[] {
  const byKey = new Map(done.map(p => [partitionKey(p), p]))
  for (const p of named) byKey.set(partitionKey(p), p)
  return [...byKey.values()]
}

/** A pending range that is no longer in the source can never be sent again: say so instead of waiting for ever. */
async function reachable(lane: LaneRun, ranges: readonly { key: string; from: number; to: number }[]): Promise<void> {
  const ends = await retrying(lane.flow.retryContext('read', lane.signal), () => lane.reader.ends(lane.signal))
  for (const { key, from, to } of ranges) {
    const end = ends.get(key)
    if (end !== undefined && end <= to) {
      throw new ConnectError(
        'P001_POSITION_STOP',
        `${key}: the pending range ${from}..${to} is not in the source, which ends at ${end}`,
      )
    }
  }
}
