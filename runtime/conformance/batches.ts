import { createHash } from 'node:crypto'
import type { Batch } from '../batch'
import { type Column, createColumn } from '../column'
import { field, type Schema, timestamp } from '../schema'
import { appendEmpty, appendValue } from '../value'

/** The suite's own input: the usual kinds of columns, some with nulls. */
export const SUITE_SCHEMA: Schema = {
  fields: [
    field('ts', timestamp('ms')),
    field('device', 'utf8'),
    field('site', 'dictionary', true),
    field('cpu', 'f64', true),
    field('bytes', 'i64'),
    field('status', 'i32', true),
    field('ok', 'bool', true),
    field('tags', { kind: 'list', item: field('item', 'utf8') }),
  ],
}

/** Row i of the suite's own schema. Small values, so that any sensible config can work on them. */
const suiteRow = (i: number): Readonly<Record<string, unknown>> => ({
  ts: 1_700_000_000_000 + i * 1000,
  device: `d${i % 7}`,
  site: i % 5 === 0 ? null : `site-${i % 3}`,
  cpu: i % 11 === 3 ? null : (i * 37) % 101,
  bytes: i * 1000,
  status: i % 4 === 0 ? null : 200 + (i % 3),
  ok: i % 6 === 0 ? null : i % 2 === 0,
  tags: i % 3 === 0 ? [] : [`t${i % 2}`],
})

/** A batch of `length` rows with this selection; columns of a foreign schema hold empty cells. */
export function suiteBatch(schema: Schema, length: number, selection: Int32Array | null): Batch {
  const columns = schema.fields.map(f => {
    const column = createColumn(f, length)
    for (let i = 0; i < length; i++) {
      if (schema === SUITE_SCHEMA) appendValue(column, suiteRow(i)[f.name])
      else appendEmpty(column)
    }
    return column
  })
  return {
    schema,
    columns,
    length,
    selection,
    origin: { lane: 3, ranges: length > 0 ? [{ topic: 'suite', partition: 1, from: 50, to: 49 + length }] : [] },
    rows: {
      range: new Int32Array(length),
      offset: Float64Array.from({ length }, (_, i) => 50 + i),
      timestamp: Float64Array.from({ length }, (_, i) => 1_700_000_000_000 + i),
    },
    rejected: [],
    raw: row => ({
      topic: 'suite',
      partition: 1,
      offset: 50 + row,
      timestamp: -1,
      key: null,
      value: Buffer.from(`row ${row}`),
      headers: [],
    }),
  }
}

/** Changes if any byte of a column within its length changes. */
export function columnHash(column: Column): string {
  const hash = createHash('sha256')
  const add = (c: Column): void => {
    hash.update(`${c.layout} ${c.length} ${JSON.stringify(c.type)};`)
    if (c.nulls) hash.update(c.nulls.subarray(0, c.length))
    switch (c.layout) {
      case 'i64':
        hash.update(c.halves.subarray(0, 2 * c.length))
        return
      case 'var':
        hash.update(c.offsets.subarray(0, c.length + 1)).update(c.data.subarray(0, c.offsets[c.length]))
        return
      case 'fixed':
        hash.update(c.data.subarray(0, c.length * c.width))
        return
      case 'dictionary':
        hash.update(c.ids.subarray(0, c.length)).update(JSON.stringify(c.dictionary))
        return
      case 'list':
        hash.update(c.offsets.subarray(0, c.length + 1))
        add(c.child)
        return
      case 'map':
        hash.update(c.offsets.subarray(0, c.length + 1))
        add(c.keys)
        add(c.child)
        return
      case 'struct':
        c.children.forEach(add)
        return
      default:
        hash.update(c.values.subarray(0, c.length))
    }
  }
  add(column)
  return hash.digest('hex')
}
