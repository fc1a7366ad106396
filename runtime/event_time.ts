import type { Batch, Rejection } from './batch'
import { type Column, I32Column, I64Column } from './column'
import { ConnectError } from './errors'
import { HEAP, type Memory } from './memory'
import { partitionKey } from './origin'
import type { EventTimeOptions } from './plugin'
import { fieldIndex, type Schema, TICKS_PER_MS } from './schema'
import { stripes } from './stripes'
import { takeBatch } from './take'

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
    const times = this.#milliseconds(batch.columns[this.#index], batch.length, memory)
    const { judged, dense } = this.#rejectAhead(batch, times, plugin)
    const kept = dense ?? times
    const { range } = judged.rows
    const keys = judged.origin.ranges.map(partitionKey)
    const largest = Float64Array.from(keys, k => watermarks.get(k) ?? Number.NEGATIVE_INFINITY)
    const { length } = judged
    const behind = memory.float64(length)
    let earliest = Number.POSITIVE_INFINITY
    stripes(length, (from, to) => {
      earliest = Math.min(earliest, fillBehind(kept, range, largest, behind, from, to))
    })
    const after = new Map(watermarks)
    keys.forEach((key, i) => {
      if (largest[i] > Number.NEGATIVE_INFINITY) after.set(key, largest[i])
    })
    return { batch: judged, behind, watermarks: after, earliest: Number.isFinite(earliest) ? earliest : null }
  }

  /** Whole milliseconds since 1970, rounded down. */
  #milliseconds(column: Column, length: number, memory: Memory): Float64Array {
    const out = memory.float64(length)
    if (column instanceof I64Column) {
      stripes(length, (from, to) => fillMilliseconds(column.halves, this.#ticks, out, from, to))
    } else if (column instanceof I32Column) {
      for (let i = 0; i < length; i++) out[i] = column.values[i] * 86_400_000
    }
    return out
  }

  #rejectAhead(batch: Batch, times: Float64Array, plugin: string): { judged: Batch; dense: Float64Array | null } {
    const max = this.#maxAhead
    if (max === null) return { judged: batch, dense: null }
    const { timestamp } = batch.rows
    const late: number[] = []
    stripes(batch.length, (from, to) => findAhead(times, timestamp, max, late, from, to))
    if (late.length === 0) return { judged: batch, dense: null }
    const rejected: Rejection[] = late.map(row => ({
      stage: 'event_time',
      plugin,
      error: new ConnectError(
        'D009_TOO_FAR_AHEAD',
        `the event time ${new Date(times[row]).toISOString()} is ${Math.round((times[row] - timestamp[row]) / 1000)} s after the record's own timestamp`,
        { stage: 'event_time' },
      ),
      record: batch.raw(row),
    }))
    const gone = new Set(late)
    const selection = Int32Array.from(Array.from({ length: batch.length }, (_, i) => i).filter(i => !gone.has(i)))
    const judged = takeBatch({ ...batch, selection, rejected: [...batch.rejected, ...rejected] })
    return { judged, dense: Float64Array.from(selection, row => times[row]) }
  }
}

function fillMilliseconds(halves: Int32Array, perMs: number, out: Float64Array, from: number, to: number): void {
  for (let i = from; i < to; i++) out[i] = halves[2 * i + 1] * 4294967296 + (halves[2 * i] >>> 0)
  // in milliseconds already, as most are: nothing to do
  if (perMs !== 1) for (let i = from; i < to; i++) out[i] = Math.floor(out[i] / perMs)
}

function findAhead(times: Float64Array, recorded: Float64Array, max: number, found: number[], from: number, to: number): void {
  for (let i = from; i < to; i++) if (recorded[i] >= 0 && times[i] - recorded[i] > max) found.push(i)
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
    const t = times[i]
    const top = largest[r]
    if (t < earliest) earliest = t
    if (t > top) largest[r] = t
    else behind[i] = top - t
  }
  return earliest
}
