import { seeded } from './seeded'

/** Values of every Avro type, the awkward ones among them, and how they are written down to be compared. */

/** Seeded, so that a failure can be looked at again. */
export class Random {
  readonly #next: () => number
  constructor(seed: number) {
    this.#next = seeded(seed)
  }
  below(n: number): number {
    return Math.floor(this.#next() * n)
  }
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]
  }
  list<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, make)
  }
  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)))
  }
}

export const INTS = [0, 1, -1, 63, 64, -65, 8_191, 1_000_000, 2_147_483_647, -2_147_483_648]
export const LONGS = [0n, 1n, -1n, 300n, -(2n ** 53n) - 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]
export const DOUBLES = [0, -0, 0.1 + 0.2, -1.5e-300, 4.9e-324, 1.7976931348623157e308, Number.NaN, Infinity, -Infinity]
export const FINITE = [0.5, -0.25, 1e-7, 51.846000000000004]
export const FLOATS = [0, -0, 1.5, Math.fround(0.1), Math.fround(3.4e38), Number.NaN, -Infinity]
export const STRINGS = ['', 'a', 'ä ö ü', '漢字 \u{1f680}', 'line\nbreak\t"quote" \\', '\u0000inside\u0000', 'x'.repeat(300)]
/** 1900-01-02 to 2299-12-30: what DateTime64 holds. */
export const DAYS = [0, 1, -1, -25_566, 120_528, 20_000]
export const MS = [0n, -1n, 1_700_000_000_123n, -2_208_902_400_000n, 10_413_619_200_000n]
export const US = MS.map(n => n * 1000n + 7n)
/** In nanoseconds ClickHouse counts from 1900 to 2262. */
export const NS = [0n, 1n, 1_700_000_000_123_456_789n, -2_208_900_000_000_000_001n, 9_000_000_000_000_000_000n]
export const UUIDS = [
  '00112233-4455-6677-8899-aabbccddeeff',
  'ffffffff-0000-4000-8000-000000000001',
  '61f0c404-5cb3-11e7-907b-a6006ad3dba0',
]

export const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex')
export const text = (v: unknown): string => String(v)
export const nullable = (value: unknown, branch: string, r: Random): unknown => (r.below(3) === 0 ? null : { [branch]: value })
export const inner = (value: unknown): unknown => (value === null ? null : Object.values(value as object)[0])

export const doubleText = (v: number): unknown =>
  Number.isNaN(v) ? 'nan' : v === Infinity ? 'inf' : v === -Infinity ? '-inf' : v
export const bits64 = (v: number): string => {
  const b = Buffer.alloc(8)
  b.writeDoubleBE(v)
  return Number.isNaN(v) ? 'NaN' : b.toString('hex')
}
export const bits32 = (v: number): string => {
  const b = Buffer.alloc(4)
  b.writeFloatBE(v)
  return Number.isNaN(v) ? 'NaN' : b.toString('hex')
}

/** Two's complement, big endian, in as few bytes as it takes, or in `size`. */
export function unscaled(value: bigint, size?: number): Buffer {
  let length = size ?? 1
  if (size === undefined) while (value >= 1n << BigInt(8 * length - 1) || value < -(1n << BigInt(8 * length - 1))) length++
  const digits = BigInt.asUintN(8 * length, value)
    .toString(16)
    .padStart(2 * length, '0')
  return Buffer.from(digits, 'hex')
}
export const unscaledOf = (bytes: Uint8Array): bigint =>
  bytes.length === 0 ? 0n : BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex(bytes)}`))
export const decimalText =
  (scale: number) =>
  (bytes: Uint8Array): string => {
    const value = unscaledOf(bytes)
    const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
    return `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  }
export const uuidText = (bytes: Uint8Array): string => hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

export const DECIMALS = [0n, 1n, -1n, 12_345_678n, -99_999_999_999_999_999_999n, 99_999_999_999_999_999_999n, 127n, 128n, -129n]
