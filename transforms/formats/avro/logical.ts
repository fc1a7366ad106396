import type { Json, Logical, Primitive } from './schema'

/** Largest precision a 128-bit decimal column holds. */
const MAX_PRECISION = 38

/**
 * The logical type of a schema object, or null if it has none, an unknown one or one that does not fit its underlying type: the
 * specification says to use the underlying type then. So does a decimal of more than 38 digits, which no column here holds.
 */
export function logicalOf(json: { readonly [key: string]: Json }, type: Primitive | 'fixed', size: number): Logical | null {
  const on = (...types: readonly string[]): boolean => types.includes(type)
  switch (json.logicalType) {
    case 'date':
      return on('int') ? { kind: 'date' } : null
    case 'time-millis':
      return on('int') ? { kind: 'time', unit: 'ms' } : null
    case 'time-micros':
      return on('long') ? { kind: 'time', unit: 'us' } : null
    case 'timestamp-millis':
      return on('long') ? { kind: 'timestamp', unit: 'ms', zoned: true } : null
    case 'timestamp-micros':
      return on('long') ? { kind: 'timestamp', unit: 'us', zoned: true } : null
    case 'timestamp-nanos':
      return on('long') ? { kind: 'timestamp', unit: 'ns', zoned: true } : null
    case 'local-timestamp-millis':
      return on('long') ? { kind: 'timestamp', unit: 'ms', zoned: false } : null
    case 'local-timestamp-micros':
      return on('long') ? { kind: 'timestamp', unit: 'us', zoned: false } : null
    case 'local-timestamp-nanos':
      return on('long') ? { kind: 'timestamp', unit: 'ns', zoned: false } : null
    case 'uuid':
      return on('string') || (on('fixed') && size === 16) ? { kind: 'uuid' } : null
    case 'duration':
      return on('fixed') && size === 12 ? { kind: 'duration' } : null
    case 'decimal':
      return on('bytes', 'fixed') ? decimal(json, type === 'fixed' ? digits(size) : Number.POSITIVE_INFINITY) : null
    default:
      return null
  }
}

function decimal(json: { readonly [key: string]: Json }, most: number): Logical | null {
  const { precision } = json
  const scale = json.scale ?? 0
  if (typeof precision !== 'number' || typeof scale !== 'number') return null
  if (!Number.isInteger(precision) || !Number.isInteger(scale)) return null
  if (precision < 1 || precision > Math.min(most, MAX_PRECISION) || scale < 0 || scale > precision) return null
  return { kind: 'decimal', precision, scale }
}

/** Decimal digits that `size` bytes of two's complement hold: floor(log10(2^(8 size - 1) - 1)). */
const digits = (size: number): number => Math.floor(Math.log10(2) * (8 * size - 1))

/** The `logicalType` attributes of a schema object. */
export function logicalAttributes(logical: Logical | null): { readonly [key: string]: Json } {
  if (logical === null) return {}
  switch (logical.kind) {
    case 'time':
      return { logicalType: logical.unit === 'ms' ? 'time-millis' : 'time-micros' }
    case 'timestamp': {
      const unit = { ms: 'millis', us: 'micros', ns: 'nanos' }[logical.unit]
      return { logicalType: `${logical.zoned ? '' : 'local-'}timestamp-${unit}` }
    }
    case 'decimal':
      return { logicalType: 'decimal', precision: logical.precision, scale: logical.scale }
    default:
      return { logicalType: logical.kind }
  }
}
