import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Bench, runResult, startBench } from '../support/connect'

/** The main job on the Numenta Anomaly Benchmark: files -> Avro in Kafka -> ClickHouse, by the example as it is shipped. */

const EXAMPLE = path.resolve(__dirname, '../../config/examples/nab.yaml')
const TOTAL = 67_740

/** The data of the benchmark, where it is. */
const nab = (): string | null => {
  const candidates = [process.env.NAB_DIR, path.resolve(__dirname, '../../../shared/data/nab')]
  return candidates.find(c => c !== undefined && existsSync(path.join(c, 'realAWSCloudwatch'))) ?? null
}

interface Point {
  readonly series: string
  readonly timestamp: number
  readonly value: number
}

/** Read by hand: two columns without quotes, times in UTC without a zone. */
function pointsOf(folder: string): readonly Point[] {
  return readdirSync(path.join(folder, 'realAWSCloudwatch'))
    .filter(name => name.endsWith('.csv'))
    .flatMap(name => {
      const [header, ...lines] = readFileSync(path.join(folder, 'realAWSCloudwatch', name), 'utf8')
        .trim()
        .split(/\r?\n/)
      expect(header).toBe('timestamp,value')
      return lines.map(line => {
        const [time, value] = line.split(',')
        return { series: name.slice(0, -4), timestamp: Date.parse(`${time.replace(' ', 'T')}Z`), value: Number(value) }
      })
    })
}

/** As text, so that doubles and duplicates are compared exactly. */
const sorted = (points: readonly Point[]): readonly string[] => points.map(p => `${p.series} ${p.timestamp} ${p.value}`).sort()

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench?.stop())

/** The example under names of this run, because a real cluster keeps what earlier runs wrote. */
function example(name: string): { file: string; topic: string } {
  const topic = bench.unique(`${name}-cloudwatch`)
  const text = readFileSync(EXAMPLE, 'utf8')
    .replace('name: nab\n', `name: ${bench.unique(name)}\n`)
    .replace('name: cloudwatch\n', `name: ${topic}\n`)
    .replace('[cloudwatch]', `[${topic}]`)
    .replace('table: metrics', `table: ${name}`)
  expect(text).not.toContain('cloudwatch]')
  return { file: bench.file(`${name}.yaml`, text), topic }
}

async function movesAll(name: string, folder: string): Promise<void> {
  const expected = sorted(pointsOf(folder))
  const { file, topic } = example(name)
  const outcome = await bench.run(file, ['--until-caught-up'], { NAB_DIR: folder })
  // a broker that has just started may ask to begin again, which must not show in the numbers
  const all = { read: expected.length, written: expected.length, filtered: 0, dead_lettered: 0 }
  expect({ code: outcome.code, ...runResult(outcome).flows }).toMatchObject({ code: 0, publish: all, ingest: all })

  const table = async (): Promise<readonly string[]> => {
    const rows = await bench.sql(`SELECT series, toUnixTimestamp64Milli(timestamp) AS timestamp, value FROM {db}.${name}`)
    return sorted(rows.map(r => ({ series: String(r.series), timestamp: Number(r.timestamp), value: Number(r.value) })))
  }
  expect(await table()).toEqual(expected)

  const ends = await bench.endOffsets(topic)
  const again = await bench.run(file, ['--until-caught-up'], { NAB_DIR: folder })
  expect({ code: again.code, flows: runResult(again).flows }).toMatchObject({
    code: 0,
    flows: { publish: { read: 0, written: 0 }, ingest: { read: 0, written: 0 } },
  })
  expect(await bench.endOffsets(topic)).toEqual(ends)
  expect(await table()).toEqual(expected)

  const records = await bench.records(topic)
  const decoded = await Promise.all(
    records.map(async r => {
      const value = (await bench.schemas.decode(r.value ?? Buffer.alloc(0))) as Record<string, unknown>
      expect(r.key?.toString()).toBe(value.series)
      return { series: String(value.series), timestamp: Number(value.timestamp), value: Number(value.value) }
    }),
  )
  expect(sorted(decoded)).toEqual(expected)
  // years old, and nothing may delete them
  const admin = bench.client.admin()
  await admin.connect()
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 2, name: topic, configNames: ['retention.ms'] }],
  })
  await admin.disconnect()
  expect(resources[0].configEntries.map(e => e.configValue)).toEqual(['-1'])
}

const found = nab()
if (found === null) process.stderr.write('skipped: the whole benchmark (set NAB_DIR to a copy of its data folder)\n')
const whole = found === null ? test.skip : test
whole('17 series of the benchmark reach topic and table value by value, once', async () => {
  expect(pointsOf(found ?? '')).toHaveLength(TOTAL)
  await movesAll('nab', found ?? '')
})

test('a small set of the same kind does, with equal times and equal rows', async () => {
  const folder = path.join(bench.folder, 'small')
  mkdirSync(path.join(folder, 'realAWSCloudwatch'), { recursive: true })
  for (let series = 0; series < 5; series++) {
    const lines = ['timestamp,value']
    for (let i = 0; i < 200 + series; i++) {
      // every third time twice, once with the same value and once with another
      const minute = i - (i % 3 === 1 ? 1 : 0)
      const time = new Date(Date.UTC(2014, 1, 14, 14, minute * (series + 1))).toISOString().slice(0, 19).replace('T', ' ')
      const value = [0.1 + 0.2, 51.846000000000004, -0, 1e-7, 9_007_199_254_740_992, 4.9e-324, 1.7976931348623157e308][
        (i + series) % 7
      ]
      lines.push(`${time},${i % 9 === 1 ? lines[i].split(',')[1] : value}`)
    }
    writeFileSync(path.join(folder, 'realAWSCloudwatch', `series_${series}.csv`), `${lines.join('\n')}\n`)
  }
  await movesAll('small', folder)
})
