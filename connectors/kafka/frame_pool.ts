import { BatchMemory, type Lease, lendable } from '../../runtime/memory'

/** Shorter frames are not worth keeping. */
const LEAST_BYTES = 64 * 1024
/** A frame is used for what fills at least a quarter of it. */
const WASTE = 4
/** As much memory as is kept for frames to come; what is in use counts where it is used. */
const KEPT_BYTES = 64 * 1024 * 1024

/**
 * Memory of a frame and of what is found in it (position arrays). The one who took it holds it; so does every stretch of records
 * that lies in it. The last one to release it gives it back.
 */
export class Frame implements Lease {
  readonly buffer: SharedArrayBuffer
  readonly memory: BatchMemory
  readonly #pool: FramePool
  #holders = 0

  constructor(pool: FramePool, capacity: number) {
    this.#pool = pool
    this.buffer = lendable(capacity)
    // position arrays take about half as much as the records themselves
    this.memory = new BatchMemory(capacity / 2)
  }

  retain(): void {
    this.#holders++
  }

  release(): void {
    if (--this.#holders > 0) return
    this.memory.release()
    this.#pool.give(this)
  }
}

/** Frames that come back are used again. What is never given back belongs to the garbage collector, as without a pool. */
export class FramePool {
  readonly #free: Frame[] = []
  #kept = 0

  /** A frame of at least `length` bytes with the caller as its holder; null if it is too short to be worth it. */
  take(length: number): Frame | null {
    if (length < LEAST_BYTES) return null
    const fits = ({ buffer }: Frame): boolean => buffer.byteLength >= length && buffer.byteLength <= WASTE * length
    const at = this.#free.findIndex(fits)
    const [frame = new Frame(this, Math.ceil(length / LEAST_BYTES) * LEAST_BYTES)] = at < 0 ? [] : this.#free.splice(at, 1)
    if (at >= 0) this.#kept -= frame.buffer.byteLength
    frame.retain()
    return frame
  }

  give(frame: Frame): void {
    const capacity = frame.buffer.byteLength
    // the oldest go first: the sizes that are asked for change over time
    while (this.#kept + capacity > KEPT_BYTES) {
      const oldest = this.#free.pop()
      if (!oldest) return
      this.#kept -= oldest.buffer.byteLength
    }
    this.#kept += capacity
    this.#free.unshift(frame)
  }
}
