import { readdir, readFile } from 'node:fs/promises'
import { cpus, freemem, totalmem } from 'node:os'

/**
 * What a machine counts about itself, at one moment. Counters only grow; shares and rates are differences of two. Null: this
 * system does not tell.
 */
export interface Counters {
  /** Time all cores together were busy, and all time, in units of the system's own. */
  readonly cpu: CpuTime
  /** The same of each core. */
  readonly cores: readonly CpuTime[]
  /** Bytes. `used` is what programs could not have had. */
  readonly memory: { readonly used: number; readonly total: number }
  /** Bytes over all interfaces but loopback. */
  readonly net: { readonly received: number; readonly sent: number } | null
  /** Bytes over all disks. */
  readonly disk: { readonly read: number; readonly written: number } | null
}

export interface CpuTime {
  readonly busy: number
  readonly all: number
}

export const readCounters = (): Promise<Counters> => (process.platform === 'linux' ? fromProc() : fromNode())

async function fromProc(): Promise<Counters> {
  const text = (file: string): Promise<string> => readFile(`/proc/${file}`, 'utf8')
  const [stat, meminfo, net, disks, blocks] = await Promise.all([
    text('stat'),
    text('meminfo'),
    text('net/dev').catch(() => null),
    text('diskstats').catch(() => null),
    readdir('/sys/block').catch(() => []),
  ])
  return {
    ...cpuOf(stat),
    memory: memoryOf(meminfo),
    net: net === null ? null : netOf(net),
    disk: disks === null || blocks.length === 0 ? null : disksOf(disks, blocks),
  }
}

async function fromNode(): Promise<Counters> {
  const cores = cpus().map(({ times: { user, nice, sys, irq, idle } }) => {
    const busy = user + nice + sys + irq
    return { busy, all: busy + idle }
  })
  return {
    cpu: { busy: sum(cores.map(c => c.busy)), all: sum(cores.map(c => c.all)) },
    cores,
    memory: { used: totalmem() - freemem(), total: totalmem() },
    net: null,
    disk: null,
  }
}

/** `/proc/stat` (proc(5)): user nice system idle iowait irq softirq steal; guest times are part of user and nice. */
export function cpuOf(stat: string): Pick<Counters, 'cpu' | 'cores'> {
  const times = (line: RegExp): readonly CpuTime[] =>
    [...stat.matchAll(line)].map(([, fields]) => {
      const counted = fields.split(' ').slice(0, 8).map(Number)
      const [, , , idle = 0, iowait = 0] = counted
      const all = sum(counted)
      return { busy: all - idle - iowait, all }
    })
  return { cpu: times(/^cpu +(.*)$/gm)[0] ?? { busy: 0, all: 0 }, cores: times(/^cpu\d+ +(.*)$/gm) }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** `/proc/meminfo`: what is not available without swapping counts as used. */
export function memoryOf(meminfo: string): Counters['memory'] {
  const bytes = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? Number.NaN) * 1024
  const total = bytes('MemTotal')
  return { used: total - bytes('MemAvailable'), total }
}

/** `/proc/net/dev`: bytes received in the first column, sent in the ninth. */
export function netOf(dev: string): NonNullable<Counters['net']> {
  let received = 0
  let sent = 0
  for (const [, name, values] of dev.matchAll(/^ *([^\s:]+): *(.*)$/gm)) {
    if (name === 'lo') continue
    const columns = values.trim().split(/ +/).map(Number)
    received += columns[0]
    sent += columns[8]
  }
  return { received, sent }
}

/** A sector of `/proc/diskstats` is 512 bytes, whatever the disk's own are (Linux, Documentation/admin-guide/iostats.rst). */
const SECTOR = 512

/** Whole disks, which are the names in `/sys/block`; loop devices and disks in memory are no disks of their own. */
export function disksOf(diskstats: string, blocks: readonly string[]): NonNullable<Counters['disk']> {
  let read = 0
  let written = 0
  for (const line of diskstats.split('\n')) {
    const [, , name, , , sectorsRead, , , , sectorsWritten] = line.trim().split(/ +/)
    // device mapper and RAID count again what their disks count
    if (!blocks.includes(name) || /^(loop|ram|zram|dm-|md)/.test(name)) continue
    read += Number(sectorsRead) * SECTOR
    written += Number(sectorsWritten) * SECTOR
  }
  return { read, written }
}
