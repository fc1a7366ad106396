import type { Batch } from './batch'
import type { ConnectError } from './errors'
import type { Schema } from './schema'

/** What `score` gives while a key has not been seen long enough: neither normal nor strange. Test with `Number.isNaN`. */
export const NOT_READY: number = Number.NaN

/** One window or record of one key. The same object is filled again for each; a detector keeps no reference to it. */
export interface Point {
  /** Dense id of its key, below the number of the last `grow`. */
  key: number
  /** Milliseconds since 1970: the window's end, or the record's time. */
  time: number
  /** Row of the batch given to `prepare`. */
  row: number
  /** Values of the detector's features, in their order; NaN: null. */
  readonly x: Float64Array
}

/** Why a score came out as it did, one entry a feature in their order; NaN: not known. Filled by `explain`. */
export interface Explanation {
  readonly expected: Float64Array
  readonly lower: Float64Array
  readonly upper: Float64Array
  /** Share of the score, 0..1. */
  readonly contribution: Float64Array
}

/**
 * What a detector knows of the keys of one lane: arrays indexed by key id, no object per key. Seeded, no clock.
 *
 * The transform calls `prepare` once a batch, then for each point in order `score` (any number of times: once when a window
 * closes, again at each revision), `explain` right after a score that is shown, and `learn` once, when the window is final. For
 * records, `learn` follows each `score`. `score` and `explain` change nothing that a later score depends on; all else is a
 * function of the points learned.
 */
export interface Detector {
  /** Numeric columns that make up x. */
  readonly features: readonly string[]
  /**
   * What `score` gives: `raw`, a number >= 0 that grows with strangeness, in a unit in which usual points lie about 0..2 (a
   * calibrator turns it into a score); `score`, a surprise in tens already; `verdict`, 1 for an alarm and 0 for none.
   */
  readonly output: 'raw' | 'score' | 'verdict'
  /** Makes room for keys 0 .. keys - 1. */
  grow(keys: number): void
  /** For detectors that look at whole columns. A row reported as failed is neither scored nor learned. */
  prepare?(batch: Batch, onFailure: (row: number, error: ConnectError) => void): void
  score(point: Point): number
  explain(point: Point, out: Explanation): void
  learn(point: Point): void
  /** Keeps only these keys: what was key ids[i] is key i from now on. Ascending. */
  keep(ids: Int32Array): void
  snapshot(): Buffer
  /** Throws D001_MALFORMED for bytes it did not make. */
  restore(bytes: Buffer): void
}

export interface DetectorContext {
  /** Its name in `detectors:`. */
  readonly name: string
  /** Columns of a point. `create` throws C0xx for columns that are not there or have another type than needed. */
  readonly schema: Schema
}
