import { z } from 'zod'
import { columnName } from '../../../runtime/fields'
import { KeyFloats, packFloats, unpackFloats } from '../../../runtime/key_floats'
import { type Detector, defineDetector, type Explanation, NOT_READY, type Point } from '../../../runtime/plugin'
import { requireNumbers } from './numbers'

// taken out once, as in calibrate.ts
const { abs, max, min, sqrt } = Math
const { isFinite: finite, isNaN: missing } = Number

/** Deviations learned at most, in standard deviations: an outlier shifts mean and variance by a bounded step (Huber's psi). */
const CLIP = 6
/** Largest raw output, for series that were constant before. */
const MAX_Z = 1e6
/** Points before the variance means anything. */
const LEAST_WARMUP = 3

const config = z.strictObject({
  features: z.array(columnName()).min(1).describe('Numeric columns; the strangest of them counts.'),
  direction: z
    .enum(['both', 'up', 'down'])
    .prefault('both')
    .describe('Whether only values above (up) or below (down) what is expected are strange.'),
  half_life: z.number().min(1).prefault(200).describe('Windows (or records) of a key after which what was learned weighs half.'),
  warmup: z.int().min(LEAST_WARMUP).prefault(30).describe('Windows (or records) of a key before it is scored.'),
})

export const ewma = defineDetector({
  name: 'ewma',
  status: 'beta',
  since: '0.1.0',
  summary: 'Distance from an exponentially weighted mean, in standard deviations.',
  description:
    'Keeps a mean and a variance of each feature and key, with weights that halve every `half_life` windows (West 1979), and gives ' +
    'the largest |value - mean| / standard deviation over the features. While fewer windows were seen, all weigh the same. Values ' +
    `beyond ${CLIP} standard deviations are learned as if they lay there. 8 bytes a key and 16 bytes a feature of it.`,
  config,
  examples: [
    {
      title: 'Sends out more than it used to',
      yaml: `name: leak
flows:
  detect:
    source:
      type: generate
      count: 2000
      start: 2024-01-01T00:00:00Z
      interval: 5m
      keys: { column: device, count: 2, prefix: d- }
      fields:
        bytes_out: { type: series, base: 5000, noise: 500, min: 0, burst: { every: 1d, for: 10m, add: 50000 } }
    transforms:
      - type: score
        keys: [device]
        time: ts
        detectors:
          leak: { type: ewma, features: [bytes_out], direction: up, half_life: 288 }
    sink: { type: stdout }
`,
    },
  ],
  conformance: { config: { features: ['cpu', 'bytes'], warmup: 3 } },
  create: (options, { name, schema }) => {
    requireNumbers(schema, options.features, `detectors.${name}.features`)
    return new Ewma(options)
  },
})

class Ewma implements Detector {
  readonly output = 'raw'
  readonly features: readonly string[]
  /** Points learned a key. */
  readonly #count = new KeyFloats(1)
  /** Mean and variance of each feature, a key; a NaN mean: never seen. */
  readonly #moments: KeyFloats
  readonly #up: number
  readonly #down: number
  readonly #alpha: number
  readonly #warmup: number

  constructor(options: z.output<typeof config>) {
    this.features = options.features
    this.#moments = new KeyFloats(
      2 * options.features.length,
      options.features.flatMap(() => [Number.NaN, 0]),
    )
    this.#up = options.direction === 'down' ? 0 : 1
    this.#down = options.direction === 'up' ? 0 : 1
    this.#alpha = 1 - 2 ** (-1 / options.half_life)
    this.#warmup = options.warmup
  }

  grow(keys: number): void {
    this.#count.grow(keys)
    this.#moments.grow(keys)
  }

  score({ key, x }: Point): number {
    if (this.#count.values[key] < this.#warmup) return NOT_READY
    let worst = NOT_READY
    for (let f = 0; f < x.length; f++) {
      const z = this.#strangeness(key, f, x[f])
      if (!(z <= worst)) worst = missing(z) ? worst : z
    }
    return worst
  }

  /** NaN for a null. */
  #strangeness(key: number, f: number, value: number): number {
    const { values, width } = this.#moments
    const mean = values[key * width + 2 * f]
    const d = (value - mean) / deviation(mean, values[key * width + 2 * f + 1])
    const z = d > 0 ? d * this.#up : -d * this.#down
    return min(z, MAX_Z)
  }

  explain({ key, x }: Point, out: Explanation): void {
    const { values, width } = this.#moments
    let total = 0
    for (let f = 0; f < x.length; f++) {
      const mean = values[key * width + 2 * f]
      const sd = deviation(mean, values[key * width + 2 * f + 1])
      out.expected[f] = mean
      out.lower[f] = this.#down ? mean - 3 * sd : Number.NaN
      out.upper[f] = this.#up ? mean + 3 * sd : Number.NaN
      const z = this.#strangeness(key, f, x[f])
      out.contribution[f] = missing(z) ? 0 : z * z
      total += out.contribution[f]
    }
    if (total > 0) for (let f = 0; f < x.length; f++) out.contribution[f] /= total
  }

  learn({ key, x }: Point): void {
    const { values, width } = this.#moments
    const n = ++this.#count.values[key]
    const alpha = max(this.#alpha, 1 / n)
    for (let f = 0; f < x.length; f++) {
      const value = x[f]
      if (!finite(value)) continue
      const at = key * width + 2 * f
      const mean = values[at]
      if (missing(mean)) {
        values[at] = value
        continue
      }
      const variance = values[at + 1]
      let d = value - mean
      if (n > this.#warmup) {
        const most = CLIP * deviation(mean, variance)
        d = min(most, max(-most, d))
      }
      values[at] = mean + alpha * d
      values[at + 1] = (1 - alpha) * (variance + alpha * d * d)
    }
  }

  keep(ids: Int32Array): void {
    this.#count.keep(ids)
    this.#moments.keep(ids)
  }

  snapshot(): Buffer {
    return packFloats([this.#count, this.#moments])
  }

  restore(bytes: Buffer): void {
    unpackFloats(bytes, [this.#count, this.#moments])
  }
}

/** The standard deviation, but no less than doubles can tell apart, so that a constant series does not divide by zero. */
const deviation = (mean: number, variance: number): number => max(sqrt(variance), abs(mean) * 1e-6, 1e-12)
