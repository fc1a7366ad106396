import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { type Bench, runResult, startBench } from '../support/connect'

/** Windows of the Numenta Anomaly Benchmark, from files through Kafka to the views, against a computation over the files. */

const MINUTE = 60_000
const EXAMPLE = path.resolve(__dirname, '../../config/examples/nab.yaml')
const folder = [process.env.NAB_DIR, path.resolve(__dirname, '../../../shared/data/nab')].find(
  c => c !== undefined && existsSync(path.join(c, 'realAWSCloudwatch')),
)
if (folder === undefined) process.stderr.write('skipped: windows of the benchmark (set NAB_DIR to a copy of its data folder)\n')
const whole = folder === undefined ? test.skip : test

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench?.stop())

/** `series end n min max` of every window, by hand. */
function windowsOf(data: string, size: number, slide: number): readonly string[] {
  const windows = new Map<string, number[]>()
  const dir = path.join(data, 'realAWSCloudwatch')
  for (const name of readdirSync(dir).filter(n => n.endsWith('.csv'))) {
    for (const line of readFileSync(path.join(dir, name), 'utf8').trim().split(/\r?\n/).slice(1)) {
      const [time, value] = line.split(',')
      const at = Date.parse(`${time.replace(' ', 'T')}Z`)
      for (let end = at - (at % slide) + slide; end <= at - (at % slide) + size; end += slide) {
        const key = `${name.slice(0, -4)} ${end}`
        const values = windows.get(key)
        if (values) values.push(Number(value))
        else windows.set(key, [Number(value)])
      }
    }
  }
  return [...windows].map(([key, v]) => `${key} ${v.length} ${Math.min(...v)} ${Math.max(...v)}`).sort()
}

whole('5-minute and sliding 15-minute windows of 17 series equal the files; a second run changes nothing', async () => {
  const topic = bench.unique('views-cloudwatch')
  const columns = 'keys: [series], delay: 10m, columns: {n: count(), low: min(value), high: max(value)}'
  const text = readFileSync(EXAMPLE, 'utf8')
    .replace('name: nab\n', `name: ${bench.unique('views')}\n`)
    .replace('name: cloudwatch\n', `name: ${topic}\n`)
    .replace('[cloudwatch]', `[${topic}]`)
    .replace('name: cloudwatch,', `name: ${topic},`)
  const views = `\nviews:\n  m5: {from: metrics, size: 5m, ${columns}}\n  m15: {from: metrics, size: 15m, slide: 5m, lateness: 10m, ${columns}}\n`
  const file = bench.file('views.yaml', text.includes('\nviews:') ? text : text + views)
  const run = async () => {
    const outcome = await bench.run(file, ['--until-caught-up'], { NAB_DIR: folder ?? '' })
    expect(outcome.code).toBe(0)
    return (runResult(outcome) as unknown as { readonly views: unknown }).views
  }
  const table = async (view: string): Promise<readonly string[]> => {
    const rows = await bench.sql(`SELECT series, toUnixTimestamp64Milli(window_end) AS end, n, low, high FROM {db}.${view}`)
    return rows.map(r => `${r.series} ${r.end} ${r.n} ${Number(r.low)} ${Number(r.high)}`).sort()
  }
  await run()
  expect(await table('m5')).toEqual(windowsOf(folder ?? '', 5 * MINUTE, 5 * MINUTE))
  expect(await table('m15')).toEqual(windowsOf(folder ?? '', 15 * MINUTE, 5 * MINUTE))
  const none = { windows: 0, revisions: 0, late: 0, reopened: 0 }
  expect(await run()).toEqual({ m5: none, m15: none })
})
