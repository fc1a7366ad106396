import { ConnectError } from './errors'
import type { FlowRun } from './flow'
import type { Cut, LaneBuffer } from './lane_buffer'
import type { LaneReader } from './plugin'
import { retrying } from './retry'
import { packSnapshot, unpackSnapshot } from './state'

/** A crash loses at most so much learning time; it is read again, in the log's order, before the lane goes on. */
const SNAPSHOT_EVERY_MS = 300_000

/**
 * The state of a lane's stateful transforms. It belongs to a position: a snapshot is taken between two batches together with the
 * positions after the first, stored once that batch is settled, and on start the records between the snapshot and the lane's
 * position pass the transforms once more, with nothing written.
 */
export class LaneState {
  readonly #flow: FlowRun
  readonly #lane: number
  #takenAt: number

  constructor(flow: FlowRun, lane: number) {
    this.#flow = flow
    this.#lane = lane
    this.#takenAt = flow.clock.monotonic()
  }

  /**
   * Restores the last snapshot. Returns where to read from so that the states arrive at `next`, or null if they start there: no
   * snapshot, one of other partitions, or one that lies ahead of the position (which cannot be unlearnt). A beginning is stored
   * too: what is learnt from there until the first snapshot is due would otherwise go with a crash.
   */
  async restore(next: ReadonlyMap<string, number>, signal: AbortSignal): Promise<ReadonlyMap<string, number> | null> {
    const { states, spec, hooks } = this.#flow
    const stored = await retrying(this.#flow.retryContext('read', signal), () => states.read(spec.name, this.#lane, signal))
    if (stored && !hooks.forget) {
      const restored = this.#restored(stored, next)
      if (typeof restored !== 'string') return restored
      this.#flow.emit('state_dropped', { lane: this.#lane, reason: restored })
    }
    for (const { transform } of this.#flow.stateful) transform.restore?.(this.#lane, null)
    await this.store(this.#pack(next), signal)
    return null
  }

  /** The positions of a snapshot that the transforms have taken, or why they could not. */
  #restored(stored: Buffer, next: ReadonlyMap<string, number>): ReadonlyMap<string, number> | string {
    const snapshot = unpackSnapshot(stored)
    if (!snapshot) return 'another version wrote it'
    const { positions, states } = snapshot
    if (positions.size !== next.size || [...next.keys()].some(key => !positions.has(key)))
      return 'it was learnt from other input: other partitions, or a view of another name'
    const ahead = [...next].find(([key, offset]) => (positions.get(key) ?? 0) > offset)
    if (ahead) return `it knows ${ahead[0]} up to ${positions.get(ahead[0])}, and the position is ${ahead[1]}`
    const restored = this.#flow.stateful.map(({ transform }, i) => transform.restore?.(this.#lane, states[i] ?? null) ?? false)
    return restored.every(Boolean) ? positions : 'it was made with another configuration'
  }

  /** A snapshot of the states as they are now, which is after everything before `positions`; null if none is due. */
  take(positions: ReadonlyMap<string, number>, due = this.#isDue()): Buffer | null {
    if (!due) return null
    this.#takenAt = this.#flow.clock.monotonic()
    return this.#pack(positions)
  }

  #pack(positions: ReadonlyMap<string, number>): Buffer {
    return packSnapshot({
      positions,
      states: this.#flow.stateful.map(({ transform }) => transform.snapshot?.(this.#lane) ?? Buffer.alloc(0)),
    })
  }

  async store(bytes: Buffer, signal: AbortSignal): Promise<void> {
    await this.#flow.hooks.at?.('snapshot', this.#flow.spec.name, this.#lane)
    await retrying(this.#flow.retryContext('commit', signal), () =>
      this.#flow.states.write(this.#flow.spec.name, this.#lane, bytes, signal),
    )
  }

  #isDue(): boolean {
    return this.#flow.clock.monotonic() - this.#takenAt >= (this.#flow.hooks.snapshotEvery ?? SNAPSHOT_EVERY_MS)
  }
}

/** Lets everything up to `next` pass the transforms, in bounded pieces, and forgets what comes out. */
export async function relearn(
  flow: FlowRun,
  reader: LaneReader,
  buffer: LaneBuffer,
  next: ReadonlyMap<string, number>,
  pass: (cut: Cut) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const behind = (): boolean => [...next].some(([key, offset]) => buffer.position(key) < offset)
  if (behind()) flow.emit('lane_recovered', { lane: reader.lane, what: 'reads again what its state has not seen' })
  while (behind()) {
    const cut = buffer.cutBefore(next, flow.flush.rows)
    if (cut.ranges.length > 0) await pass(cut)
    else if (buffer.ended) throw new ConnectError('P001_POSITION_STOP', 'the input ends before the position of this flow')
    else await buffer.changed(signal, 1000)
  }
}
