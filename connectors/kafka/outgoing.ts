import type { Batch } from '../../runtime/batch'
import type { Column } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import type { Encoder } from '../../runtime/plugin'
import { requireColumn } from '../../runtime/require_column'
import { type Schema, TICKS_PER_MS } from '../../runtime/schema'
import { type Value, valueAt } from '../../runtime/value'
import { partitionOf } from './murmur2'
import { type OutgoingRecord, recordSize } from './record_batch'
import type { Parcel } from './transactional_producer'

/** Rows to records: key, value, time and partition of each. */

export interface RowEncoderOptions {
  readonly topic: string
  readonly partitions: number
  readonly schema: Schema
  readonly value: Encoder
  /** Columns of the key, in order; none: records have no key. */
  readonly key: readonly string[]
  /** Encodes the key columns; null: one column as its text, several as a JSON object. */
  readonly keyFormat: Encoder | null
  /** Column with the record's time; null: the time of the source record, else now. */
  readonly timestamp: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly now: () => number
  /** Told the time of the oldest record of each batch that has any. */
  readonly wrote?: (oldest: number) => void
}

/** A parcel that knows the rows of its records, so that a refusal can be narrowed down to them. */
export interface RowParcel extends Parcel {
  readonly rows: readonly number[]
}

export interface EncodedRows {
  readonly parcels: readonly RowParcel[]
  readonly failed: { readonly row: number; readonly error: ConnectError }[]
}

/** Uncompressed bytes of a batch: well below the broker's limit (message.max.bytes, 1 MiB), and large enough to compress well. */
const PARCEL_BYTES = 512 * 1024

export class RowEncoder {
  readonly #o: RowEncoderOptions
  readonly #keyColumns: readonly number[]
  readonly #timestamp: number
  readonly #headers: OutgoingRecord['headers']
  #turn = 0

  constructor(options: RowEncoderOptions) {
    this.#o = options
    this.#keyColumns = options.key.map(name => requireColumn(options.schema, name, 'key'))
    this.#timestamp = options.timestamp === null ? -1 : requireColumn(options.schema, options.timestamp, 'timestamp')
    const type = this.#timestamp < 0 ? null : options.schema.fields[this.#timestamp].type
    if (type && type.kind !== 'timestamp') {
      throw new ConnectError('C020_TYPE_MISMATCH', `timestamp: ${options.timestamp} is ${type.kind}, not a timestamp`)
    }
    this.#headers = Object.entries(options.headers).map(([name, value]) => [name, Buffer.from(value)])
  }

  /** Records of a dense batch by partition, in row order, in parcels of at most about PARCEL_BYTES (a larger record alone). */
  encode(batch: Batch): EncodedRows {
    const parcels: RowParcel[] = []
    const failed: EncodedRows['failed'] = []
    const open = new Map<number, { records: OutgoingRecord[]; rows: number[]; bytes: number }>()
    const { topic } = this.#o
    // records without a key go to one partition a batch, which makes larger batches (KIP-480)
    const keyless = this.#turn++ % this.#o.partitions
    let oldest = Number.POSITIVE_INFINITY
    for (let row = 0; row < batch.length; row++) {
      const record = this.#record(batch, row)
      if (record instanceof ConnectError) {
        failed.push({ row, error: record })
        continue
      }
      if (record.timestamp < oldest) oldest = record.timestamp
      const partition = record.key === null ? keyless : partitionOf(record.key, this.#o.partitions)
      const size = recordSize(record)
      let parcel = open.get(partition)
      if (parcel && parcel.bytes + size > PARCEL_BYTES) {
        parcels.push({ topic, partition, records: parcel.records, rows: parcel.rows })
        parcel = undefined
      }
      if (!parcel) {
        parcel = { records: [], rows: [], bytes: 0 }
        open.set(partition, parcel)
      }
      parcel.records.push(record)
      parcel.rows.push(row)
      parcel.bytes += size
    }
    for (const [partition, { records, rows }] of open) parcels.push({ topic, partition, records, rows })
    if (oldest < Number.POSITIVE_INFINITY) this.#o.wrote?.(oldest)
    return { parcels, failed }
  }

  #record(batch: Batch, row: number): OutgoingRecord | ConnectError {
    const value = this.#o.value.encode(batch.columns, row)
    if (value instanceof ConnectError) return value
    const key = this.#key(batch.columns, row)
    if (key instanceof ConnectError) return key
    return { key, value, timestamp: this.#time(batch, row), headers: this.#headers }
  }

  #key(columns: readonly Column[], row: number): Buffer | null | ConnectError {
    if (this.#keyColumns.length === 0) return null
    const { keyFormat, key } = this.#o
    if (keyFormat) {
      return keyFormat.encode(
        this.#keyColumns.map(c => columns[c]),
        row,
      )
    }
    if (this.#keyColumns.length > 1) {
      return Buffer.from(
        JSON.stringify(Object.fromEntries(key.map((name, i) => [name, plain(valueAt(columns[this.#keyColumns[i]], row))]))),
      )
    }
    const column = columns[this.#keyColumns[0]]
    if (column.nulls?.[row]) return null
    if (column.layout === 'var') return column.bytes(row)
    const value = valueAt(column, row)
    return value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(keyText(value))
  }

  #time(batch: Batch, row: number): number {
    if (this.#timestamp >= 0) {
      const column = batch.columns[this.#timestamp]
      const { type } = this.#o.schema.fields[this.#timestamp]
      if (column.layout === 'i64' && type.kind === 'timestamp' && !column.nulls?.[row]) {
        return Math.floor(column.number(row) / TICKS_PER_MS[type.unit])
      }
    }
    const source = batch.rows.timestamp[row]
    return source >= 0 ? source : this.#o.now()
  }
}

const keyText = (value: Value): string => (typeof value === 'object' ? JSON.stringify(plain(value)) : String(value))

/** A value as JSON has it: bytes as base64, integers beyond 2^53 as text, maps as objects. */
function plain(value: Value): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value instanceof Map) return Object.fromEntries([...value].map(([k, v]) => [k, plain(v)]))
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]))
  return value
}
