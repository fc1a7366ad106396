import { MalformedRequest } from './reader'

/** `socket.request.max.bytes` of Apache Kafka. */
const MAX_FRAME_BYTES = 104_857_600
const SIZE_BYTES = 4
const EMPTY = Buffer.alloc(0)

/** Cuts a stream into size-prefixed requests. A request inside one chunk is a view of it; a longer one is gathered with one copy. */
export class FrameReader {
  /** Start of a size field that was split over chunks. */
  #head: Buffer = EMPTY
  #frame: Buffer | undefined
  #filled = 0

  /** The requests completed by this chunk. Throws MalformedRequest for a size outside 1 to 100 MiB. */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = []
    let data = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk])
    this.#head = EMPTY
    while (data.length > 0) {
      if (this.#frame !== undefined) {
        const copied = data.copy(this.#frame, this.#filled)
        this.#filled += copied
        data = data.subarray(copied)
        if (this.#filled < this.#frame.length) break
        frames.push(this.#frame)
        this.#frame = undefined
        continue
      }
      if (data.length < SIZE_BYTES) {
        this.#head = Buffer.from(data)
        break
      }
      const size = data.readInt32BE(0)
      if (size < 1 || size > MAX_FRAME_BYTES) throw new MalformedRequest(`a request of ${size} bytes`)
      data = data.subarray(SIZE_BYTES)
      if (data.length >= size) {
        frames.push(data.subarray(0, size))
        data = data.subarray(size)
      } else {
        this.#frame = Buffer.allocUnsafeSlow(size)
        this.#filled = 0
      }
    }
    return frames
  }
}
