import { z } from 'zod'
import type { Batch } from '../../../runtime/batch'
import { ConnectError, type ConnectError as RowError } from '../../../runtime/errors'
import { columnName } from '../../../runtime/fields'
import { type Detector, type DetectorContext, defineDetector, type Explanation, type Point } from '../../../runtime/plugin'
import { type Schema, typeName } from '../../../runtime/schema'
import { compileDerivation, compilePredicate, type Derivation, type Predicate } from '../../cel/expression'
import { numbersOf } from '../numbers'
import { requireNumbers } from './numbers'

const config = z
  .strictObject({
    if: z
      .string()
      .min(1)
      .optional()
      .describe('CEL expression of type bool over the columns. Without `score`, it is an alarm wherever it holds.')
      .meta({ examples: ['bad > 0.2 * n', 'night_bytes > 5e7'] }),
    score: z
      .string()
      .min(1)
      .optional()
      .describe('CEL expression of a number: the score itself, where `if` holds. Compared with the threshold like any other.')
      .meta({ examples: ['bad / n * 10.0'] }),
    features: z
      .array(columnName())
      .prefault([])
      .describe('Numeric columns that stand in the anomaly record; they do not change the score.'),
  })
  .refine(c => c.if !== undefined || c.score !== undefined, 'give `if`, `score` or both')

export const threshold = defineDetector({
  name: 'threshold',
  status: 'beta',
  since: '0.1.0',
  summary: 'A rule: an alarm where an expression holds.',
  description:
    'An expression over the columns of a window or record, without memory and without warm-up. `if` alone gives an alarm wherever it ' +
    'holds, with a score of at least 4 and at least the threshold of the flow. `score` gives the score itself; null counts as 0. A ' +
    'record for which an expression fails is rejected with D012.',
  config,
  examples: [
    {
      title: 'Too much garbage',
      yaml: `name: garbage
flows:
  detect:
    source:
      type: generate
      count: 100
      start: 2024-01-01T00:00:00Z
      interval: 5m
      keys: { column: device, count: 2, prefix: d- }
      fields:
        n: { type: uniform, min: 90, max: 110 }
        bad: { type: uniform, min: 0, max: 25 }
    transforms:
      - type: score
        keys: [device]
        time: ts
        detectors:
          garbage: { type: threshold, if: bad > 0.2 * n, features: [bad, n] }
    sink: { type: stdout }
`,
    },
  ],
  conformance: { config: { if: 'bytes > 150000' } },
  create: (options, context) => new Threshold(options, context),
})

class Threshold implements Detector {
  readonly features: readonly string[]
  readonly output: 'score' | 'verdict'
  readonly #predicate: Predicate | null
  readonly #derivation: Derivation | null
  /** By row of the prepared batch. */
  #scores = new Float64Array(0)

  constructor(options: z.output<typeof config>, { name, schema }: DetectorContext) {
    const at = `detectors.${name}`
    this.features = requireNumbers(schema, options.features, `${at}.features`)
    this.#predicate = options.if === undefined ? null : compilePredicate(options.if, schema, `${at}.if`)
    this.#derivation = options.score === undefined ? null : scoreOf(options.score, schema, `${at}.score`)
    this.output = this.#derivation === null ? 'verdict' : 'score'
  }

  prepare(batch: Batch, onFailure: (row: number, error: RowError) => void): void {
    const scores = new Float64Array(batch.length)
    const rows = this.#predicate ? this.#predicate.select(batch, onFailure).rows : null
    if (this.#derivation === null) {
      if (rows) for (const row of rows) scores[row] = 1
    } else {
      const narrowed = rows === null ? batch : { ...batch, selection: rows }
      const { column } = this.#derivation.compute(narrowed, onFailure)
      const values = numbersOf(column, batch.length)
      if (rows === null) scores.set(values.subarray(0, batch.length))
      else for (const row of rows) scores[row] = values[row]
    }
    this.#scores = scores
  }

  score({ row }: Point): number {
    // a null counts as 0
    return Math.max(this.#scores[row] || 0, 0)
  }

  explain(_point: Point, out: Explanation): void {
    for (const part of [out.expected, out.lower, out.upper, out.contribution]) part.fill(Number.NaN)
  }

  grow(): void {}
  learn(): void {}
  keep(): void {}

  snapshot(): Buffer {
    return Buffer.alloc(0)
  }

  restore(): void {}
}

function scoreOf(text: string, schema: Schema, where: string): Derivation {
  const derivation = compileDerivation('score', text, schema, where)
  const { type } = derivation.field
  if (type.kind === 'f64' || type.kind === 'i64') return derivation
  throw new ConnectError('C020_TYPE_MISMATCH', `${where}: a score is a number, this is ${typeName(type)}`)
}
