/**
 * Named points of the delivery protocol. Random kills do not find the interleavings that break exactly once (each needs its
 * order made on purpose), so tests stop, kill or tear here. Not part of the public interface.
 */
export type Point =
  // delivery with a token
  | 'cut'
  | 'pending'
  | 'acked'
  | 'advanced'
  | 'replay'
  // delivery with a transaction: sent, not committed
  | 'producing'
  // a snapshot was taken, and not stored
  | 'snapshot'
  // rows of windows were written and not told; told
  | 'windows_written'
  | 'windows_told'

export interface EngineHooks {
  /** Awaited at each point. `flow`: of a view, its name. */
  at?(point: Point, flow: string, lane: number): Promise<void> | void
  /** Replaces the token; a check that cannot fail proves nothing, so tests switch tokens off with this. */
  token?(token: string): string
  /** False: a re-send is not checked against the table. */
  verifyResend?: boolean
  /** Milliseconds between two snapshots of the state of transforms. */
  snapshotEvery?: number
  /** True: every lane begins without what its transforms have learnt. */
  forget?: boolean
  /** True: the memory of a settled batch is overwritten at once, so that whoever still reads it is found out. */
  poisonMemory?: boolean
}
