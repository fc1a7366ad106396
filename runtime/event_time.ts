import type { Batch, Rejection } from './batch'
import { type Column, I32Column, I64Column } from './column'
import { ConnectError } from './errors'
import { HEAP, type Memory } from './memory'
import { partitionKey } from './origin'
import type { EventTimeOptions } from './plugin'
import { fieldIndex, type Schema, TICKS_PER_MS } from './schema'
import { STRIPE, stripes } from './stripes'
import { takeBatch } from './take'

const MS_PER_DAY = 86_400_000

/** A dense batch with its event times judged: rows too far ahead are rejected. */
export interface Timed {
  readonly batch: Batch
  /** Milliseconds behind the largest event time seen so far in the row's own partition, row for row; null without event time. */
  readonly behind: Float64Array | null
  /** Largest event time (ms) per partition key after this batch. */
  readonly watermarks: ReadonlyMap<string, number>
  /** Smallest event time (ms) of the batch; null without rows. */
  readonly earliest: number | null
}

/**
 * Which records count in a window must be a function of the log, not of timing. So each row carries how far it lies behind the
 * largest event time before it in its own source partition, starting from the value committed with the position: live, replay and
 * backfill then compute the same. A row more than `maxAhead` after its record's own timestamp is rejected and never moves it.
 */
export class EventTime {
  readonly #index: number
  readonly #ticks: number
  readonly #maxAhead: number | null
  /** Of one stripe. */
  readonly #times = new Float64Array(STRIPE)

  constructor(schema: Schema, options: EventTimeOptions) {
    this.#index = fieldIndex(schema, options.column)
    const type = schema.fields[this.#index]?.type
    if (!type) throw new ConnectError('C015_UNKNOWN_COLUMN', `time: there is no column "${options.column}"`)
    if (type.kind !== 'timestamp' && type.kind !== 'date') {
      throw new ConnectError('C020_TYPE_MISMATCH', `time: "${options.column}" is ${type.kind}, a timestamp or date is needed`)
    }
    if (schema.fields[this.#index].nullable) {
      throw new ConnectError('C020_TYPE_MISMATCH', `time: "${options.column}" may be null; an event time must be there`, {
        hint: 'filter the rows without it and cast the column to a type without ?',
      })
    }
    this.#ticks = type.kind === 'date' ? 1 : TICKS_PER_MS[type.unit]
    this.#maxAhead = options.maxAhead
  }

  /** `watermarks`: per partition key, before this batch. */
  judge(batch: Batch, watermarks: ReadonlyMap<string, number>, plugin: string, memory: Memory = HEAP): Timed {
    const judged = this.#rejectAhead(batch, plugin)
    const { range } = judged.rows
    const keys = judged.origin.ranges.map(partitionKey)
    const largest = Float64Array.from(keys, k => watermarks.get(k) ?? Number.NEGATIVE_INFINITY)
    const { length } = judged
    const behind = memory.float64(length)
    let earliest = Number.POSITIVE_INFINITY
    const column = judged.columns[this.#index]
    stripes(length, (from, to) => {
      const times = this.#milliseconds(column, from, to)
      earliest = Math.min(earliest, fillBehind(times, range, largest, behind, from, to))
    })
    const after = new Map(watermarks)
    keys.forEach((key, i) => {
      if (largest[i] > Number.NEGATIVE_INFINITY) after.set(key, largest[i])
    })
    return { batch: judged, behind, watermarks: after, earliest: Number.isFinite(earliest) ? earliest : null }
  }

  /** Whole milliseconds since 1970, rounded down, of the rows of one stripe; overwritten by the next call. */
  #milliseconds(column: Column, from: number, to: number): Float64Array {
    const out = this.#times
    if (column instanceof I64Column) fillMilliseconds(column.halves, this.#ticks, out, from, to)
    else if (column instanceof I32Column) for (let i = from; i < to; i++) out[i - from] = column.values[i] * MS_PER_DAY
    return out
  }

  #rejectAhead(batch: Batch, plugin: string): Batch {
    const max = this.#maxAhead
    if (max === null) return batch
    const column = batch.columns[this.#index]
    const { timestamp } = batch.rows
    const ahead = new Map<number, number>()
    stripes(batch.length, (from, to) => findAhead(this.#milliseconds(column, from, to), timestamp, max, ahead, from, to))
    if (ahead.size === 0) return batch
    const rejected: Rejection[] = [...ahead].map(([row, time]) => ({
      stage: 'event_time',
      plugin,
      error: new ConnectError(
        'D009_TOO_FAR_AHEAD',
        `the event time ${new Date(time).toISOString()} is ${Math.round((time - timestamp[row]) / 1000)} s after the record's own timestamp`,
        { stage: 'event_time' },
      ),
      record: batch.raw(row),
    }))
    const selection = Int32Array.from(Array.from({ length: batch.length }, (_, i) => i).filter(i => !ahead.has(i)))
    return takeBatch({ ...batch, selection, rejected: [...batch.rejected, ...rejected] })
  }
}

function fillMilliseconds(halves: Int32Array, perMs: number, out: Float64Array, from: number, to: number): void {
  for (let i = from; i < to; i++) out[i - from] = halves[2 * i + 1] * 4294967296 + (halves[2 * i] >>> 0)
  // in milliseconds already, as most are: nothing to do
  if (perMs !== 1) for (let i = 0; i < to - from; i++) out[i] = Math.floor(out[i] / perMs)
}

/** Notes row and time of those further than `max` after their record's own timestamp. */
function findAhead(
  times: Float64Array,
  recorded: Float64Array,
  max: number,
  found: Map<number, number>,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    if (recorded[i] >= 0 && times[i - from] - recorded[i] > max) found.set(i, times[i - from])
  }
}

/** Moves `largest` (per range) along the rows and writes how far each lies behind it. Returns the smallest time. */
function fillBehind(
  times: Float64Array,
  range: Int32Array,
  largest: Float64Array,
  behind: Float64Array,
  from: number,
  to: number,
): number {
  let earliest = Number.POSITIVE_INFINITY
  for (let i = from; i < to; i++) {
    const r = range[i]
    const t = times[i - from]
    const top = largest[r]
    if (t < earliest) earliest = t
    if (t > top) largest[r] = t
    else behind[i] = top - t
  }
  return earliest
}
