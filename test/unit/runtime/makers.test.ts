import { builtInRegistry } from '../../../cli/registry'
import { loadPipeline } from '../../../config/load'
import { type MakerState, makersOf } from '../../../runtime/makers'
import type { PipelineSpec } from '../../../runtime/spec'
import { temporaryFolder } from '../../support/temporary_folder'

/** Who makes what a flow reads. */

const folder = temporaryFolder()
const registry = builtInRegistry()

const pipeline = (name: string, brokers: string, flows: string): PipelineSpec => {
  const text = `name: ${name}
connections:
  kafka: {brokers: "${brokers}", schema_registry: "http://registry:8081"}
  clickhouse: {url: "http://clickhouse:8123", database: shop}
flows:
${flows}`
  const loaded = loadPipeline(folder.file(`${name}.yaml`, text), { registry, env: {} })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
  return loaded.spec
}

const shop = pipeline(
  'shop',
  'kafka:9092',
  `  ingest:
    source: {type: kafka, topics: [orders], value: avro}
    sink: {type: clickhouse, table: orders, time: ts}
    on_error: {dead_letter: orders.dead}
  detect:
    source: {type: view, view: orders_5m}
    transforms: [{type: score, detectors: {shape: {type: ewma, features: [n]}}}]
    sink: {type: kafka, topic: alerts}
  alerts:
    source: {type: kafka, topics: [alerts, orders.dead], value: bytes}
    sink: {type: stdout}
views:
  orders_5m: {from: orders, size: 5m, slide: 1m, keys: [id], columns: {n: count()}}
`,
)
const WRITER = `  writer:
    source: {type: generate, count: 1, fields: {id: {type: sequence}}}
    sink: {type: kafka, topic: alerts, value: json}
`
const near = pipeline('near', 'kafka:9092', WRITER)
const far = pipeline('far', 'elsewhere:9092', WRITER)

function makers(reader: string, name: string, states: Readonly<Record<string, MakerState>> = {}) {
  const spec = shop.flows.find(f => f.name === reader)
  if (!spec) throw new Error(reader)
  const { connection } = spec.source
  return makersOf({ pipeline: shop, spec, connection, name }, [far, shop, near], registry, f => states[f.name] ?? 'working')
}

test('topics, dead letters and views, of this pipeline and of others on the same broker', () => {
  expect(makers('alerts', 'alerts').working).toEqual(['detect', 'near/writer'])
  expect(makers('alerts', 'orders.dead').working).toEqual(['ingest'])
  expect(makers('detect', 'view:orders_5m').working).toEqual(['ingest'])
  expect(makers('ingest', 'orders')).toEqual({ working: [], failed: [] })
})

test('those that have ended make nothing more', () => {
  expect(makers('alerts', 'alerts', { detect: 'failed', writer: 'ended' })).toEqual({ working: [], failed: ['detect'] })
})
