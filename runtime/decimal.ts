/**
 * Decimals as text: `12.30` with scale 2 is the unscaled integer 1230, kept as 16 bytes two's complement, little endian (Arrow's
 * Decimal128). Exact in both directions; nothing here goes through a double.
 */

const TEXT = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/

/** Unscaled value of a decimal text at this scale; null if it is no decimal, `inexact` if digits would be lost. */
export function parseDecimal(text: string, scale: number): bigint | 'inexact' | null {
  const match = TEXT.exec(text)
  if (!match || (match[2] === '' && (match[3] ?? '') === '')) return null
  const [, sign, whole, fraction = '', exponent = '0'] = match
  const shift = scale - fraction.length + Number(exponent)
  const digits = BigInt(whole + fraction)
  const signed = sign === '-' ? -digits : digits
  if (shift >= 0) return signed * 10n ** BigInt(shift)
  const divisor = 10n ** BigInt(-shift)
  return signed % divisor === 0n ? signed / divisor : 'inexact'
}

/** Text of an unscaled value, with exactly `scale` digits after the point. */
export function decimalText(unscaled: bigint, scale: number): string {
  const negative = unscaled < 0n
  const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const point = digits.length - scale
  return (negative ? '-' : '') + digits.slice(0, point) + (scale > 0 ? `.${digits.slice(point)}` : '')
}

export const fitsPrecision = (unscaled: bigint, precision: number): boolean => {
  const limit = 10n ** BigInt(precision)
  return unscaled < limit && unscaled > -limit
}

export const readDecimal = (data: Buffer, at: number): bigint => (data.readBigInt64LE(at + 8) << 64n) | data.readBigUInt64LE(at)

export function writeDecimal(data: Buffer, at: number, unscaled: bigint): void {
  data.writeBigUInt64LE(BigInt.asUintN(64, unscaled), at)
  data.writeBigInt64LE(BigInt.asIntN(64, unscaled >> 64n), at + 8)
}
