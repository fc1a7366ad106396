import { ConnectError } from '../../runtime/errors'
import type { Field } from '../../runtime/schema'
import { momentOfEpoch, type TextRules } from './cells'
import type { CsvFields } from './csv'
import type { Cursor } from './cursor'
import type { FileOptions } from './options'
import { fieldsOf } from './shape'
import { parseMoment } from './time_text'

/** The records of several cursors in one order. */
export interface Order {
  /** The cursor at the next record, or null. */
  current(): Cursor | null
  /** Past that record. */
  advance(): Promise<void> | void
}

/** One cursor after the other. */
export function inSequence(cursors: readonly Cursor[]): Order {
  let i = 0
  const current = (): Cursor | null => {
    while (i < cursors.length && cursors[i].page === null) i += 1
    return cursors[i] ?? null
  }
  return { current, advance: () => current()?.next() }
}

/** What a merge needs to know of a record: where it belongs. */
export type KeyOf = (cursor: Cursor) => number | null

/**
 * By key, and records with equal keys in the order of their files: a heap of the cursors. A record without a readable key stays
 * behind the one before it in its file (it is rejected later, with the reason).
 */
export function merged(cursors: readonly Cursor[], keyOf: KeyOf, unsorted: FileOptions['unsorted']): Order {
  const heap: Cursor[] = []
  const before = (a: Cursor, b: Cursor): boolean => a.key < b.key || (a.key === b.key && a.order < b.order)
  const read = (cursor: Cursor): void => {
    const key = keyOf(cursor)
    if (key !== null && key < cursor.key && unsorted === 'refuse') throw notSorted(cursor)
    cursor.key = key === null ? cursor.key : Math.max(key, cursor.key)
  }
  const sink = (from: number): void => {
    for (let i = from; ; ) {
      const left = 2 * i + 1
      if (left >= heap.length) return
      const least = left + 1 < heap.length && before(heap[left + 1], heap[left]) ? left + 1 : left
      if (!before(heap[least], heap[i])) return
      const moved = heap[i]
      heap[i] = heap[least]
      heap[least] = moved
      i = least
    }
  }
  for (const cursor of cursors) {
    if (cursor.page === null) continue
    read(cursor)
    heap.push(cursor)
  }
  for (let i = (heap.length >> 1) - 1; i >= 0; i--) sink(i)
  const settle = (): void => {
    if (heap[0].page !== null) read(heap[0])
    else {
      const last = heap.pop()
      if (last && heap.length > 0) heap[0] = last
    }
    sink(0)
  }
  return {
    current: () => heap[0] ?? null,
    advance: () => {
      const waiting = heap[0]?.next()
      return waiting ? waiting.then(settle) : settle()
    },
  }
}

function notSorted(cursor: Cursor): ConnectError {
  const line = cursor.page?.line[cursor.at] ?? 0
  return new ConnectError(
    'D001_MALFORMED',
    `${cursor.shape.file.path}:${line}: the value of merge_by is below the one before it`,
    {
      hint: 'sort the file, or set unsorted: keep to leave such records after the one before them',
    },
  )
}

/** Reads the value of a column as a number that orders as the column does. Throws C020_TYPE_MISMATCH for other kinds. */
export function keyReader(by: Field, rules: TextRules): KeyOf {
  const { kind } = by.type
  if (!['i32', 'i64', 'f32', 'f64', 'date', 'timestamp'].includes(kind)) {
    throw new ConnectError('C020_TYPE_MISMATCH', `merge_by: ${by.name} is ${kind}`, { hint: 'merge by a timestamp or a number' })
  }
  const toNumber = (text: string): number | null => {
    if (kind === 'date' || (kind === 'timestamp' && !/^[+-]?\d+$/.test(text))) {
      const moment = parseMoment(text, rules.local)
      return moment ? moment.ms + moment.nanos / 1e6 : null
    }
    if (kind === 'timestamp') {
      const moment = momentOfEpoch(BigInt(text), rules.epoch)
      return moment.ms + moment.nanos / 1e6
    }
    const value = text === '' ? Number.NaN : Number(text)
    return Number.isNaN(value) ? null : value
  }
  const splitters = new Map<Cursor, { readonly fields: CsvFields; readonly index: number }>()
  return cursor => {
    const { page, at, shape } = cursor
    if (!page || page.tooLong[at]) return null
    const { buffer, start, end } = page
    if (shape.format === 'ndjson') return jsonKey(buffer.toString('utf8', start[at], end[at]), by.name, toNumber)
    let splitter = splitters.get(cursor)
    if (!splitter) {
      splitter = { fields: fieldsOf(shape), index: shape.header.indexOf(by.name) }
      splitters.set(cursor, splitter)
    }
    const { fields, index } = splitter
    if (!fields.split(buffer, start[at], end[at]) || index < 0 || index >= fields.count) return null
    return toNumber(fields.text(index))
  }
}

function jsonKey(text: string, name: string, toNumber: (text: string) => number | null): number | null {
  try {
    const value = (JSON.parse(text) as Readonly<Record<string, unknown>> | null)?.[name]
    return typeof value === 'string' || typeof value === 'number' ? toNumber(String(value)) : null
  } catch {
    return null
  }
}
