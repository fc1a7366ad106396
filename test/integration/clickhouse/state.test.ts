import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { StateStore } from '../../../runtime/state'
import { fileStates } from '../../../runtime/state'
import { type ClickHouseStore, createStore } from '../../../sql/client'
import { tableStates } from '../../../sql/state_table'
import { type Service, startClickHouse } from '../../support/services'

let service: Service
let store: ClickHouseStore
const folder = mkdtempSync(path.join(tmpdir(), 'connect-state-'))
const { signal } = new AbortController()

beforeAll(async () => {
  service = await startClickHouse()
  store = createStore({ url: service.address, database: 'states', username: 'default', password: '', request_timeout: 30_000 })
})
afterAll(async () => {
  await store.close()
  await service.stop()
  rmSync(folder, { recursive: true })
})

test.each<[string, () => StateStore]>([
  ['a table', () => tableStates(store, 'p')],
  ['files', () => fileStates(folder, 'p')],
])('%s keeps the latest state of each lane to the byte', async (_, make) => {
  const every = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i & 255))
  expect(await make().read('f', 0, signal)).toBeNull()
  await make().write('f', 0, Buffer.from('old'), signal)
  await make().write('f', 1, Buffer.from('other lane'), signal)
  await make().write('f', 0, every, signal)
  expect((await make().read('f', 0, signal))?.equals(every)).toBe(true)
  expect((await make().read('f', 1, signal))?.toString()).toBe('other lane')
  expect(await make().read('g', 0, signal)).toBeNull()
})

test('a state outlives a month without a run, and what nobody asked for in a year goes', async () => {
  const states = tableStates(store, 'seldom')
  await states.write('f', 0, Buffer.from('made now'), signal)
  for (const [flow, days] of [
    ['monthly', 35],
    ['abandoned', 365],
  ] as const)
    await store.command(
      `INSERT INTO states._connect_state (pipeline, flow, lane, state, at) VALUES ('seldom', '${flow}', 0, 'learnt', now64(6) - INTERVAL ${days} DAY)`,
      { signal },
    )
  await store.command('OPTIMIZE TABLE states._connect_state FINAL', { signal })
  expect((await states.read('f', 0, signal))?.toString()).toBe('made now')
  expect((await states.read('monthly', 0, signal))?.toString()).toBe('learnt')
  expect(await states.read('abandoned', 0, signal)).toBeNull()
})
