import type { Counters, CpuTime } from './counters'

/** One row. Null: this system does not tell. */
export interface Reading {
  /** Milliseconds since 1970. */
  readonly ts: number
  readonly cpu: number
  /** Of the core that was busiest. Null also in readings that were kept before there was this one. */
  readonly core: number | null
  readonly memory: number
  readonly net_in: number | null
  readonly net_out: number | null
  readonly disk_read: number | null
  readonly disk_write: number | null
}

/** What happened between two looks, `seconds` apart. A counter that went back (an interface that is gone) counts as 0. */
export function readingOf(before: Counters, now: Counters, ts: number, seconds: number): Reading {
  const rate = (a: number | undefined, b: number | undefined): number | null =>
    a === undefined || b === undefined ? null : Math.round(Math.max(0, b - a) / seconds)
  // a look so soon after the last that no tick of the system's clock lies between says nothing
  const busy = (a: CpuTime, b: CpuTime): number => (b.all > a.all ? percent(b.busy - a.busy, b.all - a.all) : 0)
  // cores that come and go leave none to compare
  const cores = now.cores.length === before.cores.length ? now.cores.map((core, i) => busy(before.cores[i], core)) : []
  return {
    ts,
    cpu: busy(before.cpu, now.cpu),
    core: cores.length > 0 ? Math.max(...cores) : null,
    memory: percent(now.memory.used, now.memory.total),
    net_in: rate(before.net?.received, now.net?.received),
    net_out: rate(before.net?.sent, now.net?.sent),
    disk_read: rate(before.disk?.read, now.disk?.read),
    disk_write: rate(before.disk?.written, now.disk?.written),
  }
}

/** With two digits. */
const percent = (part: number, whole: number): number => Math.round(Math.min(1, Math.max(0, part / whole)) * 10_000) / 100
