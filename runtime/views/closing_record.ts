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
const ANNOUNCED = 'revising'
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
    return Buffer.from(
      JSON.stringify({ v: VERSION, kind, watermark: finite(watermark), ends: windowEnds, shards, ...written(reached) }),
    )
  })
  return { values, reached }
}

/** The record that says which windows are about to be revised. */
export const announcement = (reached: Reached): Buffer =>
  Buffer.from(JSON.stringify({ v: VERSION, kind: ANNOUNCED, ...written(reached) }))

const written = ({ closed, final, watermark, revising }: Reached) => ({
  reached: [finite(closed), finite(final), finite(watermark)],
  revising,
})

/** How far the view has come with a record, whatever it says. Throws as `parseClosing`. */
export function parseReached(view: string, value: Buffer, where: string): Reached {
  return reachedOf(fieldsOf(view, value, where), view, value, where)
}

/**
 * Null: an announcement. Throws P001_POSITION_STOP for bytes that are no record of this version: read past, its windows would be
 * lost.
 */
export function parseClosing(view: string, value: Buffer, where: string): ClosingRecord | null {
  const fields = fieldsOf(view, value, where)
  const reached = reachedOf(fields, view, value, where)
  const { kind, watermark, ends, shards } = fields
  if (kind === ANNOUNCED) return null
  const isClosing =
    typeof kind === 'string' &&
    KINDS.includes(kind) &&
    isMoment(watermark) &&
    isEnds(ends) &&
    ends.length > 0 &&
    Number.isSafeInteger(shards) &&
    (shards as number) > 0
  if (!isClosing) throw foreign(view, value, where)
  return {
    view,
    kind: kind as ClosingKind,
    watermark: moment(watermark as number | null),
    windowEnds: ends,
    shards: shards as number,
    reached,
  }
}

function fieldsOf(view: string, value: Buffer, where: string): Readonly<Record<string, unknown>> {
  let raw: unknown
  try {
    raw = JSON.parse(value.toString())
  } catch {
    throw foreign(view, value, where)
  }
  if (typeof raw !== 'object' || raw === null) throw foreign(view, value, where)
  return raw as Record<string, unknown>
}

function reachedOf(
  { v, reached, revising }: Readonly<Record<string, unknown>>,
  view: string,
  value: Buffer,
  where: string,
): Reached {
  const known = v === VERSION && Array.isArray(reached) && reached.length === 3 && reached.every(isMoment) && isEnds(revising)
  if (!known) throw foreign(view, value, where)
  const [closed, final, watermark] = (reached as readonly (number | null)[]).map(moment)
  return { closed, final, watermark, revising }
}

const foreign = (view: string, value: Buffer, where: string): ConnectError =>
  new ConnectError('P001_POSITION_STOP', `${where} is no closing of the view ${view}: ${value.toString('utf8', 0, 80)}`, {
    hint: 'another program writes to this topic, or another version does',
    stage: 'read',
  })

const isEnds = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(Number.isSafeInteger)

/** JSON has no infinity. */
const finite = (ms: number): number | null => (Number.isFinite(ms) ? ms : null)
const moment = (ms: number | null): number => ms ?? Number.NEGATIVE_INFINITY
const isMoment = (value: unknown): boolean => value === null || Number.isSafeInteger(value)
