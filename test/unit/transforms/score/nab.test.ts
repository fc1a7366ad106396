import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Point } from '../../../../runtime/plugin'
import { Calibrator } from '../../../../transforms/score/calibrate'
import { novelty } from '../../../../transforms/score/detectors/novelty'
import { schemaOf } from '../../../support/batches'
import { testUnless } from '../../../support/skip'

/** The AWS CloudWatch series of the Numenta Anomaly Benchmark with their labels, where NAB_DIR names them. */
const folder = process.env.NAB_DIR
const labels = [folder && path.join(folder, 'labels'), folder && path.join(folder, '..', 'labels')]
  .map(dir => dir && path.join(dir, 'combined_windows.json'))
  .find(file => file && existsSync(file))

const onNab = testUnless(
  folder && labels ? null : 'set NAB_DIR to its data folder, with labels',
  'detection on the Numenta benchmark',
)
onNab('novelty finds half of the labelled anomalies of NAB_DIR and little else', () => {
  const wanted = JSON.parse(readFileSync(labels!, 'utf8')) as Record<string, [string, string][]>
  const at = (text: string): number => Date.parse(`${text.slice(0, 19).replace(' ', 'T')}Z`)
  let windows = 0
  let hit = 0
  let rows = 0
  let outside = 0
  for (const file of readdirSync(path.join(folder!, 'realAWSCloudwatch'))) {
    const detector = novelty.create(novelty.config.parse({ features: ['value'] }) as never, {
      name: 'd',
      schema: schemaOf({ value: 'f64' }),
    })
    const calibrator = new Calibrator()
    detector.grow(1)
    calibrator.grow(1)
    const spans = (wanted[`realAWSCloudwatch/${file}`] ?? []).map(([from, to]) => [at(from), at(to)] as const)
    const found = new Set<number>()
    const point: Point = { key: 0, time: 0, row: 0, x: new Float64Array(1) }
    for (const line of readFileSync(path.join(folder!, 'realAWSCloudwatch', file), 'utf8')
      .trim()
      .split(/\r?\n/)
      .slice(1)) {
      const [time, value] = line.split(',')
      point.time = at(time)
      point.x[0] = Number(value)
      const raw = detector.score(point)
      if (!Number.isNaN(raw)) {
        if (calibrator.score(0, raw) >= 2.5) {
          const span = spans.findIndex(([from, to]) => point.time >= from && point.time <= to)
          if (span >= 0) found.add(span)
          else outside++
        }
        calibrator.learn(0, raw)
      }
      detector.learn(point)
      rows++
    }
    windows += spans.length
    hit += found.size
  }
  expect(hit / windows).toBeGreaterThan(0.5)
  expect(outside / rows).toBeLessThan(0.01)
})
