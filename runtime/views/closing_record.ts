import { ConnectError } from '../errors'
import type { Closing, ClosingKind, Reached } from './contracts'
import { reachedWith } from './plan'

/**
 * A closing as a record of a shard's partition, in JSON. It says how far the view has come with it, so that whoever takes over
 * needs the last record alone, and into how many shards the keys were split, so that it can still be read when there are more.
 */
export interface ClosingRecord extends Closing {
  readonly shards: number
  readonly reached: Reached
}

const VERSION = 1
const KINDS: readonly string[] = ['close', 'revise', 'final'] satisfies ClosingKind[]

/** The records of these closings, and how far the view has come with the last. */
export function closingRecords(
  closings: readonly Closing[],
  shards: number,
  before: Reached,
): { readonly values: readonly Buffer[]; readonly reached: Reached } {
  let reached = before
  const values = closings.map(closing => {
    reached = reachedWith(reached, closing)
    const { kind, watermark, windowEnds } = closing
    const { closed, final } = reached
    return Buffer.from(
      JSON.stringify({
        v: VERSION,
        kind,
        watermark: finite(watermark),
        ends: windowEnds,
        shards,
        reached: [finite(closed), finite(final), finite(reached.watermark)],
      }),
    )
  })
  return { values, reached }
}

/** Throws P001_POSITION_STOP for bytes that are no closing of this version: read past, its windows would be lost. */
export function parseClosing(view: string, value: Buffer, where: string): ClosingRecord {
  const foreign = (): ConnectError =>
    new ConnectError('P001_POSITION_STOP', `${where} is no closing of the view ${view}: ${value.toString('utf8', 0, 80)}`, {
      hint: 'another program writes to this topic, or a newer version does',
      stage: 'read',
    })
  let raw: unknown
  try {
    raw = JSON.parse(value.toString())
  } catch {
    throw foreign()
  }
  if (typeof raw !== 'object' || raw === null) throw foreign()
  const { v, kind, watermark, ends, shards, reached } = raw as Record<string, unknown>
  const isClosing =
    v === VERSION &&
    typeof kind === 'string' &&
    KINDS.includes(kind) &&
    isMoment(watermark) &&
    Array.isArray(ends) &&
    ends.length > 0 &&
    ends.every(Number.isSafeInteger) &&
    Number.isSafeInteger(shards) &&
    (shards as number) > 0 &&
    Array.isArray(reached) &&
    reached.length === 3 &&
    reached.every(isMoment)
  if (!isClosing) throw foreign()
  const [closed, final, furthest] = (reached as readonly (number | null)[]).map(moment)
  return {
    view,
    kind: kind as ClosingKind,
    watermark: moment(watermark as number | null),
    windowEnds: ends as readonly number[],
    shards: shards as number,
    reached: { closed, final, watermark: furthest },
  }
}

/** JSON has no infinity. */
const finite = (ms: number): number | null => (Number.isFinite(ms) ? ms : null)
const moment = (ms: number | null): number => ms ?? Number.NEGATIVE_INFINITY
const isMoment = (value: unknown): boolean => value === null || Number.isSafeInteger(value)
