import type { Column } from './column'
import type { ConnectError } from './errors'
import type { Origin } from './origin'
import type { Schema } from './schema'
import type { StageName } from './stage_name'

/**
 * Records of one partition in offset order, not decoded: one buffer and positions in it, so that a fetch costs no object per
 * record. All arrays have at least `count` entries. A null key or value has start -1 and end -1.
 */
export interface RecordBlock {
  readonly topic: string
  readonly partition: number
  readonly count: number
  readonly buffer: Buffer
  readonly keyStart: Int32Array
  readonly keyEnd: Int32Array
  readonly valueStart: Int32Array
  readonly valueEnd: Int32Array
  /** Kafka's encoded headers: a varint count, then (varint length, name, varint length or -1, value) each. start = end: none. */
  readonly headersStart: Int32Array
  readonly headersEnd: Int32Array
  readonly offset: Float64Array
  /** Milliseconds since 1970; -1 where the source has none. */
  readonly timestamp: Float64Array
}

/** Rows of one partition that the source could already type (generated rows, a view's rows). */
export interface ColumnBlock {
  readonly topic: string
  readonly partition: number
  readonly count: number
  readonly schema: Schema
  readonly columns: readonly Column[]
  readonly offset: Float64Array
  readonly timestamp: Float64Array
  /** Rows the source could not type (their cells are unspecified), ascending. */
  readonly rejected: readonly { readonly row: number; readonly error: ConnectError }[]
  /** The row as it stood in the source, for a dead letter. */
  readonly raw: (row: number) => RawRecord
}

/** One record as the source delivered it, for a dead letter. */
export interface RawRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since 1970; -1 where the source has none. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
}

/** Provenance of every physical row of a batch; index = row. */
export interface RowOrigins {
  /** Index into the batch's origin.ranges. */
  readonly range: Int32Array
  readonly offset: Float64Array
  /** Milliseconds since 1970; -1 where the source has none. */
  readonly timestamp: Float64Array
}

/** A row that could not pass a stage. It has left the batch's selection and waits to be settled as a dead letter. */
export interface Rejection {
  readonly stage: StageName
  readonly plugin: string
  readonly error: ConnectError
  readonly record: RawRecord
}

/**
 * What flows: columns of equal length, which rows of them still take part, and where they came from.
 *
 * Filters narrow `selection`; nobody copies columns until `take` makes them dense just before the sink. Filtered rows just
 * leave the selection (counted as filtered); rejected rows leave it and stand in `rejected`. Dropped, failed and empty are
 * three different things.
 */
export interface Batch {
  readonly schema: Schema
  readonly columns: readonly Column[]
  /** Physical rows in the columns. */
  readonly length: number
  /** Ascending physical rows that take part; null = all of them. */
  readonly selection: Int32Array | null
  readonly origin: Origin
  readonly rows: RowOrigins
  readonly rejected: readonly Rejection[]
  /** The source's own bytes of a physical row; decoded only when somebody asks. */
  readonly raw: (row: number) => RawRecord
  /**
   * Rows that transforms with the capability `changes_rows` took in, less those they gave out instead (negative where they gave
   * more). Keeps them apart from filtered rows; absent: 0.
   */
  readonly replaced?: number
}

/** Rows that take part. */
export const liveRows = (batch: Batch): number => (batch.selection ? batch.selection.length : batch.length)
