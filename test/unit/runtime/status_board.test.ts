import { builtInRegistry } from '../../../cli/registry'
import { loadPipeline } from '../../../config/load'
import { createEmitter } from '../../../runtime/events'
import type { MetricUpdate } from '../../../runtime/metrics'
import { RecentLatency, RecentSum } from '../../../runtime/recent'
import { derivedMetrics } from '../../../runtime/status'
import { StatusBoard } from '../../../runtime/status_board'
import { temporaryFolder } from '../../support/temporary_folder'

/** The status is made from the same events as the metrics. */

const folder = temporaryFolder()
const registry = builtInRegistry()
const PIPELINE = `name: shop
connections:
  kafka: {brokers: "kafka:9092", schema_registry: {url: "http://user:secret@registry:8081"}}
  clickhouse: {url: "http://clickhouse:8123", database: shop}
flows:
  ingest:
    source: {type: kafka, topics: [orders], value: avro}
    transforms: [{type: rename, fields: {a: b}}]
    sink: {type: clickhouse, table: orders, time: ts, order_by: [id]}
  load:
    source: {type: generate, count: 100, fields: {v: {type: sequence}}}
    sink: {type: stdout}
  detect:
    source: {type: view, view: orders_5m}
    transforms: [{type: score, detectors: {shape: {type: ewma, features: [n]}}}]
    sink: {type: kafka, topic: alerts}
views:
  orders_5m: {from: orders, size: 5m, slide: 1m, keys: [id], columns: {n: count()}}
`

function world() {
  const time = { wall: 1_700_000_000_000, tick: 5_000 }
  const clock = { now: () => time.wall, monotonic: () => time.tick, sleep: async () => {} }
  const board = new StatusBoard(clock, '1.2.3')
  const loaded = loadPipeline(folder.file('shop.yaml', PIPELINE), { registry, env: {} })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
  const metrics: MetricUpdate[] = []
  const events = createEmitter({ log: () => {}, metric: m => metrics.push(m), seen: (n, d) => board.seen(n, d) })
  board.watch([loaded.spec], registry, false)
  const sum = (metric: string): number => metrics.filter(m => m.metric === metric).reduce((n, m) => n + m.value, 0)
  const pass = (ms: number): void => {
    time.wall += ms
    time.tick += ms
  }
  const flow = (name: string) => {
    const found = board.status().flows.find(f => f.flow === name)
    if (!found) throw new Error(name)
    return found
  }
  return { board, events, sum, pass, flow }
}

const INGEST = { pipeline: 'shop', flow: 'ingest' }

test('before anything runs: every flow, view, detector and service is there, without secrets', () => {
  const { board } = world()
  const status = board.status()
  expect(status.version).toBe('1.2.3')
  expect(status.pipelines.map(p => p.name)).toEqual(['shop'])
  expect(status.flows.map(f => [f.flow, f.state, f.lag, f.progress])).toEqual([
    ['ingest', 'starting', null, null],
    ['load', 'starting', null, null],
    ['detect', 'starting', null, null],
  ])
  expect(status.flows[0]).toMatchObject({
    source: { type: 'kafka', connection: 'kafka', names: ['orders'] },
    transforms: ['rename'],
    sink: { type: 'clickhouse', connection: 'clickhouse' },
  })
  expect(status.views).toMatchObject([{ view: 'orders_5m', from: 'orders', size_ms: 300_000, slide_ms: 60_000, windows: 0 }])
  expect(status.detectors).toMatchObject([{ flow: 'detect', detector: 'shape', type: 'ewma', scores: 0 }])
  expect(status.services.map(s => [s.service, s.address, s.state, s.embedded])).toEqual([
    ['kafka', 'kafka:9092', 'unknown', false],
    ['schema_registry', 'http://registry:8081', 'unknown', false],
    ['clickhouse', 'http://clickhouse:8123', 'unknown', false],
  ])
  expect(JSON.stringify(status)).not.toContain('secret')
})

test('counts equal the metrics; rates, batch and latencies are of what was lately', () => {
  const { events, sum, pass, flow, board } = world()
  events.emit('session_started', { ...INGEST, session: 's', lanes: '0', partitions: 4 })
  for (let second = 0; second < 20; second++) {
    events.emit('records_read', { ...INGEST, records: 100, repeated: 10, bytes: 1_000 })
    events.emit('batch_written', { ...INGEST, lane: 0, rows: 90, filtered: 8, write_ms: 3, latencies_ms: [10, 20, 30, 1_000] })
    events.emit('records_rejected', {
      ...INGEST,
      stage: 'decode',
      plugin: 'avro',
      code: 'D001_MALFORMED',
      records: 2,
      example: '',
    })
    pass(1_000)
  }
  events.emit('lag_measured', { ...INGEST, records: 42, unread: 40 })
  const ingest = flow('ingest')
  expect(ingest).toMatchObject({ state: 'running', partitions: 4, read: 2_000, written: 1_800, filtered: 160, dead_lettered: 40 })
  expect(ingest.read).toBe(sum('olap_connect_records_read_total'))
  expect(sum('olap_connect_records_repeated_total')).toBe(200)
  expect(ingest.written).toBe(sum('olap_connect_records_written_total'))
  expect(ingest.filtered).toBe(sum('olap_connect_records_filtered_total'))
  expect(ingest.dead_lettered).toBe(sum('olap_connect_records_dead_lettered_total'))
  expect(ingest.lag).toBe(sum('olap_connect_lag_records'))
  expect(ingest.read_per_second).toBeCloseTo(100)
  expect(ingest.written_per_second).toBeCloseTo(90)
  expect(ingest.batch_rows).toBe(90)
  expect(ingest.latency_ms.p50).toBeGreaterThan(17)
  expect(ingest.latency_ms.p50).toBeLessThan(33)
  expect(ingest.latency_ms.p99).toBeGreaterThan(900)
  const derived = derivedMetrics(board.status()).filter(m => m.labels.flow === 'ingest')
  expect(derived.map(m => m.value)).toEqual([
    ingest.read_per_second,
    ingest.written_per_second,
    ingest.batch_rows,
    (ingest.latency_ms.p50 ?? 0) / 1000,
    (ingest.latency_ms.p99 ?? 0) / 1000,
  ])
  pass(300_000)
  expect(flow('ingest')).toMatchObject({ read: 2_000, read_per_second: 0, batch_rows: 90, latency_ms: { p50: null, p99: null } })
})

test('a bounded input shows how far it is, and the time left at the present rate', () => {
  const { events, pass, flow } = world()
  const load = { pipeline: 'shop', flow: 'load' }
  pass(1_000)
  events.emit('records_read', { ...load, records: 25, repeated: 0, bytes: 1 })
  events.emit('lag_measured', { ...load, records: 80, unread: 75 })
  pass(500)
  const { progress } = flow('load')
  expect(progress).toMatchObject({ share: 0.25, records_left: 75 })
  expect(progress?.time_left_ms).toBeCloseTo((75 / (25 / 1.5)) * 1000)
  events.emit('flow_finished', { ...load, reason: 'all input is read', complete: true })
  expect(flow('load')).toMatchObject({ state: 'finished', progress: { share: 1, records_left: 0, time_left_ms: 0 } })
})

test('states: waiting for a service, starting again, failed; the service shows it too', () => {
  const { events, flow, board } = world()
  const state = (service: string) => board.status().services.find(s => s.service === service)?.state
  events.emit('service_unreachable', { ...INGEST, stage: 'write', code: 'E001_UNREACHABLE', message: 'no answer', hint: '' })
  expect(flow('ingest')).toMatchObject({ state: 'waiting', problem: { code: 'E001_UNREACHABLE', message: 'no answer' } })
  expect([state('clickhouse'), state('kafka')]).toEqual(['unreachable', 'unknown'])
  events.emit('service_back', { ...INGEST, stage: 'write', after_ms: 3 })
  events.emit('session_started', { ...INGEST, session: 's', lanes: '0', partitions: 4 })
  expect(flow('ingest')).toMatchObject({ state: 'running', problem: null })
  expect([state('clickhouse'), state('kafka'), state('schema_registry')]).toEqual(['up', 'up', 'unknown'])
  events.emit('service_unreachable', { ...INGEST, stage: 'decode', code: 'E001_UNREACHABLE', message: 'no registry', hint: '' })
  expect([state('kafka'), state('schema_registry')]).toEqual(['up', 'unreachable'])
  events.emit('service_back', { ...INGEST, stage: 'decode', after_ms: 3 })
  // it is there, and says so
  events.emit('service_unreachable', { ...INGEST, stage: 'read', code: 'K005_UNKNOWN_TOPIC', message: 'no topic', hint: '' })
  expect([flow('ingest').problem?.code, state('kafka')]).toEqual(['K005_UNKNOWN_TOPIC', 'up'])
  events.emit('flow_restarting', { ...INGEST, code: 'K006_FENCED', message: 'fenced', in_ms: 1 })
  expect(flow('ingest')).toMatchObject({ state: 'restarting', restarts: 1, problem: { code: 'K006_FENCED' } })
  events.emit('flow_failed', { ...INGEST, code: 'C015_UNKNOWN_COLUMN', message: 'no column', hint: '', stage: 'read' })
  expect(flow('ingest')).toMatchObject({ state: 'failed', problem: { code: 'C015_UNKNOWN_COLUMN', message: 'no column' } })
  events.emit('service_unreachable', {
    pipeline: 'shop',
    flow: 'orders_5m',
    stage: 'write',
    code: 'S002_STORE_BUSY',
    message: '',
    hint: '',
  })
  expect(state('clickhouse')).toBe('unreachable')
})

test('a registry that gave the schema of rows is there; one that does not answer since is not', () => {
  const { board, events } = world()
  const registryState = () => board.status().services.find(s => s.service === 'schema_registry')?.state
  const written = (rows: number) =>
    events.emit('batch_written', { ...INGEST, lane: 0, rows, filtered: 0, write_ms: 1, latencies_ms: [] })
  expect(registryState()).toBe('unknown')
  written(0)
  expect(registryState()).toBe('unknown')
  written(5)
  expect(registryState()).toBe('up')
  events.emit('service_unreachable', { ...INGEST, stage: 'decode', code: 'K008_REGISTRY', message: 'refused', hint: '' })
  written(5) // with a schema that is known already
  expect(registryState()).toBe('unreachable')
})

test('an embedded service that dies is unreachable until it runs again', () => {
  const { events, board } = world()
  const kafka = () => board.status().services.find(s => s.service === 'kafka')
  events.emit('service_started', { service: 'kafka', address: 'kafka:9092' })
  expect(kafka()).toMatchObject({ embedded: true, state: 'up', pipelines: ['shop'] })
  events.emit('service_stopped', { service: 'kafka', reason: 'process 7 ended' })
  expect(kafka()).toMatchObject({ state: 'unreachable', problem: { message: 'process 7 ended' } })
  events.emit('service_started', { service: 'kafka', address: 'kafka:9092' })
  expect(kafka()).toMatchObject({ state: 'up', problem: null })
})

test('views and detectors', () => {
  const { events, board, pass, sum } = world()
  const view = { pipeline: 'shop', view: 'orders_5m' }
  const took = { took_ms: 7, watermark_ms: 1_700_000_000_000, lag_ms: 0, closing_ms: 9 }
  events.emit('windows_finalised', { ...view, closed: 5, revised: 1, final: 2, ...took })
  events.emit('records_late', { ...view, records: 3, tell: null })
  const detect = { pipeline: 'shop', flow: 'detect', detector: 'shape' }
  events.emit('rows_scored', { ...detect, scores: 10 })
  events.emit('anomalies_written', { ...detect, view: 'v', raised: 2, revised: 1, retracted: 0, suppressed: 4 })
  pass(60_000)
  const { views, detectors } = board.status()
  expect(views[0]).toMatchObject({ windows: 5, revised: 1, final: 2, late: 3, closing_ms: 7, behind_ms: 60_000 })
  expect(detectors[0]).toMatchObject({ scores: 10, raised: 2, revised: 1, suppressed: 4, last_raised_at: 1_700_000_000_000 })
  expect(sum('olap_connect_scores_total')).toBe(10)
  expect(sum('olap_connect_anomalies_total')).toBe(7)
  expect(sum('olap_connect_view_closing_seconds')).toBeCloseTo(0.009)
  events.emit('view_failed', { ...view, code: 'S006_STATEMENT', message: 'bad', hint: '' })
  expect(board.status().views[0]).toMatchObject({ state: 'failed', problem: { code: 'S006_STATEMENT' } })
})

test('a recent sum forgets what is older than ten seconds', () => {
  const sum = new RecentSum(0)
  sum.add(5, 100)
  expect(sum.rate(100)).toBe(5)
  sum.add(5, 9_500)
  expect(sum.sum(9_999)).toBe(10)
  expect(sum.sum(10_100)).toBe(5)
  expect(sum.sum(60_000)).toBe(0)
})

test('a recent latency forgets what is older than two minutes', () => {
  const latency = new RecentLatency(0)
  latency.add(100, 10)
  expect(latency.quantiles([0.5], 70_000)[0]).toBeGreaterThan(90)
  expect(latency.quantiles([0.5], 121_000)).toEqual([null])
})
