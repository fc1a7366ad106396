import { readFileSync } from 'node:fs'

/**
 * A process as it can be written to a file and recognised later. `mark` is its start time in kernel ticks where the system tells
 * (Linux); it tells a process from a later one that was given the same pid. Elsewhere it is '' and the pid alone decides.
 */
export interface ProcessRef {
  readonly pid: number
  readonly mark: string
}

/** This process. */
export const self = (): ProcessRef => refOf(process.pid)

/** The process that has this pid now. */
export function refOf(pid: number): ProcessRef {
  return { pid, mark: stat(pid)?.mark ?? '' }
}

/** True while the very process that `ref` was taken of runs. A zombie counts as gone: nobody may be there to reap it. */
export function isAlive(ref: ProcessRef): boolean {
  try {
    process.kill(ref.pid, 0)
  } catch (error) {
    // EPERM: it is there and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const now = stat(ref.pid)
  if (now === undefined) return true
  return now.state !== 'Z' && now.state !== 'X' && (ref.mark === '' || ref.mark === now.mark)
}

/** State letter and start time from /proc/PID/stat, see proc(5): fields 3 and 22, counted behind the name's closing bracket. */
function stat(pid: number): { readonly state: string; readonly mark: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', mark: fields[19] ?? '' }
  } catch {
    return undefined
  }
}
