import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { LockTimeout, withLock } from '../../../embedded/lock'
import { cleanUp, folder, run } from './service'

describe('lock file', () => {
  afterEach(cleanUp)

  it('lets one process in at a time while holders are killed, and none waits for a dead one', async () => {
    const data = folder()
    writeFileSync(path.join(data, 'inside'), '')
    const dieAt = [3, 7, 11, 15, -1, -1]
    const users = dieAt.map(round => run(path.join(__dirname, 'lock_user.cjs'), [data, '300', String(round)]))
    const ends = await Promise.all(users.map(user => user.ended))
    expect(users.map(user => user.stderr()).join('')).toBe('')
    expect(ends).toEqual(dieAt.map(round => (round < 0 ? 0 : 'SIGKILL')))
    // The last to die may have left its lock.
    await withLock(path.join(data, 'lock'), () => undefined)
    expect(readdirSync(data)).toEqual(['inside'])
  })

  it('makes callers of one process wait for each other, also after one failed', async () => {
    const file = path.join(folder(), 'lock')
    const order: string[] = []
    const step = (name: string) =>
      withLock(file, async () => {
        order.push(`${name} in`)
        await delay(5)
        order.push(`${name} out`)
        if (name === 'b') throw new Error('b fails')
      })
    const results = await Promise.allSettled(['a', 'b', 'c'].map(step))
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(order).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out'])
  })

  it('gives up on a living holder, naming it, and at once when called off', async () => {
    const file = path.join(folder(), 'lock')
    writeFileSync(file, JSON.stringify({ pid: process.ppid, mark: '' }))
    await expect(withLock(file, () => 1, { timeoutMs: 0 })).rejects.toThrow(LockTimeout)
    await expect(withLock(file, () => 1, { timeoutMs: 0 })).rejects.toThrow(String(process.ppid))
    const abort = new AbortController()
    const waiting = withLock(file, () => 1, { signal: abort.signal })
    abort.abort()
    await expect(waiting).rejects.toThrow('aborted')
  })
})
