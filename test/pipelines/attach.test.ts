import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isAlive, type ProcessRef } from '../../embedded/processes'
import { connect, envelopeOf, type RunningConnect, runResult, start } from '../support/connect'

/** Commands beside a run: they use its embedded services, and leave them running. Always the embedded ones, in a folder of their own. */

let folder: string
let run: RunningConnect
let again: RunningConnect | null = null

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'olap-connect-attach-'))
  writeFileSync(
    path.join(folder, 'live.yaml'),
    `name: live
connections:
  kafka: {brokers: embedded, schema_registry: embedded}
  clickhouse: {url: embedded, database: live}
flows:
  make:
    source: {type: generate, rate: 50/s, keys: {column: device, count: 3}, fields: {id: {type: sequence}}}
    sink: {type: kafka, topic: live, key: [device], value: avro}
  ingest:
    source: {type: kafka, topics: [live], value: avro}
    sink: {type: clickhouse, table: live, order_by: [id]}
`,
  )
  run = start(['run', 'live.yaml', '--embedded', '--json', '--listen', '127.0.0.1:0', '--data', 'data'], { cwd: folder })
  await run.says(/ingest: session .* with lanes/)
})
afterAll(async () => {
  for (const r of [run, again]) {
    r?.child.kill('SIGKILL')
    await r?.ended.catch(() => {})
  }
  rmSync(folder, { recursive: true, force: true })
})

interface Entry {
  readonly address: string
  readonly process: ProcessRef
}
const services = (): Record<string, Entry> => {
  const { services } = JSON.parse(readFileSync(path.join(folder, 'data/services.json'), 'utf8'))
  const entries = Object.entries(services as Record<string, Entry>)
  return Object.fromEntries(entries.map(([name, { address, process }]) => [name, { address, process }]))
}
const beside = (...args: readonly string[]) => connect([...args, '--data', 'data'], { cwd: folder })
const count = async (): Promise<number> => {
  const outcome = await beside('sql', 'live.yaml', 'SELECT count() AS n FROM live', '--json')
  expect(outcome.code).toBe(0)
  return Number((envelopeOf(outcome).result as { rows: { n: string }[] }).rows[0].n)
}

test('sql and tail attach to the services of a run, which goes on after they left', async () => {
  const before = services()
  expect(Object.keys(before).sort()).toEqual(['clickhouse', 'kafka', 'schema_registry'])
  const first = await count()
  const tails = await Promise.all([
    beside('tail', 'live.yaml', 'live', '--limit', '5'),
    beside('tail', 'live.yaml', 'live', '--from', 'beginning', '--limit', '5', '--json'),
    beside('sql', 'live.yaml', 'SELECT 1 AS one'),
  ])
  expect(tails.map(t => t.code)).toEqual([0, 0, 0])
  const rows = tails[0].stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  expect(rows).toHaveLength(5)
  expect((envelopeOf(tails[1]).result as { records: { id: unknown }[] }).records.map(r => Number(r.id))).toEqual([0, 1, 2, 3, 4])
  expect(tails[2].stdout).toBe('one\n1\n')
  let now = await count()
  while (now <= first) now = await count()
  expect(services()).toEqual(before)
  expect(run.child.exitCode).toBeNull()
})

test('a tail that is killed leaves them too; a stopped one ends well', async () => {
  const before = services()
  const killed = start(['tail', 'live.yaml', 'live', '--data', 'data'], { cwd: folder })
  while (killed.stdout() === '' && killed.child.exitCode === null) await count()
  killed.child.kill('SIGKILL')
  expect((await killed.ended).signal).toBe('SIGKILL')
  const stopped = start(['tail', 'live.yaml', 'live', '--data', 'data'], { cwd: folder })
  while (stopped.stdout() === '' && stopped.child.exitCode === null) await count()
  stopped.child.kill('SIGTERM')
  expect((await stopped.ended).code).toBe(0)
  expect(services()).toEqual(before)
})

test('what a stopped run says it wrote is in the table; services end with their last user; the next run goes on', async () => {
  const processes = Object.values(services()).map(s => s.process)
  run.child.kill('SIGTERM')
  const outcome = await run.ended
  expect(outcome.code).toBe(0)
  const { flows, services: listed } = runResult(outcome)
  expect(Object.keys(listed).sort()).toEqual(['clickhouse', 'kafka', 'schema_registry'])
  // what it had read and not yet cut is read again by the next run
  expect(flows.ingest.written).toBeLessThanOrEqual(flows.ingest.read)
  // a service may outlive the command by the moment in which it closes its files; the test's own time is the limit
  while (processes.some(isAlive)) await new Promise(resolve => setTimeout(resolve, 50))
  // started for one question
  expect(await count()).toBe(flows.ingest.written)

  again = start(['run', 'live.yaml', '--embedded', '--json', '--listen', 'off', '--data', 'data', '--for', '2s'], { cwd: folder })
  const second = runResult(await again.ended).flows
  expect(second.make.read).toBeGreaterThan(0)
  const rows = await beside(
    'sql',
    'live.yaml',
    'SELECT count() AS n, uniqExact(id) AS ids, max(id) + 1 AS most FROM live',
    '--json',
  )
  const n = String(flows.ingest.written + second.ingest.written)
  const [row] = (envelopeOf(rows).result as { rows: Record<string, string>[] }).rows
  expect(row).toEqual({ n, ids: n, most: n })
})
