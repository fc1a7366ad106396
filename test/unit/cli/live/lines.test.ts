import { readFileSync } from 'node:fs'
import path from 'node:path'
import { LEGEND, legendText, plainLines, statusLines } from '../../../../cli/live/lines'
import type { DetectorStatus, FlowStatus, ServiceStatus, Status, ViewStatus } from '../../../../runtime/status'
import { flowStatus, statusOf, viewStatus } from '../../../support/status'

/** The table of what runs, as people see it. */

const NOW = Date.UTC(2026, 2, 4, 12, 30, 15)

const flow = (pipeline: string, name: string, more: Partial<FlowStatus> = {}): FlowStatus =>
  flowStatus({ pipeline, flow: name, ...more })

const view = (pipeline: string, name: string, more: Partial<ViewStatus> = {}): ViewStatus =>
  viewStatus({ pipeline, view: name, ...more })

const detector = (pipeline: string, of: string, name: string, more: Partial<DetectorStatus> = {}): DetectorStatus => ({
  pipeline,
  flow: of,
  detector: name,
  type: 'ewma',
  scores: 0,
  raised: 0,
  revised: 0,
  retracted: 0,
  suppressed: 0,
  last_raised_at: null,
  ...more,
})

const service = (name: string, address: string, more: Partial<ServiceStatus> = {}): ServiceStatus => ({
  service: name,
  address,
  embedded: false,
  state: 'up',
  problem: null,
  since: NOW,
  pipelines: [],
  ...more,
})

const status = (parts: Partial<Status>): Status => statusOf({ started_at: NOW - 3_723_000, now: NOW, ...parts })

const busy = { read_per_second: 81_019, lag: 12_345, batch_rows: 16_204, latency_ms: { p50: 212.4, p99: 1_340 } }

/** Three files with twelve flows, some of them in trouble. */
const LARGE = status({
  flows: [
    flow('soc-devices', 'ingest@kafka_eu', { ...busy, written: 6_999_999_999, dead_lettered: 3 }),
    flow('soc-devices', 'ingest@kafka_us_east_virginia', { ...busy, written: 1_234_567, lag: 0 }),
    flow('soc-devices', 'enrich-with-the-device-table-of-the-data-centre', { read_per_second: 0.25, lag: 3, batch_rows: 1 }),
    flow('soc-devices', 'detect', { written: 12, latency_ms: { p50: 0.4, p99: 99_499 } }),
    flow('iot', 'ingest', {
      state: 'waiting',
      problem: {
        code: 'E001_UNREACHABLE',
        message: 'clickhouse:8123 does not answer, and this goes on for much longer than a line',
      },
      lag: 999_999,
    }),
    flow('iot', 'archive', { state: 'failed', problem: { code: 'C015_UNKNOWN_COLUMN', message: 'no column\n"x"' } }),
    flow('iot', 'late', { state: 'restarting', problem: { code: 'K006_FENCED', message: 'fenced' }, restarts: 2 }),
    flow('iot', 'alerts', { state: 'starting' }),
    flow('load', 'cpu', { ...busy, progress: { share: 0.623, records_left: 1_000, time_left_ms: 72_000 } }),
    flow('load', 'memory', { progress: { share: 0.9999, records_left: 1, time_left_ms: null } }),
    flow('load', 'disk', { state: 'finished', written: 9, progress: { share: 1, records_left: 0, time_left_ms: 0 } }),
    flow('load', 'network', { state: 'stopped' }),
  ],
  views: [
    view('soc-devices', 'devices_5m', {
      watermark_ms: NOW - 2_500,
      behind_ms: 2_500,
      windows: 1_234_567,
      revised: 12,
      late: 3,
      closing_ms: 84,
    }),
    view('iot', 'sites_1h', { watermark_ms: Date.UTC(2014, 1, 14, 14, 27), behind_ms: 380e9, closing_ms: 1_400 }),
  ],
  detectors: [
    detector('soc-devices', 'detect', 'shape', {
      type: 'novelty',
      scores: 123_456_789,
      raised: 42,
      suppressed: 7,
      last_raised_at: NOW - 12_000,
    }),
  ],
  services: [
    service('kafka', 'kafka-1.eu.example.com:9092,kafka-2.eu.example.com:9092,kafka-3.eu.example.com:9092'),
    service('clickhouse', 'http://clickhouse:8123', {
      state: 'unreachable',
      problem: { code: 'E001_UNREACHABLE', message: 'no answer' },
    }),
    service('schema_registry', 'http://127.0.0.1:8081', { state: 'unknown', embedded: true }),
  ],
})

const GOLDEN = `soc-devices, iot, load  up 1:02:03, 12 flow(s), 1 failed

flow              state rows/s    lag  batch   p50   p99 written  dead progress
soc-devices
  ingest@kafka_eu run    81019  12345  16204 212ms  1.3s  7.000G     3
  ingest@…irginia run    81019      0  16204 212ms  1.3s 1234567     0
  enrich-…-centre run      0.3      3      1     -     -       0     0
  detect          run        0      -      -   0ms   99s      12     0
iot
  ingest          wait       0 999999      -     -     -       0     0
    ! E001_UNREACHABLE: clickhouse:8123 does not answer, and this goes on for mu
  archive         FAIL       0      -      -     -     -       0     0
    ! C015_UNKNOWN_COLUMN: no column "x"
  late            again      0      -      -     -     -       0     0
    ! K006_FENCED: fenced
  alerts          start      0      -      -     -     -       0     0
load
  cpu             run    81019  12345  16204 212ms  1.3s       0     0 62% 72s
  memory          run        0      -      -     -     -       0     0 99% -
  disk            done       0      -      -     -     -       9     0 100%
  network         stop       0      -      -     -     -       0     0

view         state watermark        behind windows revised   late  took
soc-devices
  devices_5m run   12:30:12           2.5s 1234567      12      3  84ms
iot
  sites_1h   run   2014-02-14 14:27    12y       0       0      0  1.4s

detector       type               scores anomalies suppressed      last
soc-devices
  detect/shape novelty          123.457M        42          7   12s ago

service         state address
kafka           up    kafka-1.eu.example.com:9092,…kafka-3.eu.example.com:9092
clickhouse      AWAY  http://clickhouse:8123
  ! E001_UNREACHABLE: no answer
schema_registry -     http://127.0.0.1:8081 (embedded)
`

test('three files and twelve flows fit 80 columns', () => {
  const lines = statusLines(LARGE, { width: 80, color: false })
  expect(Math.max(...lines.map(l => l.length))).toBeLessThanOrEqual(80)
  expect(`${lines.join('\n')}\n`).toBe(GOLDEN)
})

test('colours change nothing but colours, and mark what is wrong', () => {
  const lines = statusLines(LARGE, { width: 80, color: true })
  const plain = lines.map(l => l.replace(/\p{Cc}\[[\d;]*m/gu, '').trimEnd())
  expect(plain).toEqual(statusLines(LARGE, { width: 80, color: false }))
  expect(lines.find(l => l.includes('archive'))).toContain('\u001b[31;1mFAIL \u001b[0m')
  expect(lines[0]).toContain('\u001b[31;1m1 failed')
})

test.each([200, 120, 79, 60, 40, 20])('no line is longer than %i columns', width => {
  for (const line of statusLines(LARGE, { width, color: false })) expect(line.length).toBeLessThanOrEqual(width)
})

test('a low terminal shows the first lines, and says how many are missing', () => {
  const all = statusLines(LARGE, { width: 80, color: false })
  const lines = statusLines(LARGE, { width: 80, height: 10, color: false })
  expect(lines).toHaveLength(10)
  expect(lines.slice(0, 9)).toEqual(all.slice(0, 9))
  expect(lines[9]).toBe(`… ${all.length - 9} more lines: connect status`)
})

test('a single pipeline without views: one table, names not indented', () => {
  const lines = statusLines(status({ flows: [flow('shop', 'ingest', { read_per_second: 9.94, written: 1_000 })] }), {
    width: 80,
    color: false,
  })
  expect(lines).toEqual([
    'shop  up 1:02:03, 1 flow(s), all well',
    '',
    'flow   state rows/s    lag  batch   p50   p99 written  dead',
    'ingest run      9.9      -      -     -     -    1000     0',
  ])
})

test('a line for each flow, for a log', () => {
  const flows = [
    flow('shop', 'ingest', { read: 10, written: 8, filtered: 1, dead_lettered: 1, read_per_second: 5, lag: 2 }),
    flow('shop', 'load', { state: 'waiting', progress: { share: 0.5, records_left: 5, time_left_ms: 5 } }),
  ]
  const rest = 'written 0, filtered 0, dead-lettered 0'
  expect(plainLines(status({ flows }))).toEqual([
    'ingest: 5.0 rows/s, lag 2, read 10, written 8, filtered 1, dead-lettered 1',
    `load: waiting (50%), read 0, ${rest}`,
  ])
  const of = [flow('shop', 'ingest', { state: 'starting' }), flow('load', 'ingest', { state: 'stopped' })]
  expect(plainLines(status({ flows: of }))).toEqual([
    `shop/ingest: starting, read 0, ${rest}`,
    `load/ingest: stopped, read 0, ${rest}`,
  ])
})

describe('the legend', () => {
  const titles = LEGEND.flatMap(({ of, columns }) => [of, ...columns.map(c => c.title)])

  test('explains every column of the table', () => {
    const heads = statusLines(LARGE, { width: 200, color: false }).filter(line => /^(flow|view|detector|service) /.test(line))
    expect(heads).toHaveLength(4)
    expect(titles).toEqual(heads.flatMap(line => line.trim().split(/ +/)))
  })

  test('is in the help, and in docs/operations.md to the word', () => {
    const docs = readFileSync(path.resolve(__dirname, '../../../../docs/operations.md'), 'utf8')
    const rows = docs.split('\n').map(line => line.split('|').map(cell => cell.trim().replaceAll('`', '')))
    for (const { of, columns } of LEGEND)
      for (const { title, means } of columns) {
        expect(rows).toContainEqual(['', of, title, means, ''])
        expect(legendText()).toContain(`${title} `)
      }
  })
})
