import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Bench, runResult, startBench } from '../support/connect'
import { seeded } from '../support/seeded'
import { testUnless } from '../support/skip'

/**
 * The main job on the Numenta Anomaly Benchmark, by the example as it is shipped: files -> Avro in Kafka -> ClickHouse -> windows ->
 * scores -> anomalies in a topic and a table.
 */

const EXAMPLE = path.resolve(__dirname, '../../config/examples/nab.yaml')
const TOTAL = 67_740
const MINUTE = 60_000

/** The data of the benchmark, where it is. */
const { NAB_DIR } = process.env
const nab = NAB_DIR !== undefined && existsSync(path.join(NAB_DIR, 'realAWSCloudwatch')) ? NAB_DIR : null

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

/** `series end`: n, low, high, mean of every window with records, by hand. */
function windowsOf(points: readonly Point[], size: number, slide: number): ReadonlyMap<string, readonly number[]> {
  const windows = new Map<string, number[]>()
  for (const { series, timestamp, value } of points) {
    const pane = timestamp - (timestamp % slide)
    for (let end = pane + slide; end <= pane + size; end += slide) {
      const values = windows.get(`${series} ${end}`)
      if (values) values.push(value)
      else windows.set(`${series} ${end}`, [value])
    }
  }
  return new Map([...windows].map(([key, v]) => [key, [v.length, Math.min(...v), Math.max(...v), mean(v)]]))
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

let bench: Bench
const databases: string[] = []
beforeAll(async () => {
  bench = await startBench()
})
afterAll(async () => {
  for (const database of databases) await bench.command(`DROP DATABASE IF EXISTS ${database} SYNC`)
  await bench?.stop()
})

/** The example under names of its own, because a real cluster keeps what earlier runs wrote, and a database of its own. */
class Example {
  readonly pipeline: string
  readonly topic: string
  readonly anomalies: string
  readonly database: string
  readonly #file: string

  constructor(
    name: string,
    readonly folder: string,
  ) {
    this.pipeline = bench.unique(name)
    this.topic = `${this.pipeline}-cloudwatch`
    this.anomalies = `${this.pipeline}-anomalies`
    this.database = `${bench.database}_${name}`
    databases.push(this.database)
    const text = readFileSync(EXAMPLE, 'utf8')
      .replace(/^name: nab$/m, `name: ${this.pipeline}`)
      .replace('name: cloudwatch\n', `name: ${this.topic}\n`)
      .replace('[cloudwatch]', `[${this.topic}]`)
      .replaceAll('name: nab.anomalies', `name: ${this.anomalies}`)
      .replace('[nab.anomalies]', `[${this.anomalies}]`)
    expect(text).not.toMatch(/(\[|name: )(cloudwatch|nab\.anomalies)\b/)
    this.#file = bench.file(`${name}.yaml`, text)
  }

  async run() {
    const outcome = await bench.run(this.#file, ['--until-caught-up'], {
      NAB_DIR: this.folder,
      CLICKHOUSE_DATABASE: this.database,
    })
    if (outcome.code !== 0) throw new Error(`exit code ${outcome.code}: ${outcome.stderr.slice(-4_000)}`)
    return runResult(outcome)
  }

  async rows(): Promise<readonly string[]> {
    const rows = await bench.sql(
      `SELECT series, toUnixTimestamp64Milli(timestamp) AS timestamp, value FROM ${this.database}.metrics`,
    )
    return sorted(rows.map(r => ({ series: String(r.series), timestamp: Number(r.timestamp), value: Number(r.value) })))
  }

  /** As `windowsOf`. */
  async windows(view: string): Promise<ReadonlyMap<string, readonly number[]>> {
    const rows = await bench.sql(
      `SELECT series, toUnixTimestamp64Milli(window_end) AS end, n, low, high, mean FROM ${this.database}.${view}`,
    )
    expect(new Set(rows.map(r => `${r.series} ${r.end}`)).size).toBe(rows.length)
    return new Map(rows.map(r => [`${r.series} ${r.end}`, [r.n, r.low, r.high, r.mean].map(Number)]))
  }

  /** Anomalies as an independent consumer reads them, without the names of this run. */
  async found(): Promise<readonly Anomaly[]> {
    const records = await bench.records(this.anomalies)
    return Promise.all(
      records.map(async r => {
        const anomaly = (await bench.decode(r)) as Anomaly
        expect(r.key?.toString()).toBe(anomaly.id)
        return { ...anomaly, pipeline: '' }
      }),
    )
  }
}

interface Anomaly {
  readonly id: string
  readonly pipeline: string
  readonly view: string
  readonly detector: string
  readonly status: string
}

const texts = (anomalies: readonly Anomaly[]): readonly string[] => anomalies.map(a => JSON.stringify(a)).sort()

/** Sums depend on the order of their terms; everything else is equal to the last bit. */
function expectWindows(
  actual: ReadonlyMap<string, readonly number[]>,
  expected: ReadonlyMap<string, readonly number[]>,
  withMean: boolean,
) {
  const plain = (windows: ReadonlyMap<string, readonly number[]>) =>
    [...windows].map(([key, [n, low, high]]) => `${key} ${n} ${low} ${high}`).sort()
  expect(plain(actual)).toEqual(plain(expected))
  if (!withMean) return
  const off = [...expected].filter(([key, [, low, high, mean]]) => {
    const distance = Math.abs((actual.get(key)?.[3] ?? Number.NaN) - mean)
    return !(distance <= 1e-12 * Math.max(Math.abs(low), Math.abs(high)))
  })
  expect(off).toEqual([])
}

interface Options {
  /** Means of values near the largest double are infinite. */
  readonly means: boolean
}

async function movesAll(name: string, folder: string, { means }: Options): Promise<readonly Anomaly[]> {
  const points = pointsOf(folder)
  const expected = sorted(points)
  const example = new Example(name, folder)
  const first = await example.run()
  // a broker that has just started may ask to begin again, which must not show in the numbers
  const all = { read: expected.length, written: expected.length, filtered: 0, dead_lettered: 0 }
  expect(first.flows).toMatchObject({ publish: all, ingest: all })
  expect(await example.rows()).toEqual(expected)

  const m5 = windowsOf(points, 5 * MINUTE, 5 * MINUTE)
  const m15 = windowsOf(points, 15 * MINUTE, 5 * MINUTE)
  const ends = (windows: ReadonlyMap<string, unknown>) => new Set([...windows.keys()].map(key => key.split(' ')[1])).size
  expect(first.views).toEqual({
    metrics_5m: { windows: ends(m5), revisions: 0, late: 0, reopened: 0 },
    metrics_15m: { windows: ends(m15), revisions: 0, late: 0, reopened: 0 },
  })
  expectWindows(await example.windows('metrics_5m'), m5, means)
  expectWindows(await example.windows('metrics_15m'), m15, means)

  const table = async (): Promise<readonly unknown[]> => {
    const there = await bench.sql(`SELECT name FROM system.tables WHERE database = '${example.database}' AND name = 'anomalies'`)
    // the table is made from the first record's schema
    if (there.length === 0) return []
    const rows = await bench.sql(`SELECT id FROM ${example.database}.anomalies FINAL ORDER BY id`)
    return rows.map(r => r.id)
  }
  const state = async () => [await bench.endOffsets(example.topic), await bench.endOffsets(example.anomalies), await table()]

  // again: nothing changes
  const before = await state()
  const again = await example.run()
  expect(again.flows).toMatchObject({ publish: { read: 0, written: 0 }, ingest: { read: 0, written: 0 } })
  const none = { windows: 0, revisions: 0, late: 0, reopened: 0 }
  expect(again.views).toEqual({ metrics_5m: none, metrics_15m: none })
  expect(again.anomalies).toEqual({ raised: 0, revised: 0, retracted: 0, suppressed: 0, views: {} })
  expect(await state()).toEqual(before)
  expect(await example.rows()).toEqual(expected)
  expectWindows(await example.windows('metrics_15m'), m15, means)

  // an independent consumer, after the last run: to know the end it writes records of its own
  const anomalies = await example.found()
  const count = (status: string): number => anomalies.filter(a => a.status === status).length
  expect(first.anomalies).toMatchObject({
    raised: count('raised'),
    suppressed: count('suppressed'),
    revised: 0,
    retracted: 0,
  })
  expect(anomalies).toHaveLength(first.anomalies.raised + first.anomalies.suppressed)
  expect(await table()).toEqual(anomalies.map(a => a.id).sort())
  await readable(example, expected)
  return anomalies
}

/** An independent consumer reads the records, which stay although they are years old. */
async function readable({ topic, anomalies }: Example, expected: readonly string[]): Promise<void> {
  const records = await bench.records(topic)
  const decoded = await Promise.all(
    records.map(async r => {
      const value = (await bench.decode(r)) as Record<string, unknown>
      expect(r.key?.toString()).toBe(value.series)
      return { series: String(value.series), timestamp: Number(value.timestamp), value: Number(value.value) }
    }),
  )
  expect(sorted(decoded)).toEqual(expected)
  const admin = bench.client.admin()
  await admin.connect()
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [topic, anomalies].map(name => ({ type: 2, name, configNames: ['retention.ms'] })),
  })
  await admin.disconnect()
  expect(resources.map(r => r.configEntries.map(e => e.configValue))).toEqual([['-1'], ['-1']])
}

/** The same files once more, under other names and from the beginning, give the same anomalies. */
async function sameAgain(name: string, folder: string, anomalies: readonly Anomaly[]): Promise<void> {
  const example = new Example(name, folder)
  await example.run()
  expect(texts(await example.found())).toEqual(texts(anomalies))
}

const whole = testUnless(nab === null ? 'set NAB_DIR to a copy of its data folder' : null, 'the whole Numenta benchmark')
let wholeFound: readonly Anomaly[] | null = null
/** 20,000 windows and more are closed and scored in each run. */
const WHOLE_MS = 300_000
whole(
  '17 series of the benchmark reach topic, table and both views value by value, once, and have anomalies',
  async () => {
    expect(pointsOf(nab ?? '')).toHaveLength(TOTAL)
    wholeFound = await movesAll('nab', nab ?? '', { means: true })
    expect(new Set(wholeFound.map(a => a.view))).toEqual(new Set(['metrics_5m', 'metrics_15m']))
  },
  WHOLE_MS,
)
whole('from scratch they have the same anomalies', () => sameAgain('nab_again', nab ?? '', wholeFound ?? []), WHOLE_MS)

const folderOf = (name: string): string => {
  const folder = path.join(bench.folder, name)
  mkdirSync(path.join(folder, 'realAWSCloudwatch'), { recursive: true })
  return folder
}

const writeSeries = (folder: string, series: number, lines: readonly string[]): void =>
  writeFileSync(path.join(folder, 'realAWSCloudwatch', `series_${series}.csv`), `${['timestamp,value', ...lines].join('\n')}\n`)

const timeText = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')

test('a small set of the same kind: series with bursts are found, the same from scratch', async () => {
  const folder = folderOf('bursts')
  const random = seeded(11)
  for (let series = 0; series < 3; series++) {
    const lines: string[] = []
    for (let i = 0; i < 500; i++) {
      if (i % 50 === 7 * series) continue // gaps, and times off the grid
      const at = Date.UTC(2014, 1, 14, 0, 5 * i, (i * 13 * series) % 60)
      const burst = i >= 400 + 20 * series && i < 403 + 20 * series ? 60 : 0
      lines.push(`${timeText(at)},${20 + 5 * series + 2 * random() + burst}`)
    }
    writeSeries(folder, series, lines)
  }
  const anomalies = await movesAll('bursts', folder, { means: true })
  const names = (view: string) => new Set(anomalies.filter(a => a.view === view).map(a => a.id.split('|')[2]))
  for (const view of ['metrics_5m', 'metrics_15m']) {
    expect([view, names(view)]).toEqual([view, new Set(['series_0', 'series_1', 'series_2'])])
  }
  await sameAgain('bursts_again', folder, anomalies)
})

test('values at the edges of a double, equal times and equal rows arrive as they are', async () => {
  const folder = folderOf('edges')
  for (let series = 0; series < 5; series++) {
    const lines: string[] = []
    for (let i = 0; i < 200 + series; i++) {
      // every third time twice, once with the same value and once with another
      const minute = i - (i % 3 === 1 ? 1 : 0)
      const value = [0.1 + 0.2, 51.846000000000004, -0, 1e-7, 9_007_199_254_740_992, 4.9e-324, 1.7976931348623157e308][
        (i + series) % 7
      ]
      const at = Date.UTC(2014, 1, 14, 14, minute * (series + 1))
      lines.push(`${timeText(at)},${i % 9 === 1 ? lines[i - 1].split(',')[1] : value}`)
    }
    writeSeries(folder, series, lines)
  }
  expect(await movesAll('edges', folder, { means: false })).toEqual([])
})
