import { KeyFloats, packFloats, unpackFloats } from '../../runtime/key_floats'

// taken out once: some twenty are called a point, and looking a global up costs more than most of them in a sandbox
const { abs, asinh, LN10, log, max, min } = Math

/** No score is larger: what was seen of a key never says how rare something is beyond one in 10^16. */
export const MAX_SCORE = 16

/** Tail probabilities of the three levels. */
const P = [0.1, 0.01, 0.001] as const

/** Raw outputs are looked at as asinh(raw / 5): as they are up to about 5, as logarithms far beyond, where tails span decades. */
const LINEAR = 5
const viewed = (raw: number): number => asinh(raw / LINEAR)

/**
 * Levels before anything was seen, for raw outputs in units in which 1 is usual: the 10 %, 1 % and 0.1 % points of |t| with 5
 * degrees of freedom, whose tail is heavier than a normal one, so that a young flow alarms too little rather than too much.
 */
const PRIOR: readonly number[] = [...[2.015, 4.032, 6.869].map(viewed), 0]

/** A key's own levels and those of all keys weigh the same after so many points of the key. */
const POOLED_WEIGHT = 500
/** Steps are so many times the optimal ones: from a poor start those come too late, and the price is 1.8 times the variance. */
const HASTE = 3
const LARGEST_GAIN = 0.5
/** Expected exceedances of a level up to which the level below moves it more than half way along. */
const DRAG = 3
/** Least step of a level at an exceedance, in units of the local scale: it remembers about 1 / 0.02 = 50 exceedances. */
const LEAST_GAIN = 0.02
/** Levels are kept apart by this share, so that a constant raw output does not make them one. */
const LEAST_GAP = 0.01
/** Growth of the distance between levels from one decade to the next; shapes of -0.15 to 0.4. */
const [LEAST_RATIO, LARGEST_RATIO] = [0.7, 2.5]
/** The growth is drawn to 1 by this share: noise in three levels makes more alarms beyond them than it takes away. */
const TOWARDS_1 = 0.2
const WIDTH = 4

/**
 * Raw detector outputs to scores: `-log10` of the share of points that were at least as strange, per key.
 *
 * Of each key (and of all keys together, the pool) it tracks three levels x of the raw output, exceeded by 1 in 10, 100 and 1000
 * points, by stochastic approximation (Robbins and Monro 1951; for quantiles Tierney 1983): at each point, level k moves by
 * `g * scale * (exceeded - p)`, g = 3 / (1 + p * n) within 0.02 .. 0.5, scale = distance between neighbouring levels / ln 10, three times the
 * optimal step 1 / (n f) for a tail that is locally exponential, with f = p / scale. A single outlier, however large, moves a level
 * by a bounded step, so anomalies do not hide the next ones.
 *
 * A score lies on the line through the levels in (raw, score); beyond the third it follows the generalised Pareto tail that the
 * three levels span (Pickands 1975: with exceedance probabilities in a constant ratio the distances between levels grow by a
 * constant factor r = 10^shape): score = 3 + log(1 + (x - q3)(r - 1) / ((q3 - q2) r)) / log r. While a key is young its score is
 * drawn to that of the pool, weight 500 / (500 + n).
 */
export class Calibrator {
  /** Three levels and the number of points, a key. A new key starts with n = -1: its levels are taken from the pool when first used. */
  readonly #own = new KeyFloats(WIDTH, [0, 0, 0, -1])
  readonly #pool = Float64Array.from(PRIOR)

  grow(keys: number): void {
    this.#own.grow(keys)
  }

  /** Surprise in tens, 0 .. MAX_SCORE, of a raw output. */
  score(key: number, raw: number): number {
    const own = this.#own.values
    const at = key * WIDTH
    const n = own[at + 3]
    const weight = POOLED_WEIGHT / (POOLED_WEIGHT + max(n, 0))
    const x = viewed(raw)
    if (n < 0) return surprise(this.#pool, 0, x)
    const score = surprise(own, at, x)
    return weight < 0.01 ? score : score + weight * (surprise(this.#pool, 0, x) - score)
  }

  /** Takes a raw output into account. */
  learn(key: number, raw: number): void {
    const own = this.#own.values
    const at = key * WIDTH
    if (own[at + 3] < 0) {
      own.set(this.#pool, at)
      own[at + 3] = 0
    }
    const x = viewed(raw)
    move(own, at, x)
    move(this.#pool, 0, x)
  }

  keep(ids: Int32Array): void {
    this.#own.keep(ids)
  }

  snapshot(): Buffer {
    return packFloats([this.#own, this.#pool])
  }

  restore(bytes: Buffer): void {
    unpackFloats(bytes, [this.#own, this.#pool])
  }
}

function surprise(q: Float64Array, at: number, x: number): number {
  const q1 = q[at]
  if (x <= q1) return x <= 0 ? 0 : x / q1
  const q2 = q[at + 1]
  if (x <= q2) return 1 + (x - q1) / (q2 - q1)
  const q3 = q[at + 2]
  if (x <= q3) return 2 + (x - q2) / (q3 - q2)
  const decades = (x - q3) / (q3 - q2)
  const ratio = min(LARGEST_RATIO, max(LEAST_RATIO, TOWARDS_1 + (1 - TOWARDS_1) * ((q3 - q2) / (q2 - q1))))
  if (abs(ratio - 1) < 1e-3) return min(MAX_SCORE, 3 + decades)
  const inside = 1 + (decades * (ratio - 1)) / ratio
  return inside <= 0 ? MAX_SCORE : min(MAX_SCORE, 3 + log(inside) / log(ratio))
}

function move(q: Float64Array, at: number, x: number): void {
  const q1 = q[at]
  const q2 = q[at + 1]
  const q3 = q[at + 2]
  const n = q[at + 3]
  const low = q2 - q1
  const high = q3 - q2
  const s1 = max(q1 + step(P[0], n, low / LN10, x > q1), LEAST_GAP)
  // a level that few points can have exceeded yet goes along with the one below, which knows more
  const drag2 = (DRAG / (DRAG + P[1] * n)) * (s1 / q1 - 1) * q2
  const r2 = q2 + drag2 + step(P[1], n, (low + high) / 2 / LN10, x > q2)
  const s2 = max(r2, s1 * (1 + LEAST_GAP))
  const drag3 = (DRAG / (DRAG + P[2] * n)) * (s2 - q2 + ((s2 - s1) / low - 1) * high)
  const r3 = q3 + drag3 + step(P[2], n, high / LN10, x > q3)
  q[at] = s1
  q[at + 1] = s2
  q[at + 2] = max(r3, s2 * (1 + LEAST_GAP))
  q[at + 3] = n + 1
}

function step(p: number, n: number, scale: number, exceeded: boolean): number {
  const gain = min(LARGEST_GAIN, max(LEAST_GAIN, HASTE / (1 + p * n)))
  return gain * scale * (exceeded ? 1 - p : -p)
}
