import { ConnectError } from '../errors'
import type { Detector, DetectorDeclaration, Point } from '../plugin'
import { field, type Schema } from '../schema'
import { SUITE_SCHEMA, suiteBatch } from './batches'
import { check, checkEqual, type Test } from './test'

const KEYS = 5
const POINTS = 400

/** What the score transform relies on in every detector. */
export function detectorTests(declaration: DetectorDeclaration): readonly Test[] {
  const schema = declaration.conformance.schema ?? SUITE_SCHEMA
  const create = (of: Schema = schema): Detector => {
    check(declaration.conformance.config !== undefined, 'give conformance.config, or skip the group "detector" with the reason')
    const config = declaration.config.parse(declaration.conformance.config)
    const detector = declaration.create(config, { name: 'conformance', schema: of })
    detector.grow(KEYS)
    detector.prepare?.(suiteBatch(schema, POINTS, null), (_, error) => {
      throw error
    })
    return detector
  }
  return [
    {
      name: 'detector: gives numbers that are not negative, or NOT_READY',
      run: () => {
        for (const score of run(create(), 0, POINTS)) check(Number.isNaN(score) || score >= 0, `it gave the score ${score}`)
      },
    },
    {
      name: 'detector: changes nothing when it scores or explains',
      run: () => {
        const detector = create()
        run(detector, 0, POINTS / 2)
        const before = detector.snapshot()
        const point = pointAt(detector, POINTS / 2)
        const first = detector.score(point)
        const part = (): Float64Array => new Float64Array(detector.features.length)
        detector.explain(point, { expected: part(), lower: part(), upper: part(), contribution: part() })
        checkEqual(detector.score(point), first, 'the score of the same point again')
        check(detector.snapshot().equals(before), 'the state changed')
      },
    },
    {
      name: 'detector: goes on from a snapshot to the bit',
      run: () => {
        const whole = create()
        const scores = run(whole, 0, POINTS)
        const first = create()
        run(first, 0, POINTS / 2)
        const second = create()
        second.restore(first.snapshot())
        checkEqual(run(second, POINTS / 2, POINTS), scores.slice(POINTS / 2), 'the scores after a restore')
        check(second.snapshot().equals(whole.snapshot()), 'the state after a restore differs')
      },
    },
    {
      name: 'detector: keeps the keys apart, and those it is told to keep',
      run: () => {
        const whole = create()
        const scores = run(whole, 0, POINTS)
        const kept = Int32Array.of(1, 3)
        const detector = create()
        run(detector, 0, POINTS / 2)
        detector.keep(kept)
        for (let i = POINTS / 2; i < POINTS; i++) {
          const now = kept.indexOf(i % KEYS)
          if (now < 0) continue
          const point = pointAt(detector, i)
          point.key = now
          checkEqual(detector.score(point), scores[i], `the score of point ${i} under its new id`)
          detector.learn(point)
        }
      },
    },
    {
      name: 'detector: refuses a schema without its columns',
      run: () => {
        try {
          const other = create({ fields: [field('some_other_column', 'i32')] })
          checkEqual(other.features.length, 0, 'the number of features of a detector that needs no columns')
        } catch (error) {
          check(error instanceof ConnectError, `create threw ${String(error)}, not a ConnectError`)
          check(error.code.startsWith('C0'), `create threw ${error.code}; what a configuration gets wrong has a C code`)
        }
      },
    },
  ]
}

/** Scores and learns points from..to of a fixed series: values that a linear congruence spreads over 0..1, some nulls. */
function run(detector: Detector, from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, i) => {
    const point = pointAt(detector, from + i)
    const score = detector.score(point)
    detector.learn(point)
    return score
  })
}

function pointAt(detector: Detector, i: number): Point {
  const x = Float64Array.from(detector.features, (_, f) => {
    if (i % 37 === 5) return Number.NaN
    const spread = ((i * 7919 + f * 104_729) % 1009) / 1009
    return i % 101 === 50 ? spread + 10 : spread
  })
  return { key: i % KEYS, time: 1_700_000_000_000 + i * 60_000, row: i, x }
}
