import type { Bench } from './connect'

/** A pipeline that puts `count` readings of five devices, numbered from 0, into a topic as Avro, and about half of them into a table `events`. */
export const eventsPipeline = (bench: Bench, topic: string, count: number): string =>
  bench.pipeline(
    'events',
    `  publish:
    source:
      type: generate
      count: ${count}
      start: 2024-01-01T00:00:00Z
      keys: {column: device, count: 5, prefix: d-}
      fields: {id: {type: sequence}, v: {type: uniform, min: 0, max: 100}}
    sink: {type: kafka, topic: {name: ${topic}, partitions: 3}, key: [device], value: avro}
  ingest:
    source: {type: kafka, topics: [${topic}], value: avro}
    transforms:
      - {type: filter, if: v < 50.0}
    sink: {type: clickhouse, table: events, order_by: [id]}
`,
  )
