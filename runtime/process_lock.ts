import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { kill, pid } from 'node:process'
import { ConnectError } from './errors'

/**
 * A lock between processes that a crash cannot leave behind. Each candidate creates a file whose NAME says who it is (pid,
 * start of the process, host) and only then lists the others; if one of them lives, it withdraws.
 *
 * Never two holders: both would have to list before the other created, and each creates before it lists. Two that start at the
 * same instant may both withdraw, which is an error message and not a loss. A dead candidate is recognised by its pid and,
 * because pids are used again, by the start of the process (Linux: boot id and start ticks from /proc; elsewhere the pid alone).
 */
export interface ProcessLock {
  /** Safe to call twice. */
  release(): Promise<void>
}

/** Throws E008_DATA_LOCKED while another holds `file`. `what` names in the message what is locked. */
export async function acquireLock(file: string, what: string): Promise<ProcessLock> {
  const folder = path.dirname(file)
  await mkdir(folder, { recursive: true })
  const prefix = `${path.basename(file)}.lock~`
  const own = `${prefix}${pid}~${await processStart(pid)}~${host()}`
  const ownPath = path.join(folder, own)
  try {
    await (await open(ownPath, 'wx')).close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw locked(what, 'this process')
  }
  for (const name of await readdir(folder)) {
    if (name === own || !name.startsWith(prefix)) continue
    const holder = await livingHolder(name.slice(prefix.length))
    if (holder === null) {
      await rm(path.join(folder, name), { force: true })
      continue
    }
    await rm(ownPath, { force: true })
    throw locked(what, holder, name.endsWith(`~${host()}`) ? undefined : path.join(folder, name))
  }
  return { release: () => rm(ownPath, { force: true }) }
}

const locked = (what: string, holder: string, foreignFile?: string): ConnectError =>
  new ConnectError('E008_DATA_LOCKED', `${what} is in use by ${holder}`, {
    hint: `stop it, or give another data folder with --data${foreignFile ? `; if that machine is gone for good, remove ${foreignFile}` : ''}`,
  })

/** Who it is, or null if that process is gone. On another host nobody can tell from here, so it counts as living. */
async function livingHolder(identity: string): Promise<string | null> {
  const [pidText, start, where] = identity.split('~')
  if (where !== host()) return `process ${pidText} on ${where}`
  const other = Number(pidText)
  return alive(other) && (await processStart(other)) === start ? `process ${other}` : null
}

const host = (): string => hostname().replace(/[^A-Za-z0-9.-]/g, '_')

function alive(other: number): boolean {
  try {
    kill(other, 0)
    return true
  } catch (error) {
    // EPERM: it lives and belongs to another user
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Tells two processes with the same pid apart; '0' where the system does not say, 'dead' for one that only waits to be reaped. */
async function processStart(id: number): Promise<string> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim().slice(0, 8)
    const stat = await readFile(`/proc/${id}/stat`, 'utf8')
    // fields 3 and 22 of proc(5); the command in field 2 may hold spaces and brackets, so count from its last bracket
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return 'ZX'.includes(fields[0]) ? 'dead' : `${boot}-${fields[19]}`
  } catch {
    return '0'
  }
}
