import { ConnectError } from './errors'
import type { LaneRun, Ready } from './lane'
import { partitionKey } from './origin'
import { settle } from './pipeline'
import type { Position, SinkLane, TransactionLane, WriteResult } from './plugin'
import { retrying } from './retry'

/**
 * Delivery to a store that keeps the position in the same transaction as the rows: nothing is named beforehand. When the
 * outcome of a transaction is not known, the lane is opened again (which fences the old writer and finishes or aborts what it
 * left) and the stored position tells whether it happened. `reopen` closes the lane in use and gives its successor.
 */
export async function transactionLoop(lane: LaneRun, first: TransactionLane, reopen: () => Promise<SinkLane>): Promise<void> {
  const { flow, reader, signal } = lane
  let sink = first
  let batch = lane.start.lastNamed
  if (lane.start.replay) {
    throw new ConnectError('P001_POSITION_STOP', `batch ${lane.start.replay.batch} is pending from a sink that used tokens`, {
      hint: 'start the earlier pipeline once so that it can finish, then change the sink',
    })
  }

  const write = async (ready: Ready): Promise<void> => {
    const { cut, prepared } = ready
    const positions: Position[] = cut.ranges.map(r => {
      const key = partitionKey(r)
      return {
        topic: r.topic,
        partition: r.partition,
        offset: r.to + 1,
        metadata: lane.metadata(key, batch, prepared.after.get(key)),
      }
    })
    const started = flow.clock.monotonic()
    let result: WriteResult | null = null
    while (result === null) {
      try {
        const current = sink
        result = await retrying(flow.retryContext('write', signal), () =>
          current.write(prepared.batch, {
            positions,
            signal,
            settle: async failed => {
              await settle(flow, prepared, failed, signal)
              await flow.hooks.at?.('producing', flow.spec.name, reader.lane)
            },
          }),
        )
      } catch (error) {
        if (!(error instanceof ConnectError) || error.code !== 'P007_RESULT_UNKNOWN') throw error
        sink = await retrying(flow.retryContext('write', signal), async () => asTransaction(await reopen()))
        if (await happened(positions)) result = { written: prepared.batch.length, failed: [] }
      }
    }
    flow.report.written(reader.lane, prepared, result, flow.clock.monotonic() - started)
    lane.delivered(ready)
  }

  const happened = async (positions: readonly Position[]): Promise<boolean> => {
    const stored = (await sink.committed(signal)) ?? (await reader.committed(signal))
    const standing = positions.map(p => stored.get(partitionKey(p))?.offset ?? -1)
    if (positions.every((p, i) => standing[i] === p.offset)) return true
    if (positions.some((p, i) => standing[i] >= p.offset)) {
      throw new ConnectError('P001_POSITION_STOP', 'part of a transaction is stored: another worker moved the position')
    }
    return false
  }

  let next: Ready | null = await lane.next()
  while (next) {
    batch++
    const writing = write(next)
    const preparing = lane.ahead(writing).then(
      ready => ({ ready, error: null }),
      (error: unknown) => ({ ready: null, error }),
    )
    await writing
    await lane.settled(next)
    const { ready, error } = await preparing
    if (error !== null) throw error
    next = ready ?? (await lane.next())
  }
}

function asTransaction(lane: SinkLane): TransactionLane {
  if (lane.delivery === 'transaction') return lane
  throw new ConnectError('R001_INTERNAL', 'a sink changed its way of delivery')
}
