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
   * At most so many rows; null: all.
   */
  read(ends: readonly number[], most: number | null, signal: AbortSignal): Promise<ColumnSet>
  /** Drops panes that lie wholly before this moment; may keep some of them. */
  prune(before: number, signal: AbortSignal): Promise<void>
  close(): Promise<void>
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

/** A closing and its place in the log of its view, from 0 without gaps. */
export interface LoggedClosing extends Closing {
  readonly offset: number
}

/** The acts of the finaliser of one view, in order; what reads a view has a place in it as its position. */
export interface ClosingLog {
  /** Drawn when the log was begun: positions in another log mean nothing here. */
  readonly id: string
  /** Offset of the next closing. */
  readonly end: number
  /** Durable when it resolves. */
  append(closings: readonly Closing[]): Promise<void>
  /** Up to `limit` closings from an offset on; empty at the end. */
  read(from: number, limit: number): Promise<readonly LoggedClosing[]>
  /** Resolves at the next append, or rejects with the signal's reason. */
  appended(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}
