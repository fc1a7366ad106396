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

/** A verdict as far as words are made of it. `rule`: the expression of a rule, null where the detector is none or it is not known. */
export interface Told {
  readonly detector: string
  readonly features: Features
  readonly score: number
  readonly rule: string | null
}

/** What was seen, and what was expected instead; without a tense, for a list whose windows may be over. */
export const whatOf = (told: Told): string => words(told, '', '')

/**
 * The same as a sentence. `was`: when that was, in milliseconds since 1970, where it is no longer so; it stands in the text as
 * ISO 8601, for the page to tell it in the reader's time.
 */
export const sentenceOf = (told: Told, was: number | null): string =>
  was === null ? words(told, ' is', '') : words(told, ' was', ` at ${new Date(was).toISOString()}`)

function words({ detector, features, score, rule }: Told, verb: string, at: string): string {
  const found = strangest(features)
  const named = rule === null ? `rule ${detector}` : `rule ${detector}: ${rule}`
  if (!found) return `${named}${at}`
  const [name, feature] = found
  const seen = `${name}${verb} ${feature.value === null ? 'missing' : short(feature.value)}${at}`
  if (isOutside(feature)) return `${seen}, expected ${rangeOf(feature)}`
  // neither too high nor too low: a rule said so, or its course is what is new
  if (feature.lower === null && feature.upper === null) return `${seen} (${named})`
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
