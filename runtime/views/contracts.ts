import type { PluginContext, Source } from '../plugin'
import type { ColumnSet } from '../store'

/**
 * The parts of a view's life that touch services, as the finaliser sees them. Moments are milliseconds since 1970. A window is
 * named by its end.
 */
export interface WindowStore {
  /** Records and stored rows of each pane (by its start) from a moment on; null: all that are kept. Ascending. */
  paneTotals(from: number | null, signal: AbortSignal): Promise<readonly PaneTotal[]>
  /** Records of each closed window as its rows say, for windows that end at or after a moment. */
  rowTotals(from: number | null, signal: AbortSignal): Promise<ReadonlyMap<number, number>>
  /** Writes the rows of these windows (ascending) out of their panes. The same panes give the same rows. */
  finalise(ends: readonly number[], signal: AbortSignal): Promise<void>
  /**
   * Rows of closed windows (their ends, ascending) in window order, with `window_start`, `window_end`, keys, columns, `_rev`.
   * At most so many rows; null: all. With `shards`, only of keys in the wanted ones, and a last column `_shard` says in which.
   */
  read(ends: readonly number[], most: number | null, signal: AbortSignal, shards?: Shards): Promise<ColumnSet>
  /** Drops panes that lie wholly before this moment; may keep some of them. */
  prune(before: number, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** A key is in the shard that the hash of its values gives, of `of`; a view without keys is in shard 0. */
export interface Shards {
  readonly of: number
  /** From 0; at least one. */
  readonly wanted: readonly number[]
}

export interface PaneTotal {
  readonly pane: number
  readonly records: number
  readonly rows: number
}

/**
 * `close`: these windows ended. `revise`: records reached windows that were closed before. `final`: nothing that counts comes
 * any more. Readers see the rows as they are when they read, at least as new as the closing.
 */
export type ClosingKind = 'close' | 'revise' | 'final'

export interface Closing {
  readonly view: string
  /** Event time up to which the view was complete. */
  readonly watermark: number
  /** Ascending. */
  readonly windowEnds: readonly number[]
  readonly kind: ClosingKind
}

/** How far the closings of a view have come: all that the next finaliser must know. Window ends; -Infinity: none yet. */
export interface Reached {
  readonly closed: number
  readonly final: number
  readonly watermark: number
  /** Windows that were about to be revised, where nothing says that it was done and told. */
  readonly revising: readonly number[]
}

/** Where the finaliser of a view writes down what it did. */
export interface ClosingWriter {
  /** After everything that was ever appended. */
  readonly reached: Reached
  /** Durable, all of them and each once, when it resolves. After an error it may be used no more: what stands is to be looked up. */
  append(closings: readonly Closing[]): Promise<void>
  /**
   * Says which windows are about to be revised, before their rows are written: rows that count all records again do not show that
   * nobody was told of them. Readers see nothing of it.
   */
  announce(windowEnds: readonly number[]): Promise<void>
}

// ------------------------------------------------------------------------------------------------------- one worker

/** A closing and its place in the log of its view, from 0 without gaps. */
export interface LoggedClosing extends Closing {
  readonly offset: number
}

/** The acts of the finaliser of one view, in order, on this machine; what reads a view has a place in it as its position. */
export interface ClosingLog extends ClosingWriter {
  /** Drawn when the log was begun: positions in another log mean nothing here. */
  readonly id: string
  /** Offset of the next closing. */
  readonly end: number
  /** Up to `limit` closings from an offset on; empty at the end. */
  read(from: number, limit: number): Promise<readonly LoggedClosing[]>
  /** Resolves at the next append, or rejects with the signal's reason. */
  appended(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

// --------------------------------------------------------------------------------------------------- several workers

/**
 * The closings of one view where all workers of the pipeline find them. Each closing stands once in every shard's partition, so
 * that the keys of a shard are read in window order, by one worker, with an offset as position. `closing_record.ts` says what a
 * record of it holds.
 */
export interface SharedClosings {
  /** Makes the partitions where they are missing. Throws retriable errors while the service is away. */
  open(signal: AbortSignal): Promise<void>
  /** Partitions as a source with undecoded records, read as a member of the group of a flow. */
  source(context: PluginContext): Source
  /**
   * Resolves when this worker is the one that finalises the view: no other can append from then on, whatever it believes. To be
   * asked again after `over` and after an error of `append`.
   */
  own(signal: AbortSignal): Promise<OwnedClosings>
  /** Lets another worker finalise. */
  release(): Promise<void>
  close(): Promise<void>
}

export interface OwnedClosings extends ClosingWriter {
  /** Aborts when another worker takes over. */
  readonly over: AbortSignal
}

/** What a view source is given. */
export type ViewClosings =
  | { readonly kind: 'local'; log(): Promise<ClosingLog> }
  | { readonly kind: 'shared'; readonly shared: SharedClosings }
