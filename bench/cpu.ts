import { readFileSync } from 'node:fs'

/** Clock ticks per second in /proc (USER_HZ is 100 on every Linux that Node runs on). */
const TICKS_PER_SECOND = 100

/** CPU seconds (user and system, all threads) a process has used; null if it is gone. */
export function cpuSeconds(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // the second field, the command, may hold spaces; fields 14 and 15 of proc(5) are utime and stime
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  } catch {
    return null
  }
}

/** Largest resident size so far, MiB; null if the process is gone. */
export function peakMiB(pid: number): number | null {
  try {
    const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return match ? Number(match[1]) / 1024 : null
  } catch {
    return null
  }
}

export interface Watch {
  /** Last CPU seconds seen before the process ended. */
  cpu: number
  rss: number
  stop(): void
}

/** Samples a process that ends by itself; the last 20 ms of its life may be missing. */
export function watchProcess(pid: number): Watch {
  const watch: Watch = { cpu: 0, rss: 0, stop: () => clearInterval(timer) }
  const sample = (): void => {
    watch.cpu = cpuSeconds(pid) ?? watch.cpu
    watch.rss = peakMiB(pid) ?? watch.rss
  }
  const timer = setInterval(sample, 20)
  sample()
  return watch
}
