import { type Bench, CONNECTIONS } from './connect'

export const DEVICES = 40
const MINUTE = 60_000
/** Event time of the first record and after the last generated one. */
const [START, END] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1, 3)]

/** Three hours of quiet devices through Kafka into windows and scores. */
export const pipeline = (name: string): string => `name: ${name}
${CONNECTIONS}flows:
  make:
    source:
      type: generate
      start: ${new Date(START).toISOString()}
      for: 3h
      interval: 30s
      seed: 5
      keys: {column: device, count: ${DEVICES}, prefix: d}
      fields: {cpu: {type: series, base: 40, spread: 5, noise: 1}}
    sink: {type: kafka, topic: {name: ${name}, partitions: 1, config: {retention.ms: "-1"}}, key: [device], value: avro}
  ingest:
    source: {type: kafka, topics: [${name}], value: avro}
    sink: {type: clickhouse, table: ${name}, time: ts, order_by: [device, ts]}
  detect:
    source: {type: view, view: ${name}_1m}
    transforms:
      - {type: score, detectors: {level: {type: ewma, features: [peak, mean], warmup: 60}}, threshold: 4}
    sink: {type: kafka, topic: {name: ${name}-anomalies, config: {retention.ms: "-1"}}}
views:
  ${name}_1m: {from: ${name}, size: 1m, keys: [device], columns: {n: count(), mean: avg(cpu), peak: max(cpu), last: "argMax(device, ts)"}, delay: 10s, lateness: 3m}
`

/** Three minutes in which one device is far above what it was, and two more in which it is not. */
export async function burst(bench: Bench, name: string, device: string): Promise<void> {
  const id = await bench.schemas.getLatestSchemaId(`${name}-value`)
  const { schema } = (await (await fetch(`${bench.registry.address}/schemas/ids/${id}`)).json()) as { schema: string }
  const perMs = schema.includes('timestamp-micros') ? 1000 : 1
  const means = await bench.sql(`SELECT device, avg(cpu) AS mean FROM {db}.${name} GROUP BY device`)
  const producer = bench.client.producer()
  await producer.connect()
  const rows = Array.from({ length: 10 }, (_, i) => END + i * 30_000).flatMap(ts =>
    means.map(({ device: key, mean }) => ({
      ts,
      device: String(key),
      cpu: key === device && ts < END + 3 * MINUTE ? 95 : Number(mean),
    })),
  )
  const messages = await Promise.all(
    rows.map(async r => ({
      key: r.device,
      timestamp: String(r.ts),
      value: await bench.schemas.encode(id, { ...r, ts: r.ts * perMs }),
    })),
  )
  await producer.send({ topic: name, messages })
  await producer.disconnect()
}
