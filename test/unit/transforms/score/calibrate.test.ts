import type { Point } from '../../../../runtime/plugin'
import { Calibrator } from '../../../../transforms/score/calibrate'
import { ewma } from '../../../../transforms/score/detectors/ewma'
import { schemaOf } from '../../../support/batches'
import { normals, seeded } from '../../../support/seeded'

/** The claim behind every score: on clean data a score of s or more comes with probability 10^-s, within a factor of two. */

const { isNaN: missing } = Number
const { log, sqrt } = Math

type Sampler = (random: () => number) => () => number

const DISTRIBUTIONS: Readonly<Record<string, Sampler>> = {
  normal: normals,
  exponential: random => () => -log(1 - random()),
  uniform: random => random,
  't with 5 degrees of freedom': random => {
    const normal = normals(random)
    return () => normal() / sqrt((normal() ** 2 + normal() ** 2 + normal() ** 2 + normal() ** 2 + normal() ** 2) / 5)
  },
  'AR(1) with 0.8': random => {
    const normal = normals(random)
    let x = 0
    return () => {
      x = 0.8 * x + normal()
      return x
    }
  },
}

const KEYS = 10
const SETTLE = 6_000
const COUNTED = 20_000

/** Share of points that score 1, 2, 3, 4 or more, over several keys of different scale, once they have settled. */
function alarmRates(make: Sampler, seed: number, direction: string): readonly number[] {
  const config = ewma.config.parse({ features: ['v'], direction })
  const detector = ewma.create(config as never, { name: 'd', schema: schemaOf({ v: 'f64' }) })
  const calibrator = new Calibrator()
  detector.grow(KEYS)
  calibrator.grow(KEYS)
  const samplers = Array.from({ length: KEYS }, (_, k) => make(seeded(seed * 1000 + k)))
  const point: Point = { key: 0, time: 0, row: 0, x: new Float64Array(1) }
  const counts = [0, 0, 0, 0]
  for (let i = 0; i < SETTLE + COUNTED; i++) {
    for (let key = 0; key < KEYS; key++) {
      point.key = key
      point.x[0] = 100 * key + (key + 1) * samplers[key]()
      const raw = detector.score(point)
      if (!missing(raw)) {
        const score = calibrator.score(key, raw)
        if (i >= SETTLE) for (let s = 0; s < 4; s++) if (score >= s + 1) counts[s]++
        calibrator.learn(key, raw)
      }
      detector.learn(point)
    }
  }
  return counts.map(n => n / (KEYS * COUNTED))
}

test.each(Object.entries(DISTRIBUTIONS))('%s values alarm as often as a score says', (_, make) => {
  for (const [i, rate] of alarmRates(make, 7, 'both').entries()) {
    const factor = rate / 10 ** -(i + 1)
    expect(factor).toBeGreaterThan(0.5)
    expect(factor).toBeLessThan(2)
  }
})
