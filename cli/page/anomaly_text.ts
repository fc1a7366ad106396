/** An anomaly in words, for the verdict, the list and whoever reads the feed. */

/** What a detector says about one feature; null: it does not know. */
export interface FeatureWords {
  readonly value: number | null
  readonly expected: number | null
  readonly lower: number | null
  readonly upper: number | null
  /** Share of the score, 0 to 1. */
  readonly contribution: number | null
}

export type Features = Readonly<Record<string, FeatureWords>>

/** The feature that a reader must be told, with its name: one outside of what was expected, else the one that weighs most. Null: none. */
export function strangest(features: Features): readonly [name: string, feature: FeatureWords] | null {
  const all = Object.entries(features).sort(([, a], [, b]) => (b.contribution ?? 0) - (a.contribution ?? 0))
  return all.find(([, f]) => isOutside(f)) ?? all[0] ?? null
}

/**
 * What was seen, and what was expected instead. `was`: when that was, in milliseconds since 1970, where it is no longer so; it stands
 * in the text as ISO 8601, for the page to tell it in the reader's time.
 */
export function whatOf(
  { detector, features, score }: { detector: string; features: Features; score: number },
  was: number | null = null,
): string {
  const found = strangest(features)
  const at = was === null ? '' : ` at ${new Date(was).toISOString()}`
  if (!found) return `rule ${detector}${at}`
  const [name, feature] = found
  const seen = `${name} ${was === null ? 'is' : 'was'} ${feature.value === null ? 'missing' : short(feature.value)}${at}`
  if (isOutside(feature)) return `${seen}, expected ${rangeOf(feature)}`
  // neither too high nor too low: a rule said so, or its course is what is new
  if (feature.lower === null && feature.upper === null) return `${seen} (rule ${detector})`
  return `${seen} (usual is ${rangeOf(feature)}; ${detector}, score ${score.toFixed(1)})`
}

const isOutside = ({ value, lower, upper }: FeatureWords): boolean =>
  value !== null && ((lower !== null && value < lower) || (upper !== null && value > upper))

function rangeOf({ lower, upper }: FeatureWords): string {
  if (lower !== null && upper !== null) return `${short(lower)} to ${short(upper)}`
  return upper !== null ? `at most ${short(upper)}` : `at least ${short(lower ?? 0)}`
}

/** Three digits that mean something; all digits before the point. */
const short = (n: number): string =>
  Math.abs(n) >= 1000 ? Math.round(n).toLocaleString('en-US') : String(Number(n.toPrecision(3)))
