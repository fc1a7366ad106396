import type { Faults } from './faults'
import { keysIn, type Layout, timeAfterStart } from './layout'

/** The records of a stretch of one partition before they have values: who reports, for the how-manieth time, and when. */
export interface Rows {
  count: number
  readonly offset: Float64Array
  readonly key: Int32Array
  /** How often this key has reported before. */
  readonly tick: Float64Array
  /** Milliseconds since 1970. */
  readonly time: Float64Array
  /** Number of the fault, from 1; 0: none. */
  readonly fault: Int32Array
}

export interface Disturbance {
  /** `silent(key, milliseconds after the start)` leaves a record out: its offset is then not among the rows. */
  readonly silent: ((key: number, elapsed: number) => boolean) | null
  readonly faults: Faults | null
  /** Rows of keys that a fault silences stay, for their label. */
  readonly keepSilenced: boolean
}

export function rowsAt(
  layout: Layout,
  start: number,
  range: { readonly partition: number; readonly from: number; readonly next: number },
  { silent, faults, keepSilenced }: Disturbance,
): Rows {
  const { partition, from, next } = range
  const size = next - from
  const rows = {
    offset: new Float64Array(size),
    key: new Int32Array(size),
    tick: new Float64Array(size),
    time: new Float64Array(size),
    fault: new Int32Array(size),
  }
  const own = keysIn(layout, partition)
  let tick = Math.floor(from / own)
  let place = from - tick * own
  let count = 0
  for (let offset = from; offset < next; offset++) {
    const key = partition + layout.partitions * place
    const elapsed = timeAfterStart(layout, tick, key)
    const fault = faults?.at(key, elapsed) ?? 0
    const silenced = fault > 0 && !keepSilenced && faults?.silences(fault)
    if (!silenced && !silent?.(key, elapsed)) {
      rows.offset[count] = offset
      rows.key[count] = key
      rows.tick[count] = tick
      rows.time[count] = start + elapsed
      rows.fault[count] = fault
      count += 1
    }
    place += 1
    if (place === own) {
      place = 0
      tick += 1
    }
  }
  return { count, ...rows }
}
