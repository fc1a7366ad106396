import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** Another broker that is alive holds the data folder. */
export class FolderInUse extends Error {
  override name = 'FolderInUse'
}

interface Holder {
  readonly pid: number
  readonly started: string
}

/** Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat); '' where there is no /proc. Tells a reused pid apart. */
const startOf = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

const isAlive = ({ pid, started }: Holder): boolean => {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return started === startOf(pid)
}

/** Keeps two brokers from writing one folder. A lock left by a killed broker is taken over. */
export class FolderLock {
  readonly #path: string

  private constructor(file: string) {
    this.#path = file
  }

  static take(folder: string): FolderLock {
    const file = path.join(folder, 'lock')
    const own: Holder = { pid: process.pid, started: startOf(process.pid) }
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        writeFileSync(file, JSON.stringify(own), { flag: 'wx' })
        return new FolderLock(file)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        const holder = read(file)
        if (holder !== undefined && isAlive(holder))
          throw new FolderInUse(`${folder} is in use by the broker with pid ${holder.pid}`)
        rmSync(file, { force: true })
      }
    }
    throw new FolderInUse(`${folder} is being opened by another broker`)
  }

  release(): void {
    rmSync(this.#path, { force: true })
  }
}

const read = (file: string): Holder | undefined => {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder
  } catch {
    return undefined
  }
}
