import path from 'node:path'
import { inProcess } from '../support/in_process'
import { temporaryFolder } from '../support/temporary_folder'

/** A drawing of a file: text for people, Mermaid for Markdown, Graphviz for files. */

const folder = temporaryFolder()
const file = folder.file(
  'shop.yaml',
  `name: shop
connections:
  kafka: {brokers: "kafka:9092", schema_registry: "http://registry:8081"}
  clickhouse: {url: "http://clickhouse:8123"}
flows:
  make:
    source: {type: generate, count: 9, fields: {id: {type: sequence}, b_c: {type: uniform, min: 0, max: 1}}}
    sink: {type: kafka, topic: orders, value: avro}
  ingest:
    source: {type: kafka, topics: [orders], value: avro}
    transforms: [{type: rename, fields: {id: key}}]
    sink: {type: clickhouse, table: orders, time: ts, order_by: [key]}
    on_error: {dead_letter: orders.dead}
  other:
    source: {type: kafka, topics: [unknown], value: avro}
    sink: {type: stdout}
  windows:
    source: {type: view, view: orders_1m}
    transforms: [{type: score, detectors: {many: {type: ewma, features: [n]}}}]
    sink: {type: kafka, topic: windows, value: avro}
views:
  orders_1m: {from: orders, size: 1m, keys: [key], columns: {n: count()}}
`,
)
const drawn = async (...args: readonly string[]): Promise<string> => {
  const { code, out, err } = await inProcess(['graph', file, ...args])
  expect([code, err]).toEqual([0, ''])
  return out
}

/** What `score` gives, whatever the types of the windows. */
const ANOMALY = `    id utf8, pipeline utf8, flow utf8, view utf8, detector utf8, key map<utf8?>,
    window_start timestamp(ms), window_end timestamp(ms),
    features map<struct<value: f64?, expected: f64?, lower: f64?, upper: f64?, contribution: f64?>>,
    score f64, severity enum(none, warning, critical), model utf8?, model_version utf8?, rev i64,
    status enum(raised, revised, retracted, suppressed, normal), detected_at timestamp(ms)`

test('text', async () => {
  expect(await drawn()).toBe(`make
  generate source
    ts timestamp(ms), id i64, b_c f64
  kafka sink -> topic orders

ingest
  kafka source <- topic orders
    ts timestamp(ms), id i64, b_c f64
  rename
    ts timestamp(ms), key i64, b_c f64
  clickhouse sink -> table orders
  what cannot be read or written -> topic orders.dead

other
  kafka source <- topic unknown
    columns known when it runs
  stdout sink

windows
  view source <- view orders_1m
    window_start timestamp(s), window_end timestamp(s), key, n, _rev i64,
    _kind enum(close, revise, final)
  score
${ANOMALY}
  kafka sink -> topic windows

view orders_1m <- table orders
    window_start timestamp(s), window_end timestamp(s), key, n, _rev i64
`)
})

test('schema says the same of flows and views', async () => {
  const { code, out } = await inProcess(['schema', file])
  expect(code).toBe(0)
  expect(out).toContain('rename: ts timestamp(ms), key i64, b_c f64\n')
  expect(out).toContain('other\n  kafka: columns known when it runs\n')
  expect(out).toContain(`windows
  view: window_start timestamp(s), window_end timestamp(s), key, n, _rev i64,
    _kind enum(close, revise, final)
  score: ${ANOMALY.trim()}
orders_1m (view of orders)
  window_start timestamp(s), window_end timestamp(s), key, n, _rev i64
`)
  const json = JSON.parse((await inProcess(['schema', file, '--json'])).out)
  expect(json.result.views.orders_1m).toContainEqual({ name: 'n', type: null })
  expect(json.result.flows.windows).toHaveLength(2)
  expect(json.result.flows.other).toBeNull()
  const wrong = await inProcess(['schema', file, 'windos'])
  expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('did you mean windows?')])
})

test('mermaid', async () => {
  const lines = (await drawn('--format', 'mermaid')).split('\n')
  expect(lines[0]).toBe('flowchart LR')
  expect(lines).toContain('  subgraph f1 ["flow: ingest"]')
  expect(lines).toContain('  n2[("topic orders")]')
  expect(lines).toContain('  n0 -->|"ts timestamp(ms)<br>id i64<br>b_c f64"| n1')
  expect(lines.filter(l => l.includes('-.->|"what cannot be read or written"|'))).toHaveLength(1)
  expect(lines.filter(l => l.includes('|"columns known when it runs"|'))).toHaveLength(1)
  // every id that is used is declared
  const declared = new Set(lines.flatMap(l => /^ +(n\d+)[[(]/.exec(l)?.[1] ?? []))
  for (const line of lines) for (const [id] of line.replace(/\|.*\|/, '').matchAll(/\bn\d+\b/g)) expect(declared).toContain(id)
})

test('dot', async () => {
  const text = await drawn('--format', 'dot')
  expect(text).toMatch(/^digraph "shop" \{\n[^}]*\{/)
  expect(text).toContain('"kafka:orders" [label="topic orders", shape=cylinder];')
  expect(text).toContain('"make.0" -> "make.1" [label="ts timestamp(ms)\\nid i64\\nb_c f64"];')
  expect(text).toContain('style=dashed')
  expect(text.match(/\{/g)).toHaveLength(text.match(/\}/g)?.length ?? -1)
})

test('of several files each says whose flows they are', async () => {
  const other = folder.file('other.yaml', 'name: bar\nflows: {ingest: {source: {type: generate, count: 1, fields: {v: {type: sequence}}}, sink: {type: stdout}}}\n')
  const both = async (format: string): Promise<string> => (await inProcess(['graph', file, other, '--format', format])).out
  expect(await both('text')).toMatch(/^shop\/make\n.*^shop\/ingest\n.*^bar\/ingest\n/ms)
  expect(await both('mermaid')).toContain('["flow: bar/ingest"]')
  expect(await both('dot')).toContain('label="flow: shop/ingest"')
})

test('json, and the examples', async () => {
  const { out } = await inProcess(['graph', file, '--json'])
  expect(JSON.parse(out)).toMatchObject({ command: 'graph', ok: true, result: { graphs: [{ name: 'shop' }] } })
  const examples = path.resolve(__dirname, '../../config/examples')
  const all = await inProcess(['graph', examples, '--format', 'mermaid'], { NAB_DIR: '/data/nab' })
  expect([all.code, all.err]).toEqual([0, ''])
  expect(all.out.match(/^flowchart LR$/gm)?.length).toBeGreaterThanOrEqual(3)
})
