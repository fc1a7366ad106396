import type { FixedColumn } from '../../../runtime/column'
import type { Kernel, Rows } from './kernel'
import { MALFORMED, OUT_OF_RANGE, PARKED, readLength } from './varint'

/** Value of a hexadecimal digit by its character code, -1 for other characters. */
const HEX = new Int8Array(256).fill(-1)
for (let i = 0; i < 16; i++) {
  HEX[i.toString(16).charCodeAt(0)] = i
  HEX[i.toString(16).toUpperCase().charCodeAt(0)] = i
}
const DASH = 0x2d

/** Parses the 36 characters of a UUID at p into 16 bytes at q (the order in which it is written). False if it is none. */
export function parseUuid(bytes: Uint8Array, p: number, out: Uint8Array, q: number): boolean {
  let at = q
  for (let k = 0; k < 36; ) {
    if (k === 8 || k === 13 || k === 18 || k === 23) {
      if (bytes[p + k] !== DASH) return false
      k++
    }
    const byte = (HEX[bytes[p + k]] << 4) | HEX[bytes[p + k + 1]]
    if (byte < 0) return false
    out[at++] = byte
    k += 2
  }
  return true
}

/** string with logical type uuid -> 16 bytes. Text that is no UUID makes the row malformed. */
export class UuidKernel implements Kernel {
  readonly #halves = new Int32Array(2)
  constructor(readonly column: FixedColumn) {}
  read({ bytes, pos, ends }: Rows, n: number, row: number): void {
    const { data } = this.column
    for (let i = 0; i < n; i++) {
      const q = 16 * (row + i)
      let next = pos[i]
      if (next < PARKED) next = readLength(bytes, next, ends[i], this.#halves)
      if (next < PARKED) next = this.#halves[0] === 36 && parseUuid(bytes, next, data, q) ? next + 36 : MALFORMED
      pos[i] = next
      if (next >= PARKED) data.fill(0, q, q + 16)
    }
  }
}

/**
 * decimal on bytes (`size` null) or fixed: big-endian two's complement of any length -> 128 bits, little endian. A value of more
 * digits than the precision makes the row out of range.
 */
export class DecimalKernel implements Kernel {
  readonly #halves = new Int32Array(2)
  readonly #limit: bigint
  readonly #near: number
  constructor(
    readonly column: FixedColumn,
    readonly size: number | null,
    precision: number,
  ) {
    this.#limit = 10n ** BigInt(precision)
    // a double is off by less than 1 in 2^50: below this it needs no exact comparison
    this.#near = Number(this.#limit) * (1 - 1e-12)
  }
  read({ bytes, pos, ends }: Rows, n: number, row: number): void {
    const { data } = this.column
    for (let i = 0; i < n; i++) {
      const q = 16 * (row + i)
      let next = pos[i]
      let length = this.size ?? 0
      if (next < PARKED) {
        if (this.size === null) {
          next = readLength(bytes, next, ends[i], this.#halves)
          length = this.#halves[0]
        } else if (length > ends[i] - next) next = MALFORMED
      }
      // no bytes at all are no number
      if (next < PARKED)
        next = length === 0 ? MALFORMED : this.#widen(bytes, next, length, data, q) ? next + length : OUT_OF_RANGE
      pos[i] = next
      if (next >= PARKED) data.fill(0, q, q + 16)
    }
  }

  #widen(bytes: Uint8Array, p: number, length: number, data: Buffer, q: number): boolean {
    const sign = bytes[p] > 127 ? 255 : 0
    let at = p
    let left = length
    for (; left > 16; left--) if (bytes[at++] !== sign) return false
    if (bytes[at] > 127 !== sign > 0) return false
    for (let k = 0; k < 16; k++) data[q + k] = k < left ? bytes[at + left - 1 - k] : sign
    const approximate =
      data.readInt32LE(q + 12) * 2 ** 96 + data.readUInt32LE(q + 8) * 2 ** 64 + data.readUInt32LE(q + 4) * 2 ** 32
    if (Math.abs(approximate) + 2 ** 32 < this.#near) return true
    const exact = (data.readBigInt64LE(q + 8) << 64n) | data.readBigUInt64LE(q)
    return exact < this.#limit && exact > -this.#limit
  }
}
