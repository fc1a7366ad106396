import type { GenerateOptions } from './options'

/**
 * Which record stands at which offset, as plain arithmetic. The keys report in turn: tick t of key k is record number
 * t * keys + k. Key k lives in partition k mod partitions, so a partition holds every `partitions`-th key and its offsets
 * count their records in the same order.
 */
export interface Layout {
  readonly keys: number
  readonly partitions: number
  /** Milliseconds of event time between two records in number order. */
  readonly step: number
  /** All keys of a tick carry the same time (`interval`), or each its own (`rate`). */
  readonly aligned: boolean
  /** Records in all; null: without end. */
  readonly count: number | null
}

const DEFAULT_INTERVAL_MS = 1000

export function layoutOf(options: GenerateOptions): Layout {
  const keys = options.keys?.count ?? options.partitions
  const aligned = options.interval !== undefined || options.rate === undefined
  const step =
    options.interval === undefined && options.rate !== undefined
      ? 1 / options.rate
      : (options.interval ?? DEFAULT_INTERVAL_MS) / keys
  const length = { keys, partitions: options.partitions, step, aligned, count: null }
  const count = options.count ?? (options.for === undefined ? null : recordsWithin(length, options.for))
  return { ...length, count }
}

/** Records whose event time lies less than `ms` after the start. */
export const recordsWithin = (layout: Layout, ms: number): number =>
  layout.aligned ? Math.ceil(ms / (layout.step * layout.keys)) * layout.keys : Math.ceil(ms / layout.step)

/** Keys of a partition. */
export const keysIn = (layout: Layout, partition: number): number =>
  Math.floor((layout.keys - partition - 1) / layout.partitions) + 1

/** Offset after the last record of a partition whose number is below `records`. */
export function endOffset(layout: Layout, partition: number, records: number): number {
  const ticks = Math.floor(records / layout.keys)
  const rest = records - ticks * layout.keys
  const inRest = rest > partition ? Math.floor((rest - partition - 1) / layout.partitions) + 1 : 0
  return ticks * keysIn(layout, partition) + inRest
}

/** Number of the record at an offset of a partition. */
export function recordAt(layout: Layout, partition: number, offset: number): number {
  const own = keysIn(layout, partition)
  const tick = Math.floor(offset / own)
  return tick * layout.keys + partition + layout.partitions * (offset - tick * own)
}

/** Event time of a record in milliseconds after the start. */
export const timeAfterStart = (layout: Layout, tick: number, key: number): number =>
  layout.aligned ? Math.round(tick * layout.step * layout.keys) : Math.floor((tick * layout.keys + key) * layout.step)
