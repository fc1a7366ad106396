import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { openFilePositions } from '../../../runtime/positions'
import { acquireLock } from '../../../runtime/process_lock'
import { testUnless } from '../../support/skip'
import { temporaryFolder } from '../../support/temporary_folder'

const { path: root } = temporaryFolder()
let folders = 0
const options = (): { dataDir: string; pipeline: string; flow: string } => ({
  dataDir: path.join(root, String(folders++)),
  pipeline: 'p/q',
  flow: 'ingest@kafka_eu',
})
const at = (topic: string, partition: number, offset: number) => ({ topic, partition, offset, metadata: `m${offset}` })

test('positions and the note are there for the next one', async () => {
  const where = options()
  const first = await openFilePositions(where)
  expect(first.read(['a|0'])).toEqual(new Map([['a|0', { offset: -1, metadata: null }]]))
  expect(await first.note()).toBeNull()
  await first.write([at('a', 0, 5), at('a', 1, 7)])
  await first.write([at('a', 0, 6)])
  await first.writeNote({ hello: 1 })
  await first.close()
  await first.close()
  const second = await openFilePositions(where)
  expect([...second.read(['a|1', 'a|0', 'b|0'])]).toEqual([
    ['a|1', { offset: 7, metadata: 'm7' }],
    ['a|0', { offset: 6, metadata: 'm6' }],
    ['b|0', { offset: -1, metadata: null }],
  ])
  expect(await second.note()).toEqual({ hello: 1 })
  await second.close()
})

test('a damaged file is an error and not an empty position', async () => {
  const where = options()
  const store = await openFilePositions(where)
  await store.write([at('a', 0, 5)])
  await store.close()
  const folder = path.join(where.dataDir, 'positions', encodeURIComponent(where.pipeline))
  const [file] = readdirSync(folder).filter(f => f.endsWith('.json'))
  writeFileSync(path.join(folder, file), '{"version":1,"posit')
  await expect(openFilePositions(where)).rejects.toMatchObject({ code: 'P001_POSITION_STOP' })
  writeFileSync(path.join(folder, file), '{"version":2}')
  await expect(openFilePositions(where)).rejects.toMatchObject({ code: 'P001_POSITION_STOP' })
  // a refused opening keeps no lock
  writeFileSync(path.join(folder, file), '{"version":1,"positions":{}}')
  await (await openFilePositions(where)).close()
})

describe('the lock', () => {
  const file = (): string => path.join(root, String(folders++), 'flow')

  test('one holder in this process; given back, the next one may', async () => {
    const name = file()
    const lock = await acquireLock(name, 'the position')
    await expect(acquireLock(name, 'the position')).rejects.toMatchObject({ code: 'E008_DATA_LOCKED', exitCode: 3 })
    await lock.release()
    await (await acquireLock(name, 'the position')).release()
    expect(readdirSync(path.dirname(name))).toEqual([])
  })

  const children: ChildProcess[] = []
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  /** Another process that holds the lock, as this one would. */
  async function otherHolder(name: string): Promise<ChildProcess> {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume(); console.log("up")'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    children.push(child)
    await once(child.stdout!, 'data')
    const lock = await acquireLock(name, 'x')
    const [own] = readdirSync(path.dirname(name))
    await lock.release()
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
    const [, , start, host] = own.split('~')
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    writeFileSync(path.join(path.dirname(name), `flow.lock~${child.pid}~${start.split('-')[0]}-${ticks}~${host}`), '')
    return child
  }

  const onLinux = testUnless(existsSync('/proc/self/stat') ? null : 'there is no /proc', 'locks of other processes')

  onLinux('a living process holds it; killed, it does not', async () => {
    const name = file()
    const child = await otherHolder(name)
    await expect(acquireLock(name, 'x')).rejects.toMatchObject({
      code: 'E008_DATA_LOCKED',
      message: expect.stringContaining(String(child.pid)),
    })
    child.kill('SIGKILL')
    await once(child, 'exit')
    await (await acquireLock(name, 'x')).release()
    expect(readdirSync(path.dirname(name))).toEqual([])
  })

  onLinux('killed, and not reaped by whoever started it, it does not either', async () => {
    const name = file()
    await otherHolder(name)
    const [held] = readdirSync(path.dirname(name))
    // what the shell becomes does not know of its child
    const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(parent)
    const [pid] = await once(parent.stdout!, 'data')
    const fields = (): string[] =>
      readFileSync(`/proc/${Number(String(pid))}/stat`, 'latin1')
        .split(') ')[1]
        .split(' ')
    while (fields()[0] !== 'Z') await setImmediate()
    const zombie = held.replace(/~\d+~(\w+)-\d+~/, `~${Number(String(pid))}~$1-${fields()[19]}~`)
    renameSync(path.join(path.dirname(name), held), path.join(path.dirname(name), zombie))
    await (await acquireLock(name, 'x')).release()
  })

  onLinux('a pid that was used again is another process', async () => {
    const name = file()
    await otherHolder(name)
    const [held] = readdirSync(path.dirname(name))
    const older = held.replace(/-\d+~/, '-1~')
    renameSync(path.join(path.dirname(name), held), path.join(path.dirname(name), older))
    await (await acquireLock(name, 'x')).release()
  })

  test('of a process on another machine nothing is known, so it counts as living, and the hint names the file', async () => {
    const name = file()
    await (await acquireLock(name, 'x')).release()
    writeFileSync(path.join(path.dirname(name), `flow.lock~1~0~not-${hostname()}`), '')
    await expect(acquireLock(name, 'x')).rejects.toMatchObject({ hint: expect.stringContaining('flow.lock~1~0~not-') })
  })
})
