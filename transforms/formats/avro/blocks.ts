import { asNumber, type Halves, MALFORMED, PARKED, readLong } from './varint'

/**
 * Most elements of an array whose elements take no bytes at all (nulls, empty records): such an array has no bound in its bytes,
 * so two bytes could ask for two billion rows.
 */
export const MAX_EMPTY_ELEMENTS = 1024

/** Header of one block of an array or map. */
export class Block {
  readonly halves: Halves = new Int32Array(2)
  /** Elements that follow; 0 ends the array or map. */
  count = 0
  /** Where the block ends, if it says so; else -1. */
  stop = -1

  /**
   * Reads the header at p. Returns where the elements start, or MALFORMED where the count cannot be true for elements of at
   * least `min` bytes.
   */
  read(bytes: Uint8Array, p: number, end: number, min: number): number {
    this.stop = -1
    let at = readLong(bytes, p, end, this.halves)
    if (at >= PARKED) return at
    this.count = asNumber(this.halves)
    if (this.count < 0) {
      this.count = -this.count
      at = readLong(bytes, at, end, this.halves)
      if (at >= PARKED) return at
      const size = asNumber(this.halves)
      if (size < 0 || size > end - at) return MALFORMED
      this.stop = at + size
    }
    return this.count > (min > 0 ? (end - at) / min : MAX_EMPTY_ELEMENTS) ? MALFORMED : at
  }
}
