/**
 * Named points of the delivery protocol. Random kills do not find the interleavings that break exactly once (each needs its
 * order made on purpose), so tests stop, kill or tear here. Not part of the public interface.
 */
export type Point = 'cut' | 'pending' | 'acked' | 'advanced' | 'replay'

export interface EngineHooks {
  /** Awaited at each point. */
  at?(point: Point, flow: string, lane: number): Promise<void> | void
  /** Replaces the token; a check that cannot fail proves nothing, so tests switch tokens off with this. */
  token?(token: string): string
  /** False: a re-send is not checked against the table. */
  verifyResend?: boolean
}
