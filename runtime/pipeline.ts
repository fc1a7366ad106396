import { type Batch, liveRows } from './batch'
import type { ConnectError } from './errors'
import type { FlowRun } from './flow'
import { stoppedBy } from './flow_report'
import type { Cut } from './lane_buffer'
import type { Memory } from './memory'
import { retrying } from './retry'
import { takeBatch } from './take'

/** A batch ready to be written: dense, judged by event time, with its rejections beside it. */
export interface Prepared {
  readonly batch: Batch
  /** See TokenWrite.behind. */
  readonly behind: Float64Array | null
  /** Largest event time (ms) per partition key, before and after this batch. */
  readonly before: ReadonlyMap<string, number>
  readonly after: ReadonlyMap<string, number>
  /** Smallest event time (ms); null without event time or rows. */
  readonly earliest: number | null
  readonly filtered: number
}

/**
 * THE main path of a record, one stage a line: what was read in fixed ranges becomes columns, passes the transforms, loses the
 * rows that were filtered, and is judged by its event time. Naming the ranges, writing and advancing follow in `lane_token.ts`
 * (stores that remember tokens) or `lane_transaction.ts` (stores that keep the position in the same transaction).
 *
 * Under `on_error: stop` the first rejection ends the flow here, before anything of its batch is named or written.
 */
export async function prepare(
  flow: FlowRun,
  cut: Cut,
  lane: number,
  before: ReadonlyMap<string, number>,
  memory: Memory,
  signal: AbortSignal,
): Promise<Prepared> {
  const decoded = await retrying(flow.retryContext('decode', signal), () => flow.decode.decode(cut, lane, memory, signal))
  let batch = decoded.batch
  const taps = flow.taps?.watched ? flow.taps : null
  taps?.pass(0, batch)
  for (const [i, transform] of flow.transforms.entries()) {
    batch = await transform.apply(batch, signal)
    taps?.pass(i + 1, batch)
  }
  const dense = takeBatch(batch)
  const timed = flow.eventTime?.judge(dense, before, flow.spec.sink.type, memory) ?? {
    batch: dense,
    behind: null,
    watermarks: before,
    earliest: null,
  }
  taps?.pass(flow.transforms.length + 1, timed.batch)
  const { rejected } = timed.batch
  if (rejected.length > 0 && flow.deadLetters === null) throw stoppedBy(rejected[0])
  flow.report.slow(decoded.slow)
  const rejectedRows = rejected.length - cut.damaged.length
  return {
    batch: timed.batch,
    behind: timed.behind,
    before,
    after: timed.watermarks,
    earliest: timed.earliest,
    filtered: decoded.batch.length - liveRows(timed.batch) - rejectedRows - (timed.batch.replaced ?? 0),
  }
}

/**
 * Settles everything that did not reach the sink, so that the position may pass it: each rejection is a dead letter, durable
 * before the position moves. `failed` are rows of the dense batch that the store refused.
 */
export async function settle(
  flow: FlowRun,
  prepared: Prepared,
  failed: readonly { readonly row: number; readonly error: ConnectError }[],
  signal: AbortSignal,
): Promise<void> {
  const { batch } = prepared
  const refused = failed.map(f => ({
    stage: 'write' as const,
    plugin: flow.spec.sink.type,
    error: f.error,
    record: batch.raw(f.row),
  }))
  const all = [...batch.rejected, ...refused]
  if (all.length === 0) return
  if (flow.deadLetters === null) throw stoppedBy(all[0])
  await flow.report.deadLetters(all, signal)
}
