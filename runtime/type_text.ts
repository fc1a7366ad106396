import type { DataType, Field, TimeUnit } from './schema'

const SIMPLE: Readonly<Record<string, DataType>> = {
  bool: { kind: 'bool' },
  i32: { kind: 'i32' },
  int: { kind: 'i32' },
  i64: { kind: 'i64' },
  long: { kind: 'i64' },
  f32: { kind: 'f32' },
  float: { kind: 'f32' },
  f64: { kind: 'f64' },
  double: { kind: 'f64' },
  utf8: { kind: 'utf8' },
  string: { kind: 'utf8' },
  bytes: { kind: 'bytes' },
  json: { kind: 'json' },
  date: { kind: 'date' },
  uuid: { kind: 'uuid' },
  dictionary: { kind: 'dictionary' },
  timestamp: { kind: 'timestamp', unit: 'ms', zoned: true },
}

const UNITS: readonly string[] = ['s', 'ms', 'us', 'ns'] satisfies readonly TimeUnit[]

/**
 * A type as a person writes it in YAML: `utf8`, `f64?`, `timestamp(us)`, `decimal(10, 2)`, `fixed(16)`, `list<i64>`,
 * `map<utf8?>`. The inverse of `typeName` except for structs and enums, which come from schemas only. Null if it is none.
 */
export function parseType(text: string): { readonly type: DataType; readonly nullable: boolean } | null {
  const trimmed = text.trim()
  const nullable = trimmed.endsWith('?')
  const body = nullable ? trimmed.slice(0, -1).trim() : trimmed
  const type = SIMPLE[body] ?? parameterised(body)
  return type ? { type, nullable } : null
}

function parameterised(text: string): DataType | null {
  const round = /^(timestamp|time|decimal|fixed)\(([^()]*)\)$/.exec(text)
  if (round)
    return withNumbers(
      round[1],
      round[2].split(',').map(s => s.trim()),
    )
  const angle = /^(list|map)<(.+)>$/.exec(text)
  const item = angle && parseType(angle[2])
  if (!angle || !item) return null
  const inner = (name: string): Field => ({ name, ...item })
  return angle[1] === 'list' ? { kind: 'list', item: inner('item') } : { kind: 'map', value: inner('value') }
}

function withNumbers(word: string, args: readonly string[]): DataType | null {
  const integer = (s: string | undefined, min: number, max: number): number | null =>
    s !== undefined && /^\d+$/.test(s) && Number(s) >= min && Number(s) <= max ? Number(s) : null
  if (word === 'timestamp' && args.length === 1 && UNITS.includes(args[0])) {
    return { kind: 'timestamp', unit: args[0] as TimeUnit, zoned: true }
  }
  if (word === 'time' && (args[0] === 'ms' || args[0] === 'us') && args.length === 1) return { kind: 'time', unit: args[0] }
  if (word === 'decimal') {
    const precision = integer(args[0], 1, 38)
    const scale = integer(args[1] ?? '0', 0, precision ?? 0)
    return precision !== null && scale !== null && args.length <= 2 ? { kind: 'decimal', precision, scale } : null
  }
  if (word === 'fixed' && args.length === 1) {
    const size = integer(args[0], 1, 65_536)
    return size !== null ? { kind: 'fixed', size } : null
  }
  return null
}
