import type { Batch, ColumnBlock, RawRecord, RecordBlock } from './batch'
import type { Column } from './column'
import type { ConnectError } from './errors'
import type { Lease, Memory } from './memory'
import type { TopicPartition } from './origin'
import type { Schema } from './schema'

/**
 * The contracts between the engine and its plugins: what it calls, in which order, and what each error makes it do.
 *
 * Order of calls in a flow: create everything -> source.open -> format.open -> transform.bind in order -> sink.open ->
 * per session: sink.lane, lane.committed, (replay), poll / write / commit ... -> lane.close -> sink.close -> source.close.
 * The engine calls one plugin instance from one flow only; calls of different lanes interleave, calls of one lane do not.
 */

// ---------------------------------------------------------------------------------------------------------------- source

/** What one partition's position says. */
export interface Committed {
  /** Next offset to read; -1: none was ever stored. */
  readonly offset: number
  /** What the engine stored with it; null: nothing. */
  readonly metadata: string | null
}

export interface Position extends TopicPartition {
  readonly offset: number
  readonly metadata: string
}

export type Block = ({ readonly kind: 'records' } & RecordBlock) | ({ readonly kind: 'columns' } & ColumnBlock)

/** A stretch of one partition as it was read. `block` is null where the stretch holds no record (control records, holes). */
export interface Chunk extends TopicPartition {
  /** First offset the stretch covers. */
  readonly from: number
  /** Offset after the last one the stretch covers. */
  readonly next: number
  readonly block: Block | null
  /** Bytes of memory it holds, for back-pressure. */
  readonly bytes: number
  /** A stretch whose bytes are damaged (wrong checksum). Its block is null; `raw` carries the bytes for the dead letter. */
  readonly damaged?: { readonly error: ConnectError; readonly raw: RawRecord }
  /** Rows that were delivered before and come once more (a window that was revised or became final): they are not counted as read again. */
  readonly repeated?: number
  /** The source has nothing more for now and does not expect any soon: a batch is cut without waiting for its `flush.interval`. */
  readonly urgent?: boolean
  /** What the block lies in, where the source wants that back; released once its batch is settled. */
  readonly lease?: Lease | null
}

/**
 * A source. `open` connects and checks; it throws a retriable error while a service is away (the engine waits and calls again)
 * and any other error stops the flow. `session` resolves with the next session: a group member's generation, or the one
 * session of a source without groups. The engine asks for the next only after the last is over and its lanes are closed.
 */
export interface Source {
  /**
   * Takes what one process alone may have, such as positions on its disk, before any flow of the process is opened: who is refused
   * must not have taken lanes from others. Throws E008_DATA_LOCKED. `open` takes it where this was not called; `close` gives it back.
   */
  claim?(): Promise<void>
  /** The schema of its column blocks; null where it delivers undecoded records (the format knows then). */
  open(signal: AbortSignal): Promise<Schema | null>
  session(signal: AbortSignal): Promise<Session>
  /** Leaves the group and closes every connection. Safe to call twice and after a failed open. */
  close(): Promise<void>
}

export interface Session {
  /** For logs: member and generation. */
  readonly id: string
  /** Aborts when this session may commit no more (rebalance, fencing, lost member). Reason: a ConnectError. */
  readonly over: AbortSignal
  readonly lanes: readonly LaneReader[]
  /** False: other workers hold some of the flow's partitions. Absent: this session has them all. */
  readonly whole?: boolean
  /**
   * How far the whole group is, in one look at every partition of the flow; absent where `whole` is never false. Throws
   * P005_SESSION_OVER when it ended.
   */
  survey?(signal: AbortSignal): Promise<readonly PartitionSurvey[]>
}

export interface PartitionSurvey extends TopicPartition {
  readonly committed: Committed
  /** Where its reader goes on: the committed offset, else where the flow starts. */
  readonly next: number
  /** As `LaneReader.ends`. */
  readonly end: number
}

/**
 * One lane of a session: a fixed set of partitions, read and committed as a whole. `poll` hands over what has arrived since
 * the last call, per partition in offset order without gaps, and waits until there is something or the signal aborts.
 */
export interface LaneReader {
  readonly lane: number
  /** In the order in which rows stand in a batch. */
  readonly partitions: readonly TopicPartition[]
  /** Offset and metadata of every partition in one answer, bound to this session. Throws P005_SESSION_OVER when it ended. */
  committed(signal: AbortSignal): Promise<ReadonlyMap<string, Committed>>
  /** Where partitions without a position start (`start:` of the source). */
  startOffsets(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<ReadonlyMap<string, number>>
  /** Begins delivery at these offsets, one for each partition of the lane. Called once, before the first poll. */
  begin(next: ReadonlyMap<string, number>): void
  /** Null: the input is bounded and this lane has delivered all of it. Rejects with the signal's reason when it aborts. */
  poll(signal: AbortSignal): Promise<readonly Chunk[] | null>
  /** Stops fetching while the engine holds enough; `resume` ends it. Never blocks. */
  pause(partitions: readonly TopicPartition[]): void
  resume(partitions: readonly TopicPartition[]): void
  /**
   * Stores positions in ONE request, bound to the session that read them, and resolves only when every partition's answer is
   * positive. Throws P005_SESSION_OVER (nothing may be written any more) or an error that stops the flow; retries what is
   * worth it by itself until the session ends.
   */
  commit(positions: readonly Position[], signal: AbortSignal): Promise<void>
  /** End of each partition: the offset the next record will get, open transactions included. */
  ends(signal: AbortSignal): Promise<ReadonlyMap<string, number>>
  /** Identity of the group for positions stored inside a sink's transaction; null where the source has no such thing. */
  readonly group: TransactionGroup | null
}

export interface TransactionGroup {
  readonly id: string
  readonly memberId: string
  readonly generation: number
  /** Address list of the cluster, to tell whether a sink writes to the same one. */
  readonly cluster: string
}

// ---------------------------------------------------------------------------------------------------------------- format

/** Bytes to columns and back. One instance serves one side of one flow. */
export interface Format {
  /**
   * Fixes the reader schema. Null: it is not known before the first record (no schema registered yet); the engine then calls
   * `infer` with the first block. Throws retriable errors while a registry is away.
   */
  open(signal: AbortSignal): Promise<Schema | null>
  /** The schema as the first records show it. Called at most once, only after `open` gave null. */
  infer(block: RecordBlock, part: 'key' | 'value', signal: AbortSignal): Promise<Schema>
  /** A decoder that appends blocks to one set of columns; the engine makes one per batch, whose columns come out of `memory`. */
  decoder(schema: Schema, capacity: number, memory?: Memory): Decoder
  /** Bytes for rows; only where the declaration's `capabilities.encodes` is true. */
  encoder?(schema: Schema, signal: AbortSignal): Promise<Encoder>
  close(): Promise<void>
}

export interface Decoder {
  readonly columns: readonly Column[]
  /**
   * Appends every record of the block as one row each, bad ones too (their cells are then unspecified but present), and
   * reports those: `reject(row in block, error)`. Null values (tombstones) are not decoded: the row is filled with empty
   * cells and the engine, which knows them from valueStart, settles them. May wait for a registry; throws only for what concerns all records
   * (a registry that is away: retriable).
   */
  decode(
    block: RecordBlock,
    part: 'key' | 'value',
    reject: (row: number, error: ConnectError) => void,
    signal: AbortSignal,
  ): Promise<void> | void
  /** Rows that took a slow path, by reason, since the decoder was made. */
  readonly slow?: Readonly<Record<string, number>>
}

export interface Encoder {
  /** Bytes of one row (null: a tombstone), or an error for a row that cannot be written. `row` is physical. */
  encode(columns: readonly Column[], row: number): Buffer | null | ConnectError
}

// ------------------------------------------------------------------------------------------------------------- transform

/**
 * A transform is bound to its input schema once (which is where unknown columns and ill-typed expressions are refused) and then
 * applied to batches. Pure in its input: it never changes the columns it is given; it returns new ones or the same.
 *
 * The memory of a batch is lent: once the batch is settled it goes to another one. Whoever keeps something of its columns or of
 * `raw` beyond that copies it.
 *
 * With the capability `changes_rows` the output has rows of its own: origin is kept, each output row has the provenance (`rows`,
 * `raw`) of the input row it came from, in input order, and `replaced` grows by the live rows taken in (less those rejected)
 * minus the rows given out. So positions, counters and dead letters go on to work.
 *
 * With the capability `stateful` the output also depends on the batches before, of the same lane only (`batch.origin.lane`), and
 * never on how the rows were cut into batches or on a clock. What it knows of a lane is the lane's `snapshot`; `restore` on
 * another instance with the same config, then the same rows, give the same output to the bit.
 */
export interface Transform {
  /** Output schema for this input schema. Throws ConnectError C0xx. Called once before `apply`. */
  bind(schema: Schema): Schema
  /** Narrows the selection, replaces columns, appends to `rejected`. Keeps origin, rows, raw and length. */
  apply(batch: Batch, context: ApplyContext): Batch | Promise<Batch>
  /** Stateful ones, after `bind`: all it knows of a lane, as bytes of its own. Called between batches. */
  snapshot?(lane: number): Buffer
  /**
   * Replaces what it knows of a lane; null: nothing. False: these bytes were made with another config or version, and the lane
   * now starts from nothing.
   */
  restore?(lane: number, bytes: Buffer | null): boolean
  close?(): Promise<void>
}

export interface ApplyContext {
  readonly signal: AbortSignal
  /** Makes a rejection of a physical row of this batch; the transform must also take the row out of the selection. */
  reject(batch: Batch, row: number, error: ConnectError): Batch['rejected'][number]
}

// ------------------------------------------------------------------------------------------------------------------ sink

export interface SinkLaneInfo {
  readonly lane: number
  readonly partitions: readonly TopicPartition[]
  readonly group: TransactionGroup | null
}

/**
 * A sink. `open` makes or checks what it writes to, knowing the schema it will be given; it may throw retriable errors while a service is away.
 */
export interface Sink {
  open(schema: Schema, signal: AbortSignal): Promise<void>
  /** A writer for one lane of one session. A transactional sink fences its predecessor here, before positions are read. */
  lane(info: SinkLaneInfo, signal: AbortSignal): Promise<SinkLane>
  /** Event time of the table, where the sink has one: the engine then computes `_behind`, the watermark and `max_ahead`. */
  readonly eventTime?: EventTimeOptions
  close(): Promise<void>
}

export interface EventTimeOptions {
  readonly column: string
  /** Milliseconds; null = not checked. */
  readonly maxAhead: number | null
}

export type SinkLane = TokenLane | TransactionLane

export interface WriteResult {
  /** Rows that are now durable. */
  readonly written: number
  /** Rows (positions in the dense batch) that the store refused for their data; all others are durable. */
  readonly failed: readonly { readonly row: number; readonly error: ConnectError }[]
}

export interface TokenWrite {
  /** The same token with the same rows leaves them once. */
  readonly token: string
  /** True after an error or a crash: the sink must check what is there, because a token alone can lie (see the sink). */
  readonly resend: boolean
  /** Milliseconds since 1970 at which these ranges were named in the position; null on the first try of a batch. */
  readonly namedAt: number | null
  /** Milliseconds behind the largest event time of the row's own partition, row for row; null without event time. */
  readonly behind: Float64Array | null
  readonly signal: AbortSignal
}

/** A lane whose store remembers tokens (or, by its declared capability, does not: at least once). */
export interface TokenLane {
  readonly delivery: 'token'
  /**
   * `batch` is dense (selection null). If it throws, nothing is assumed durable. Once it has resolved, the memory of the batch may
   * be used for another one: nothing may still be sending it.
   */
  write(batch: Batch, options: TokenWrite): Promise<WriteResult>
  /**
   * Highest offset the store holds of each partition, -1 for none; null where it cannot tell. Read once on start as a guard.
   * `known` (by partitionKey: the highest offset that the position accounts for, -1 for none) lets a store look only for rows
   * above, which an index finds, and answer -1 where there are none; without it, it reads everything it holds.
   */
  highest(
    partitions: readonly TopicPartition[],
    signal: AbortSignal,
    known?: ReadonlyMap<string, number>,
  ): Promise<ReadonlyMap<string, number> | null>
  close(): Promise<void>
}

/** A lane whose store keeps the position in the same transaction as the rows. */
export interface TransactionLane {
  readonly delivery: 'transaction'
  /** Positions stored by the last committed transaction; null where they stand in the source's own group. */
  committed(signal: AbortSignal): Promise<ReadonlyMap<string, Committed> | null>
  /**
   * Rows and positions in one transaction. Throws P007_RESULT_UNKNOWN where it cannot be told whether it happened (the engine
   * opens the lane again, which fences, and reads the position), K006_FENCED when another worker took over.
   */
  write(batch: Batch, options: TransactionWrite): Promise<WriteResult>
  close(): Promise<void>
}

export interface TransactionWrite {
  /** Stored with the rows, in the same transaction. */
  readonly positions: readonly Position[]
  /**
   * The sink calls this once per attempt, with the rows it cannot write (none: an empty list), and awaits it before it commits:
   * the position passes these rows, so their dead letters must be durable first. If it throws, the transaction is aborted.
   */
  settle(failed: WriteResult['failed']): Promise<void>
  readonly signal: AbortSignal
}

/** Where rejected records go. At least once; `id` is topic|partition|offset. A throw stops the flow before the record. */
export interface DeadLetterWriter {
  open(signal: AbortSignal): Promise<void>
  write(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export interface DeadLetter {
  readonly id: string
  readonly pipeline: string
  readonly flow: string
  readonly stage: string
  readonly plugin: string
  readonly error: ConnectError
  readonly record: RawRecord
}
