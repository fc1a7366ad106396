import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type ServiceChange, type ServiceName, startServices } from '../../../cli/services'
import { isAlive, refOf } from '../../../embedded/processes'
import { cleanUp, folder, type Program, run } from './service'

interface Attached {
  readonly pids: Readonly<Record<ServiceName, number>>
  readonly addresses: Readonly<Record<ServiceName, string>>
}

const user = (data: string, need: string): Program => run(path.join(__dirname, 'user.cjs'), [data, need])

const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await delay(20)
}
const gone = (pid: number) => until(() => !isAlive(refOf(pid)))
const answers = async (url: string) => (await fetch(url).catch(() => undefined))?.ok === true

/** Services end by themselves once their users are gone; cleanUp removes the folders under the last of them only after that. */
const seen = new Set<number>()
const attached = async (program: Program): Promise<Attached> => {
  const answer = await program.next<Attached>()
  for (const pid of Object.values(answer.pids)) seen.add(pid)
  return answer
}

describe('supervisor of embedded services', () => {
  afterEach(async () => {
    await cleanUp()
    for (const pid of seen) await gone(pid)
    seen.clear()
  })

  it('starts all three, and the last one to leave stops them', async () => {
    const data = folder()
    const a = user(data, 'clickhouse,kafka,schema_registry')
    const started = await attached(a)
    const b = user(data, 'clickhouse,kafka,schema_registry')
    expect(await attached(b)).toEqual(started)
    a.child.kill('SIGTERM')
    expect(await a.ended).toBe(0)
    expect(await answers(`${started.addresses.clickhouse}/ping`)).toBe(true)
    expect(await answers(`${started.addresses.schema_registry}/subjects`)).toBe(true)
    b.child.kill('SIGTERM')
    expect(await b.ended).toBe(0)
    for (const pid of Object.values(started.pids)) expect(isAlive(refOf(pid))).toBe(false)
  })

  it('goes on under an attached command when the starter is killed, and ends when that one is killed too', async () => {
    const data = folder()
    const a = user(data, 'schema_registry')
    const { pids, addresses } = await attached(a)
    const b = user(data, 'schema_registry')
    await attached(b)
    a.child.kill('SIGKILL')
    await a.ended
    // The service has seen that its starter is gone and has decided to stay.
    const log = path.join(data, 'logs', 'schema_registry.log')
    await until(() => readFileSync(log, 'utf8').includes(`used by ${b.child.pid}\n`))
    expect(await answers(`${addresses.schema_registry}/subjects`)).toBe(true)
    b.child.kill('SIGKILL')
    await b.ended
    await gone(pids.schema_registry)
  })

  it('stops only what nobody else needs', async () => {
    const data = folder()
    const a = user(data, 'kafka,schema_registry')
    const { pids } = await attached(a)
    const b = user(data, 'kafka')
    await attached(b)
    a.child.kill('SIGTERM')
    await a.ended
    expect(isAlive(refOf(pids.schema_registry))).toBe(false)
    expect(isAlive(refOf(pids.kafka))).toBe(true)
    b.child.kill('SIGTERM')
    await b.ended
  })

  it('uses the same port and data when it starts again', async () => {
    const data = folder()
    const a = user(data, 'schema_registry')
    const first = await attached(a)
    const at = `${first.addresses.schema_registry}/subjects/s/versions`
    await fetch(at, { method: 'POST', body: JSON.stringify({ schema: '"string"' }) })
    a.child.kill('SIGTERM')
    await a.ended
    const b = user(data, 'schema_registry')
    expect((await attached(b)).addresses).toEqual(first.addresses)
    expect(await (await fetch(at)).json()).toEqual([1])
    b.child.kill('SIGTERM')
    await b.ended
  })

  it('starts a service that died again, on the same port, for everyone who uses it', async () => {
    const data = folder()
    const users = [user(data, 'clickhouse,kafka'), user(data, 'clickhouse,kafka')]
    const [{ pids, addresses }] = [await attached(users[0]!), await attached(users[1]!)]
    for (const service of ['clickhouse', 'kafka'] as const) {
      process.kill(pids[service], 'SIGKILL')
      for (const one of users) {
        expect(await one.next<ServiceChange>()).toMatchObject({ service, kind: 'exited', pid: pids[service] })
        const again = await one.next<ServiceChange>()
        expect(again).toMatchObject({ service, kind: 'restarted', address: addresses[service] })
        seen.add(again.pid)
      }
    }
    expect(await answers(`${addresses.clickhouse}/ping`)).toBe(true)
    for (const one of users) one.child.kill('SIGTERM')
    for (const one of users) expect(await one.ended).toBe(0)
  })

  it('leaves a died service dead where restart is off, until another command starts it', async () => {
    const data = folder()
    const ports = { schema_registry: 0 }
    const need = new Set(['schema_registry'] as const)
    const changes: ServiceChange[] = []
    const patient = await startServices({ data, need, ports, restart: false })
    patient.onExit(change => changes.push(change))
    const address = patient.addresses.schema_registry
    process.kill(patient.pids.schema_registry!, 'SIGKILL')
    await until(() => changes.length === 1)
    expect(await answers(`${address}/subjects`)).toBe(false)
    const other = await startServices({ data, need, ports })
    expect(other.addresses.schema_registry).toBe(address)
    await until(() => changes.length === 2)
    expect(changes.map(({ kind }) => kind)).toEqual(['exited', 'restarted'])
    expect(patient.pids).toEqual(other.pids)
    await patient.stop()
    expect(await answers(`${address}/subjects`)).toBe(true)
    await other.stop()
    expect(await answers(`${address}/subjects`)).toBe(false)
  })

  it('clears up what crashed commands left: their lock, their entry, the pid of a service that is somebody else now', async () => {
    const data = folder()
    const dead = { pid: spawnSync(process.execPath, ['-e', '']).pid, mark: '1' }
    // This very process under another start time: a pid that was given again.
    const stranger = { pid: process.pid, mark: '1' }
    mkdirSync(data, { recursive: true })
    writeFileSync(path.join(data, 'services.json.lock'), JSON.stringify(dead))
    const entry = { process: stranger, state: 'ready', address: 'http://127.0.0.1:9', port: 0, started_at: '' }
    const users = [{ id: 'x', process: dead, need: ['schema_registry'], since: '' }]
    writeFileSync(path.join(data, 'services.json'), JSON.stringify({ services: { schema_registry: entry }, users }))
    const services = await startServices({ data, need: new Set(['schema_registry'] as const), ports: { schema_registry: 0 } })
    expect(await answers(`${services.addresses.schema_registry}/subjects`)).toBe(true)
    const listed = JSON.parse(readFileSync(path.join(data, 'services.json'), 'utf8'))
    expect(listed.users.map((one: { process: { pid: number } }) => one.process.pid)).toEqual([process.pid])
    await services.stop()
  })

  it('replaces a service that runs and does not answer', async () => {
    const data = folder()
    const a = user(data, 'schema_registry')
    const { pids, addresses } = await attached(a)
    process.kill(pids.schema_registry, 'SIGSTOP')
    const b = user(data, 'schema_registry')
    const second = await attached(b)
    expect(second.pids).not.toEqual(pids)
    expect(second.addresses).toEqual(addresses)
    for (const one of [a, b]) one.child.kill('SIGTERM')
    for (const one of [a, b]) expect(await one.ended).toBe(0)
  })

  it('lets many commands start at once with one service for all', async () => {
    const data = folder()
    const all = Array.from({ length: 5 }, () => user(data, 'schema_registry'))
    const pids = new Set((await Promise.all(all.map(attached))).map(one => one.pids.schema_registry))
    expect(pids.size).toBe(1)
    for (const one of all) one.child.kill('SIGTERM')
    for (const one of all) expect(await one.ended).toBe(0)
    expect(isAlive(refOf([...pids][0]!))).toBe(false)
  })

  it('ends a start that is called off and leaves nothing running', async () => {
    const data = folder()
    const abort = new AbortController()
    const starting = startServices({
      data,
      need: new Set(['clickhouse'] as const),
      ports: { clickhouse: 0 },
      signal: abort.signal,
    })
    const file = path.join(data, 'services.json')
    const pid = () => JSON.parse(readFileSync(file, 'utf8')).services.clickhouse?.process.pid as number | undefined
    await until(() => {
      try {
        return pid() !== undefined
      } catch {
        return false
      }
    })
    abort.abort()
    await expect(starting).rejects.toThrow()
    expect(isAlive(refOf(pid()!))).toBe(false)
    expect(JSON.parse(readFileSync(file, 'utf8')).users).toEqual([])
  })

  it('says what a service said when it cannot start', async () => {
    const data = folder()
    mkdirSync(path.join(data, 'schema_registry'))
    writeFileSync(path.join(data, 'schema_registry', 'journal.ndjson'), 'no journal\n')
    const starting = startServices({ data, need: new Set(['schema_registry'] as const), ports: { schema_registry: 0 } })
    await expect(starting).rejects.toMatchObject({
      code: 'E005_EMBEDDED_FAILED',
      message: expect.stringContaining('damaged at byte 0'),
    })
  })
})
