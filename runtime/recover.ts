import type { PositionMetadata } from './position_metadata'

/** One partition as found at a join. */
export interface PartitionState {
  /** Committed offset; -1: none. */
  readonly offset: number
  readonly metadata: PositionMetadata | null
}

export interface ReplayRange {
  readonly key: string
  readonly from: number
  readonly to: number
}

export type Recovery =
  | {
      readonly kind: 'go'
      /** Highest acknowledged batch number. */
      readonly acknowledged: number
      /** Highest batch number ever named, dropped ones included: the next batch gets one more. */
      readonly lastNamed: number
      /** Where each partition goes on; null: it never had an offset. A partition to be replayed stands at the range's start. */
      readonly next: ReadonlyMap<string, number | null>
      /** The batch to send again, exactly these ranges; null: none. `namedAt`: ms since 1970. */
      readonly replay: { readonly batch: number; readonly ranges: readonly ReplayRange[]; readonly namedAt: number } | null
      /** What was torn, for the log. */
      readonly notes: readonly string[]
    }
  | { readonly kind: 'stop'; readonly reason: string; readonly hint: string }

/**
 * What a lane does after a join, from the committed vectors alone. One commit request writes all partitions of a lane, but
 * per-partition error codes can tear it, so every partition may show the state before or after each commit:
 *
 * | found | what happened | do |
 * |---|---|---|
 * | nothing pending | clean stop, or a complete advance | start at the offsets |
 * | open batch, all its ranges | named completely; written or not | re-read exactly these ranges, write with the same token |
 * | open batch, some ranges missing | the naming commit was torn, so the write never started | drop it, cut anew |
 * | pending batch <= highest acknowledged | the advancing commit was torn | advance past it, write nothing |
 * | two open batches | cannot happen | stop |
 *
 * "Open" is a pending batch above the highest acknowledged number found in any partition of the lane.
 */
export function recover(states: ReadonlyMap<string, PartitionState>, lanes: number): Recovery {
  const stop = (reason: string, hint: string): Recovery => ({ kind: 'stop', reason, hint })
  let acknowledged = 0
  let lastNamed = 0
  for (const [key, { offset, metadata }] of states) {
    if (offset < -1) return stop(`${key}: the committed offset is ${offset}`, 'another program wrote to this group')
    if (!metadata) continue
    const { pending } = metadata
    acknowledged = Math.max(acknowledged, metadata.d)
    lastNamed = Math.max(lastNamed, metadata.d, pending?.b ?? 0)
    if (pending && metadata.l !== lanes) {
      return stop(
        `${key}: batch ${pending.b} is pending under lanes: ${metadata.l}`,
        `start once with lanes: ${metadata.l} so that it can finish`,
      )
    }
    if (pending && pending.from !== offset) {
      return stop(
        `${key}: the committed offset ${offset} is not the start of the pending range ${pending.from}..${pending.to}`,
        'the offset was changed from outside while a batch was pending',
      )
    }
  }

  const next = new Map<string, number | null>()
  const notes: string[] = []
  const open = new Map<number, ReplayRange[]>()
  let count = 0
  let namedAt = Number.POSITIVE_INFINITY
  for (const [key, { offset, metadata }] of states) {
    next.set(key, offset >= 0 ? offset : null)
    const pending = metadata?.pending
    if (!pending) continue
    if (pending.b <= acknowledged) {
      next.set(key, pending.to + 1)
      notes.push(`${key} advances past batch ${pending.b}, which is acknowledged`)
      continue
    }
    const ranges = open.get(pending.b) ?? []
    ranges.push({ key, from: pending.from, to: pending.to })
    open.set(pending.b, ranges)
    count = pending.n
    namedAt = Math.min(namedAt, pending.t)
  }

  if (open.size === 0) return { kind: 'go', acknowledged, lastNamed, next, replay: null, notes }
  if (open.size > 1) {
    return stop(
      `batches ${[...open.keys()].sort((a, b) => a - b).join(' and ')} are pending at once in one lane`,
      'report this with the log',
    )
  }
  const [[batch, ranges]] = open
  if (ranges.length === count) return { kind: 'go', acknowledged, lastNamed, next, replay: { batch, ranges, namedAt }, notes }

  const stranger = [...states].find(([, s]) => !s.metadata && s.offset >= 0) ?? [...states].find(([, s]) => !s.metadata)
  if (stranger) {
    return stop(
      `${stranger[0]} has no metadata while batch ${batch} is pending with ${ranges.length} of ${count} ranges: written or not cannot be told`,
      'an offset was reset or expired while a batch was pending; compare the table with the topic',
    )
  }
  notes.push(`batch ${batch} was named for ${ranges.length} of ${count} ranges only, so it was never written: dropped`)
  return { kind: 'go', acknowledged, lastNamed, next, replay: null, notes }
}
