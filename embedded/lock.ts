import { linkSync, mkdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, type ProcessRef, self } from './processes'

const POLL_MS = 20
/** Taking a lock over takes microseconds; a takeover marker older than this was left by a crash. */
const TAKEOVER_STALE_MS = 5_000

export interface LockOptions {
  /** Gives up after this many milliseconds while a living process holds the lock. Default 60,000: a cold start may be under way. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export class LockTimeout extends Error {
  constructor(
    readonly file: string,
    readonly holder: ProcessRef | undefined,
    timeoutMs: number,
  ) {
    super(`${file} is held by process ${holder?.pid ?? 'unknown'} for more than ${timeoutMs} ms`)
    this.name = 'LockTimeout'
  }
}

/** Locks held by this process, so that two callers in it wait for each other: the file names the process only. */
const heldHere = new Map<string, Promise<void>>()

/**
 * Runs `work` while holding the lock file `file`. A lock whose holder died is taken over, so a crash never blocks anyone.
 * The lock is not reentrant.
 */
export async function withLock<T>(file: string, work: () => Promise<T> | T, options: LockOptions = {}): Promise<T> {
  const key = path.resolve(file)
  const before = heldHere.get(key) ?? Promise.resolve()
  let done = () => {}
  const mine = before.then(() => new Promise<void>(resolve => (done = resolve)))
  heldHere.set(key, mine)
  try {
    await before
    await acquire(key, options)
    try {
      return await work()
    } finally {
      unlinkSync(key)
    }
  } finally {
    // `mine` settles through `done`, which exists only once `before` has settled.
    await before
    done()
    if (heldHere.get(key) === mine) heldHere.delete(key)
  }
}

async function acquire(file: string, { timeoutMs = 60_000, signal }: LockOptions): Promise<void> {
  const deadline = Date.now() + timeoutMs
  mkdirSync(path.dirname(file), { recursive: true })
  for (;;) {
    signal?.throwIfAborted()
    if (create(file)) return
    const holder = readHolder(file)
    if (holder !== undefined && !isAlive(holder)) takeOver(file)
    else if (Date.now() >= deadline) throw new LockTimeout(file, holder, timeoutMs)
    else await delay(POLL_MS, undefined, { signal })
  }
}

/** Creates the file with its content in one step (a link to a finished file), so that nobody ever reads a half-written holder. */
function create(file: string): boolean {
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, JSON.stringify(self()))
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    unlinkSync(draft)
  }
}

/**
 * Removes the lock of a dead holder. Two processes may find it dead at once: A removes it and takes the lock, B then removes A's.
 * Hence the marker: only its creator looks again and removes, and while it stands no one but the holder changes the lock.
 */
function takeOver(file: string): void {
  const marker = `${file}.takeover`
  try {
    writeFileSync(marker, String(process.pid), { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const created = statSync(marker, { throwIfNoEntry: false })?.mtimeMs
    if (created !== undefined && Date.now() - created > TAKEOVER_STALE_MS) rmSync(marker, { force: true })
    return
  }
  try {
    const holder = readHolder(file)
    if (holder !== undefined && !isAlive(holder)) rmSync(file, { force: true })
  } finally {
    rmSync(marker, { force: true })
  }
}

function readHolder(file: string): ProcessRef | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessRef
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    // Not a lock file that this program wrote: a holder that is not alive, so that it is taken over.
    return { pid: 2 ** 30, mark: 'unreadable' }
  }
}
