import type { Batch } from '../../runtime/batch'
import type { Detector, Explanation, Point } from '../../runtime/plugin'
import type { Registry } from '../../runtime/registry'
import type { ColumnSet } from '../../runtime/store'
import { numbersOf } from '../../transforms/score/numbers'
import type { WatchedBy } from './views'

/** Rows of one key in a set of rows: indices from..to - 1, in window order. */
export interface KeyRows {
  readonly from: number
  readonly to: number
}

/** What a detector expects of one feature, one entry a row; NaN: not known. */
export interface Band {
  readonly detector: string
  readonly feature: string
  readonly expected: Float64Array
  readonly lower: Float64Array
  readonly upper: Float64Array
}

/**
 * What a detector says to these windows when it has seen nothing but them: a fresh one is taught them in the order in which the
 * flow's own is (a window is judged by what is final when it closes). So the band is there for windows of any time, also after a
 * restart, and agrees with the flow's own as far as the windows before reach back.
 */
export function bandsOf(
  watched: WatchedBy,
  registry: Registry,
  set: ColumnSet,
  keys: readonly KeyRows[],
  ends: Float64Array,
  lateness: number,
): readonly Band[] {
  const detector = registry.get('detector', watched.spec.type).create(watched.spec.config as never, {
    name: watched.name,
    schema: set.schema,
  })
  detector.grow(keys.length)
  detector.prepare?.(batchOf(set), () => {})
  const nothing = (): Float64Array => new Float64Array(set.rows).fill(Number.NaN)
  const bands = detector.features.map(feature => ({
    detector: watched.name,
    feature,
    expected: nothing(),
    lower: nothing(),
    upper: nothing(),
  }))
  const inputs = detector.features.map(name =>
    numbersOf(set.columns[set.schema.fields.findIndex(f => f.name === name)], set.rows),
  )
  keys.forEach((rows, key) => {
    judge(detector, key, rows, { inputs, ends, lateness, bands })
  })
  // a rule expects nothing
  return bands.filter(({ expected, lower, upper }) => [expected, lower, upper].some(all => all.some(v => !Number.isNaN(v))))
}

interface Judged {
  readonly inputs: readonly Float64Array[]
  readonly ends: Float64Array
  readonly lateness: number
  readonly bands: readonly Band[]
}

function judge(detector: Detector, key: number, { from, to }: KeyRows, { inputs, ends, lateness, bands }: Judged): void {
  const width = inputs.length
  const point: Point = { key, time: 0, row: 0, x: new Float64Array(width) }
  const why: Explanation = {
    expected: new Float64Array(width),
    lower: new Float64Array(width),
    upper: new Float64Array(width),
    contribution: new Float64Array(width),
  }
  const at = (row: number): Point => {
    point.time = ends[row]
    point.row = row
    for (let f = 0; f < width; f++) point.x[f] = inputs[f][row]
    return point
  }
  let learned = from
  for (let row = from; row < to; row++) {
    for (; learned < row && ends[learned] + lateness <= ends[row]; learned++) detector.learn(at(learned))
    if (Number.isNaN(detector.score(at(row)))) continue
    detector.explain(point, why)
    bands.forEach((band, f) => {
      band.expected[row] = why.expected[f]
      band.lower[row] = why.lower[f]
      band.upper[row] = why.upper[f]
    })
  }
}

function batchOf({ schema, columns, rows }: ColumnSet): Batch {
  const origin = { lane: 0, ranges: [{ topic: 'page', partition: 0, from: 0, to: Math.max(0, rows - 1) }] }
  const none = Buffer.alloc(0)
  return {
    schema,
    columns,
    length: rows,
    selection: null,
    origin,
    rows: {
      range: new Int32Array(rows),
      offset: Float64Array.from({ length: rows }, (_, i) => i),
      timestamp: new Float64Array(rows).fill(-1),
    },
    rejected: [],
    raw: row => ({ topic: 'page', partition: 0, offset: row, timestamp: -1, key: null, value: none, headers: [] }),
  }
}
