/**
 * Positions at or above PARKED mark a row that kernels must not read: PARKED has no value here (a null, a tombstone), those above
 * are bad and say why. They lie beyond every end, so one comparison in a kernel (`p < ends[i]`) catches end of row, parked and
 * bad rows alike. Room is left above for `p + size` within 32 bits, which keeps the arithmetic in machine integers.
 */
export const PARKED = 0x7fff0000
export const MALFORMED = PARKED + 1
export const INCOMPATIBLE = PARKED + 2
export const NULL_REFUSED = PARKED + 3
export const OUT_OF_RANGE = PARKED + 4

/** Low and high 32 bits of what `readLong` last read. */
export type Halves = Int32Array

/**
 * Reads an Avro long (zig-zag varint, at most 10 bytes and 64 bits) at p, not beyond end, into `out`. Returns the position after
 * it, or MALFORMED. The slow but complete form: kernels inline the common lengths and come here for the rest.
 */
export function readLong(bytes: Uint8Array, p: number, end: number, out: Halves): number {
  let lo = 0
  let hi = 0
  let shift = 0
  let at = p
  for (;;) {
    if (at >= end) return MALFORMED
    const byte = bytes[at++]
    const bits = byte & 127
    if (shift < 28) lo |= bits << shift
    else if (shift === 28) {
      lo |= bits << 28
      hi = bits >>> 4
    } else {
      // the tenth byte holds the 64th bit only
      if (shift === 63 && byte > 1) return MALFORMED
      hi |= bits << (shift - 32)
    }
    if (byte < 128) break
    shift += 7
  }
  const sign = -(lo & 1)
  out[0] = ((lo >>> 1) | (hi << 31)) ^ sign
  out[1] = (hi >>> 1) ^ sign
  return at
}

/** Reads a long that must fit 32 bits into out[0]. Returns the position after it, or MALFORMED. */
export function readInt(bytes: Uint8Array, p: number, end: number, out: Halves): number {
  const next = readLong(bytes, p, end, out)
  return next < PARKED && out[1] !== out[0] >> 31 ? MALFORMED : next
}

/** Reads the length of a string and checks that it lies within the row: out[0]. Returns where the string starts, or MALFORMED. */
export function readLength(bytes: Uint8Array, p: number, end: number, out: Halves): number {
  const next = readInt(bytes, p, end, out)
  return next < PARKED && (out[0] < 0 || out[0] > end - next) ? MALFORMED : next
}

/** What out holds, as a double; exact up to 2^53. */
export const asNumber = (out: Halves): number => out[1] * 4294967296 + (out[0] >>> 0)

export const asBigint = (out: Halves): bigint => (BigInt(out[1]) << 32n) | BigInt(out[0] >>> 0)
