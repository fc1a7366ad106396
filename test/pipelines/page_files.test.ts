import { CHROMIUM, openBrowser } from '../support/browser'
import { type Bench, CONNECTIONS, type RunningConnect, startBench } from '../support/connect'
import { normals, seeded } from '../support/seeded'
import { describeUnless } from '../support/skip'

/** The page over files that were read to their end: what was found in them is told, and shown, however long before the end it lies. */

const START = Date.UTC(2026, 0, 1)
const MINUTE = 60_000
/** Ten hours after it there are only windows as expected. */
const BURST = START + 14 * 60 * MINUTE

let bench: Bench
let worker: RunningConnect
beforeAll(async () => {
  bench = await startBench()
})
afterAll(async () => {
  worker?.child.kill('SIGTERM')
  await worker?.ended.catch(() => {})
  await bench?.stop()
})

function readings(): string {
  const normal = normals(seeded(3))
  const lines = Array.from({ length: 24 * 60 }, (_, i) => START + i * MINUTE).flatMap(ts =>
    ['db', 'web'].map(host => {
      const high = host === 'db' && ts >= BURST && ts < BURST + 3 * MINUTE
      return `${new Date(ts).toISOString()},${host},${(50 + normal() + (high ? 40 : 0)).toFixed(2)}`
    }),
  )
  return `ts,host,cpu\n${lines.join('\n')}\n`
}

describeUnless(CHROMIUM ? null : 'there is no Chromium (CHROMIUM_PATH names one)', 'the page over files')('in a browser', () => {
  test('a burst hours before the end of the data is told as over, and its card shows it', async () => {
    const name = bench.identifier('files')
    bench.file('readings.csv', readings())
    const file = bench.file(
      `${name}.yaml`,
      `name: ${name}
${CONNECTIONS}flows:
  ingest:
    source: {type: file, path: readings.csv, schema: {ts: timestamp(ms), host: utf8, cpu: f64}, time: ts}
    sink: {type: clickhouse, table: ${name}, time: ts, order_by: [host, ts]}
  detect:
    source: {type: view, view: ${name}_5m}
    transforms:
      - {type: score, detectors: {level: {type: ewma, features: [mean, peak], warmup: 60}}, threshold: 6}
    sink: {type: kafka, topic: {name: ${name}-anomalies, config: {retention.ms: "-1"}}}
views:
  ${name}_5m: {from: ${name}, size: 5m, slide: 1m, keys: [host], columns: {mean: avg(cpu), peak: max(cpu)}}
`,
    )
    worker = bench.startRun(file, ['--log-level', 'info'])
    const [, address] = await worker.says(/at (http:\/\/127\.0\.0\.1:\d+)$/m)
    await worker.says(/ingest: finished/)
    const browser = await openBrowser(CHROMIUM as string)
    try {
      const page = await browser.context.newPage()
      await page.goto(address)
      await page.waitForSelector('#verdict[data-level="warning"] h1:text-is("db looked wrong")')
      expect(await page.textContent('.finding')).toMatch(/^earlierdb in \S+: (mean|peak) was [\d.]+ at /)
      const card = `.card[data-key='["db"]']`
      await page.waitForSelector(`.card:first-child${card}:not([data-markers="0"])[data-markers]`)
      expect(await page.textContent(`${card} .note`)).not.toContain('outside')
      // the value of that window, not of the last one
      expect(Number(await page.textContent(`${card} .latest strong`))).toBeGreaterThan(60)
      // of the other the latest windows
      expect(Number(await page.textContent(`.card:not(${card}) .latest strong`))).toBeLessThan(60)
    } finally {
      await browser.close()
    }
  })
})
