import { z } from 'zod'
import { columnName, duration } from '../../../runtime/fields'
import { KeyFloats, packFloats, unpackFloats } from '../../../runtime/key_floats'
import { type Detector, defineDetector, type Explanation, NOT_READY, type Point } from '../../../runtime/plugin'
import { requireNumbers } from './numbers'

/** Values in a shape: enough to tell a form, few enough that the nearest of some dozen is found in a microsecond. */
const SHAPE = 8
/** A part that is a tenth of the range beyond all that was seen is this strange. */
const RECORD_UNIT = 0.1
/** Weight of the newest distance in the usual distance to the nearest shape, and of the newest value in a season's slot. */
const USUAL = 0.02
const SLOT = 0.2
/** How fast ranges forget: a record of 1000 windows ago counts about a third less. */
const SHRINK = 1 / 2500
const MAX_PART = 1e3

const config = z.strictObject({
  features: z.array(columnName()).min(1).describe('Numeric columns; the strangest of them counts.'),
  warmup: z.int().min(SHAPE).prefault(150).describe('Windows (or records) of a key before it is scored.'),
  season: duration()
    .optional()
    .describe('Length of a season, e.g. 1d or 7d: values are also compared with those of the same time in it.'),
  slots: z
    .int()
    .min(2)
    .max(2016)
    .prefault(24)
    .describe('Parts of a season, each with a mean of its own. 16 bytes each, a feature and key.'),
  shapes: z.int().min(1).max(256).prefault(32).describe('Shapes remembered; 64 bytes each, a feature and key.'),
})

export const novelty = defineDetector({
  name: 'novelty',
  status: 'beta',
  since: '0.1.0',
  summary: 'What was never seen: values out of range, against the season, or of an unknown shape.',
  description:
    'Adds up three parts, for the strangest feature. Record: how far the value lies outside of all that was seen, in tenths of that ' +
    `range. Seasonal record: the same for its difference from the mean of its slot of the season (without \`season\`: from the value before). ` +
    `Shape: the distance of the last ${SHAPE} values from the nearest remembered shape, compared with what that distance usually is ` +
    '(left nearest neighbour; shapes unlike those remembered replace the oldest). Ranges forget slowly.',
  config,
  examples: [
    {
      title: 'A daily course',
      yaml: `name: daily-course
flows:
  detect:
    source:
      type: generate
      count: 2000
      start: 2024-01-01T00:00:00Z
      interval: 5m
      keys: { column: device, count: 2, prefix: d- }
      fields:
        cpu: { type: series, base: 40, daily: { amplitude: 20, peak: 14h }, noise: 2, burst: { every: 2d, for: 30m, add: 50 } }
    transforms:
      - type: score
        keys: [device]
        time: ts
        detectors:
          shape: { type: novelty, features: [cpu], season: 1d, warmup: 288 }
    sink: { type: stdout }
`,
    },
  ],
  conformance: { config: { features: ['cpu', 'bytes'], warmup: 10, season: '1h', slots: 4, shapes: 4 } },
  create: (options, { name, schema }) => {
    requireNumbers(schema, options.features, `detectors.${name}.features`)
    return new Novelty(options)
  },
})

/** Of a feature: range of values, range of seasonal differences, value before, usual distance, shapes made, then the last values. */
const [LOW, HIGH, DIFF_LOW, DIFF_HIGH, BEFORE, DISTANCE, MADE, LAST] = [0, 1, 2, 3, 4, 5, 6, 7]
const HEAD = LAST + SHAPE
const INITIAL = [NaN, NaN, NaN, NaN, NaN, NaN, 0, ...new Array<number>(SHAPE).fill(NaN)]

class Novelty implements Detector {
  readonly output = 'raw'
  readonly features: readonly string[]
  readonly #count = new KeyFloats(1)
  readonly #heads: KeyFloats
  /** Means of the season's slots. */
  readonly #slots: KeyFloats
  readonly #shapes: KeyFloats
  readonly #season: number | null
  readonly #slotCount: number
  readonly #shapeCount: number
  readonly #warmup: number
  /** Distance found by the last `#part`. */
  #nearest = NaN

  constructor(options: z.output<typeof config>) {
    this.features = options.features
    this.#season = options.season ?? null
    this.#slotCount = this.#season === null ? 0 : options.slots
    this.#shapeCount = options.shapes
    this.#warmup = options.warmup
    const n = options.features.length
    this.#heads = new KeyFloats(
      HEAD * n,
      options.features.flatMap(() => INITIAL),
    )
    this.#slots = new KeyFloats(Math.max(1, this.#slotCount * n), [NaN])
    this.#shapes = new KeyFloats(SHAPE * this.#shapeCount * n, [NaN])
  }

  grow(keys: number): void {
    for (const state of this.#all()) state.grow(keys)
  }

  #all(): readonly KeyFloats[] {
    return [this.#count, this.#heads, this.#slots, this.#shapes]
  }

  score({ key, time, x }: Point): number {
    if (this.#count.values[key] < this.#warmup) return NOT_READY
    let worst = NOT_READY
    for (let f = 0; f < x.length; f++) {
      const part = this.#part(key, f, time, x[f])
      if (!(part <= worst) && !Number.isNaN(part)) worst = part
    }
    return worst
  }

  /** How strange a value is; NaN for a null or while too little was seen of the feature. */
  #part(key: number, f: number, time: number, value: number): number {
    const head = this.#heads.values
    const at = key * this.#heads.width + f * HEAD
    if (!Number.isFinite(value) || Number.isNaN(head[at + LOW])) return NaN
    const range = width(head[at + LOW], head[at + HIGH])
    const record = beyond(value, head[at + LOW], head[at + HIGH]) / range
    const difference = value - this.#reference(key, f, time)
    const seasonal = beyond(difference, head[at + DIFF_LOW], head[at + DIFF_HIGH]) / range
    this.#nearest = this.#distance(key, f, value) / range
    const usual = head[at + DISTANCE]
    const shape = this.#nearest / Math.max(usual, 0.01) / 4
    const parts = (record + (Number.isNaN(seasonal) ? 0 : seasonal)) / RECORD_UNIT + (Number.isNaN(shape) ? 0 : shape)
    return Math.min(parts, MAX_PART)
  }

  /** What the value is compared with: its slot of the season, else the value before. NaN: not known. */
  #reference(key: number, f: number, time: number): number {
    if (this.#season === null) return this.#heads.values[key * this.#heads.width + f * HEAD + BEFORE]
    return this.#slots.values[this.#slot(key, f, time)]
  }

  #slot(key: number, f: number, time: number): number {
    const season = this.#season ?? 1
    const phase = ((time % season) + season) % season
    return key * this.#slots.width + f * this.#slotCount + Math.floor((phase / season) * this.#slotCount)
  }

  /** Distance (root mean square) of the last values with this one behind them to the nearest remembered shape; NaN: none. */
  #distance(key: number, f: number, value: number): number {
    const head = this.#heads.values
    const last = key * this.#heads.width + f * HEAD + LAST
    const shapes = this.#shapes.values
    const first = key * this.#shapes.width + f * this.#shapeCount * SHAPE
    let least = Number.POSITIVE_INFINITY
    for (let s = 0; s < this.#shapeCount; s++) {
      const at = first + s * SHAPE
      const d = shapes[at + SHAPE - 1] - value
      let sum = d * d
      for (let i = 0; i < SHAPE - 1 && sum < least; i++) {
        const e = shapes[at + i] - head[last + i + 1]
        sum += e * e
      }
      if (sum < least) least = sum
    }
    return least === Number.POSITIVE_INFINITY ? NaN : Math.sqrt(least / SHAPE)
  }

  explain({ key, time, x }: Point, out: Explanation): void {
    const head = this.#heads.values
    let total = 0
    for (let f = 0; f < x.length; f++) {
      const at = key * this.#heads.width + f * HEAD
      out.expected[f] = this.#reference(key, f, time)
      out.lower[f] = head[at + LOW]
      out.upper[f] = head[at + HIGH]
      const part = this.#part(key, f, time, x[f])
      out.contribution[f] = Number.isNaN(part) ? 0 : part
      total += out.contribution[f]
    }
    if (total > 0) for (let f = 0; f < x.length; f++) out.contribution[f] /= total
  }

  learn({ key, time, x }: Point): void {
    this.#count.values[key]++
    for (let f = 0; f < x.length; f++) if (Number.isFinite(x[f])) this.#learn(key, f, time, x[f])
  }

  #learn(key: number, f: number, time: number, value: number): void {
    const head = this.#heads.values
    const at = key * this.#heads.width + f * HEAD
    if (!Number.isNaN(this.#part(key, f, time, value)) && !Number.isNaN(this.#nearest)) {
      const usual = head[at + DISTANCE]
      head[at + DISTANCE] = Number.isNaN(usual)
        ? this.#nearest
        : usual + USUAL * (Math.min(this.#nearest, 4 * usual + 0.01) - usual)
    }
    const difference = value - this.#reference(key, f, time)
    widen(head, at + LOW, value)
    if (!Number.isNaN(difference)) widen(head, at + DIFF_LOW, difference)
    if (this.#season !== null) {
      const slot = this.#slot(key, f, time)
      const mean = this.#slots.values[slot]
      this.#slots.values[slot] = Number.isNaN(mean) ? value : mean + SLOT * (value - mean)
    }
    head[at + BEFORE] = value
    const last = at + LAST
    head.copyWithin(last, last + 1, last + SHAPE)
    head[last + SHAPE - 1] = value
    this.#remember(key, f)
  }

  /** The last values become a shape to compare with, once all are there, unless one much like them is remembered. */
  #remember(key: number, f: number): void {
    const head = this.#heads.values
    const at = key * this.#heads.width + f * HEAD
    const last = at + LAST
    if (Number.isNaN(head[last])) return
    const usual = head[at + DISTANCE]
    const alike = this.#nearest < 0.5 * usual
    if (alike && head[at + MADE] >= this.#shapeCount) return
    const place = head[at + MADE] % this.#shapeCount
    const first = key * this.#shapes.width + (f * this.#shapeCount + place) * SHAPE
    this.#shapes.values.set(head.subarray(last, last + SHAPE), first)
    head[at + MADE]++
  }

  keep(ids: Int32Array): void {
    for (const state of this.#all()) state.keep(ids)
  }

  snapshot(): Buffer {
    return packFloats(this.#all())
  }

  restore(bytes: Buffer): void {
    unpackFloats(bytes, this.#all())
  }
}

const width = (low: number, high: number): number => Math.max(high - low, Math.abs(high) * 1e-6, 1e-12)

/** How far outside of low..high; 0 inside, NaN where they are not known. */
const beyond = (value: number, low: number, high: number): number => Math.max(0, value - high, low - value)

/** Takes a value into the range at `at` (low) and `at + 1` (high), which otherwise shrinks a little towards its middle. */
function widen(state: Float64Array, at: number, value: number): void {
  const low = state[at]
  const high = state[at + 1]
  const shrink = ((high - low) * SHRINK) / 2
  state[at] = Number.isNaN(low) ? value : Math.min(value, low + shrink)
  state[at + 1] = Number.isNaN(high) ? value : Math.max(value, high - shrink)
}
