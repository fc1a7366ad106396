import { type Bench, CONNECTIONS, runResult, startBench } from '../support/connect'

/** The whole sentence: records through Kafka into ClickHouse, windows, scores, anomalies back into a topic and from there into a table. */

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench?.stop())

/** Three quiet devices for eight hours; some get a burst far above their noise. */
const pipeline = (name: string): string => `name: ${name}
${CONNECTIONS}flows:
  make:
    source:
      type: generate
      start: 2026-01-01T00:00:00Z
      for: 8h
      interval: 10s
      seed: 5
      keys: {column: device, count: 3, prefix: d}
      fields:
        cpu: {type: series, base: 40, noise: 1, burst: {every: 7h, for: 3m, add: 40}}
    sink: {type: kafka, topic: {name: ${name}, partitions: 2, config: {retention.ms: "-1"}}, key: [device], value: avro}
  ingest:
    source: {type: kafka, topics: [${name}], value: avro}
    sink: {type: clickhouse, table: ${name}, time: ts, order_by: [device, ts]}
  detect:
    source: {type: view, view: ${name}_1m}
    transforms:
      - {type: score, detectors: {level: {type: ewma, features: [mean], warmup: 60}}, threshold: 4}
    sink: {type: kafka, topic: {name: ${name}-anomalies, config: {retention.ms: "-1"}}}
  anomalies:
    source: {type: kafka, topics: [${name}-anomalies], value: avro}
    sink: {type: clickhouse, table: ${name}_anomalies, mode: upsert, version: rev, order_by: [window_end, id]}
views:
  ${name}_1m: {from: ${name}, size: 1m, keys: [device], columns: {n: count(), mean: avg(cpu)}, delay: 10s, lateness: 1m}
`

async function anomaliesOf(name: string): Promise<readonly unknown[]> {
  const outcome = await bench.run(bench.file(`${name}.yaml`, pipeline(name)))
  expect(outcome.code).toBe(0)
  const { flows, latency_ms } = runResult(outcome)
  expect(flows.make.written).toBe(3 * 8 * 360)
  // each row of the view once, though it comes when its window closes and again when that is final
  const [{ rows }] = await bench.sql(`SELECT count() AS rows FROM {db}.${name}_1m`)
  expect(flows.detect.read).toBe(Number(rows))
  expect(latency_ms).toEqual({ p50: null, p99: null })
  const records = await bench.records(`${name}-anomalies`)
  return Promise.all(records.map(bench.decode))
}

test('bursts are found, an independent consumer reads them, and a second run from scratch finds the same', async () => {
  const [first, second] = ['sentence_a', 'sentence_b'].map(bench.identifier)
  const found = (await anomaliesOf(first)) as { id: string; status: string; score: number; key: Record<string, string> }[]
  const raised = found.filter(a => a.status === 'raised')
  const bursts = await bench.sql(
    `SELECT device, toUnixTimestamp64Milli(window_end) AS end FROM {db}.${first}_1m WHERE mean > 50 ORDER BY device, end`,
  )
  // a burst within the warm-up belongs to what is learnt
  const warm = Date.parse('2026-01-01T02:00:00Z')
  const expected = new Set(bursts.filter(b => Number(b.end) > warm).map(b => b.device))
  expect(expected.size).toBeGreaterThan(0)
  expect(new Set(raised.map(a => a.key.device))).toEqual(expected)
  // every anomaly lies in a burst or in the minute after it, when the level falls back
  for (const { id } of raised) {
    const end = Number(id.split('|').at(-1))
    expect(
      bursts.some(b => id.includes(String(b.device)) && end - Number(b.end) >= 0 && end - Number(b.end) <= 10 * 60_000),
    ).toBe(true)
  }
  const [row] = await bench.sql(`SELECT uniqExact(id) AS ids FROM {db}.${first}_anomalies FINAL`)
  expect(Number(row.ids)).toBe(new Set(found.map(a => a.id)).size)

  const again = (await anomaliesOf(second)) as typeof found
  const plain = (name: string) => (a: object) => JSON.stringify(a).replaceAll(name, 'x')
  expect(again.map(plain(second)).sort()).toEqual(found.map(plain(first)).sort())
})
