import type { Frame, FramePool } from './frame_pool'

/** Bytes of a frame's length field. */
export const LENGTH_BYTES = 4

/**
 * Longest frame that is believed. The broker bounds an answer to a fetch by what was asked for and one batch more; a length above
 * this is what another protocol looks like (`HTTP` reads as 1.2 GB, a TLS alert as 352 MB).
 */
export const MAX_FRAME = 256 * 1024 * 1024

/** Where reading goes while the length of the next frame is not known. Small, because what lands here is copied once more. */
const LANDING_BYTES = 16 * 1024

/**
 * Cuts a stream into frames (int32 length, then as many bytes: https://kafka.apache.org/protocol#protocol_common). The stream asks
 * for `space()`, writes into its beginning and says with `filled` how much: the rest of a frame is read straight to its place, so
 * a frame of megabytes is neither put together from pieces nor copied.
 */
export class FrameReader {
  readonly #landing = Buffer.allocUnsafeSlow(LANDING_BYTES)
  readonly #onFrame: (frame: Buffer, lent: Frame | null) => void
  readonly #pool: FramePool | null
  /** Bytes of `#landing` in use: less than a length field. */
  #landed = 0
  #frame: Buffer | null = null
  #frameFilled = 0
  #lent: Frame | null = null

  /**
   * `onFrame` is given each frame with its length field, in memory that is not written to again, or not before it is released where
   * the frame came out of the pool.
   */
  constructor(onFrame: (frame: Buffer, lent: Frame | null) => void, pool: FramePool | null = null) {
    this.#onFrame = onFrame
    this.#pool = pool
  }

  /** Where the next bytes go. Never empty. */
  space(): Buffer {
    return this.#frame ? this.#frame.subarray(this.#frameFilled) : this.#landing.subarray(this.#landed)
  }

  /** The first `bytes` of the last `space()` were written. Throws if what came cannot be a frame. */
  filled(bytes: number): void {
    if (this.#frame) {
      this.#frameFilled += bytes
      this.#finish(this.#frame)
      return
    }
    const end = this.#landed + bytes
    let at = 0
    while (end - at >= LENGTH_BYTES) {
      const frame = this.#space(this.#lengthAt(at) + LENGTH_BYTES)
      const here = Math.min(frame.length, end - at)
      this.#landing.copy(frame, 0, at, at + here)
      at += here
      this.#frame = frame
      this.#frameFilled = here
      this.#finish(frame)
    }
    this.#landing.copyWithin(0, at, end)
    this.#landed = end - at
  }

  #finish(frame: Buffer): void {
    if (this.#frameFilled < frame.length) return
    const lent = this.#lent
    this.#frame = null
    this.#lent = null
    this.#onFrame(frame, lent)
  }

  #space(length: number): Buffer {
    this.#lent = this.#pool?.take(length) ?? null
    return this.#lent ? Buffer.from(this.#lent.buffer, 0, length) : Buffer.allocUnsafeSlow(length)
  }

  #lengthAt(at: number): number {
    const length = this.#landing.readInt32BE(at)
    if (length < 0 || length > MAX_FRAME) throw new Error(`an answer of ${length} bytes: this is no Kafka broker`)
    return length
  }
}
