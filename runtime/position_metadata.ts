import { ConnectError } from './errors'
import type { Committed } from './plugin'

/**
 * What the engine stores with a partition's offset (Kafka: the commit metadata, at most 4,096 bytes). Two kinds:
 *
 * - clean: everything before `offset` is settled.
 * - pending: a batch was named by this commit; whether it was written is not known. Its range starts at `offset`.
 */
export interface PositionMetadata {
  /** Version of this layout. */
  readonly v: 1
  /** Lanes of the flow: a pending batch can only be recovered under the same number. */
  readonly l: number
  /** Highest batch number of the lane known to be acknowledged. */
  readonly d: number
  /** Incarnation of the partition, drawn when it is first seen: a topic made again must not meet old tokens. */
  readonly inc: string
  /** Epoch of the flow's tokens; raised when offsets are reset on purpose. */
  readonly e: number
  /** Largest event time (ms) of settled rows; absent before the first. */
  readonly wm?: number
  readonly pending?: PendingRange
}

export interface PendingRange {
  /** Number of the batch in its lane. */
  readonly b: number
  /** How many ranges the batch has: fewer found means the commit was torn. */
  readonly n: number
  readonly from: number
  readonly to: number
  /** When it was named, ms since 1970. */
  readonly t: number
  /** Largest event time (ms) once this batch is settled, for a partition that is advanced past it without a replay. */
  readonly wa?: number
}

/** Short keys: a lane of 60 partitions commits 60 of these in one request. */
export function encodeMetadata(m: PositionMetadata): string {
  const { pending } = m
  return JSON.stringify({
    v: m.v,
    l: m.l,
    d: m.d,
    inc: m.inc,
    ...(m.e ? { e: m.e } : {}),
    ...(m.wm === undefined ? {} : { wm: m.wm }),
    ...(pending ? { b: pending.b, n: pending.n, p: [pending.from, pending.to], t: pending.t } : {}),
    ...(pending?.wa === undefined ? {} : { wa: pending.wa }),
  })
}

/** Null: there is none of ours. Throws P001 where it is ours but cannot be read by this version. */
export function decodeMetadata(key: string, committed: Committed): PositionMetadata | null {
  if (committed.metadata === null || committed.metadata === '') return null
  const foreign = (): ConnectError =>
    new ConnectError('P001_POSITION_STOP', `${key}: the committed metadata is not ours: ${committed.metadata?.slice(0, 80)}`, {
      hint: 'another program commits to this consumer group; give the pipeline another name or stop that program',
    })
  let raw: unknown
  try {
    raw = JSON.parse(committed.metadata)
  } catch {
    throw foreign()
  }
  if (typeof raw !== 'object' || raw === null) throw foreign()
  const m = raw as Record<string, unknown>
  if (typeof m.v === 'number' && m.v > 1) {
    throw new ConnectError('P001_POSITION_STOP', `${key}: metadata version ${m.v} is newer than this program`, {
      hint: 'start the newer version',
    })
  }
  if (m.v !== 1 || typeof m.l !== 'number' || typeof m.d !== 'number' || typeof m.inc !== 'string') throw foreign()
  const range = Array.isArray(m.p) && typeof m.p[0] === 'number' && typeof m.p[1] === 'number' ? m.p : null
  return {
    v: 1,
    l: m.l,
    d: m.d,
    inc: m.inc,
    e: typeof m.e === 'number' ? m.e : 0,
    ...(typeof m.wm === 'number' ? { wm: m.wm } : {}),
    ...(range && typeof m.b === 'number' && typeof m.n === 'number'
      ? {
          pending: {
            b: m.b,
            n: m.n,
            from: range[0],
            to: range[1],
            t: typeof m.t === 'number' ? m.t : 0,
            ...(typeof m.wa === 'number' ? { wa: m.wa } : {}),
          },
        }
      : {}),
  }
}
