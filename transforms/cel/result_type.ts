import type { DataType, TimeUnit } from '../../runtime/schema'
import { children } from './check'
import { DURATION, TIMESTAMP } from './library'
import type { Node } from './node'
import { celType, tickNanos } from './values'

const SIMPLE: Readonly<Record<string, DataType>> = {
  int: { kind: 'i64' },
  double: { kind: 'f64' },
  bool: { kind: 'bool' },
  string: { kind: 'utf8' },
  bytes: { kind: 'bytes' },
}

/** Column type of an expression's result: the column's own where it is one, else by its CEL type. Null: there is none. */
export function resultType(node: Node): DataType | null {
  if (node.op === 'column' && (node.column.kind !== 'time' || node.path.length === 1)) return node.column
  if (node.type === TIMESTAMP) return { kind: 'timestamp', unit: finestUnit(node), zoned: true }
  return fromCelType(node.type)
}

function fromCelType(type: string): DataType | null {
  if (Object.hasOwn(SIMPLE, type)) return SIMPLE[type]
  if (type === TIMESTAMP) return { kind: 'timestamp', unit: 'ms', zoned: true }
  const container = /^(list|map)<(?:string, )?(.+)>$/.exec(type)
  const inner = container && fromCelType(container[2])
  if (!container || !inner) return null
  // what the library puts into a list or map may be null
  if (container[1] === 'list') return { kind: 'list', item: { name: 'item', type: inner, nullable: true } }
  return type.startsWith('map<string, ') ? { kind: 'map', value: { name: 'value', type: inner, nullable: true } } : null
}

const UNITS: readonly TimeUnit[] = ['ms', 'us', 'ns']
const NANOS: Readonly<Record<string, bigint>> = { ms: 1_000_000n, us: 1000n, ns: 1n }

/** The coarsest unit, milliseconds at most, that holds every time the expression is made of. */
function finestUnit(node: Node): TimeUnit {
  const rank = Math.max(0, ...[node, ...descendants(node)].map(n => UNITS.indexOf(unitOf(n))))
  return UNITS[rank]
}

function unitOf(node: Node): TimeUnit {
  if (node.op === 'column' && (celType(node.column) === TIMESTAMP || celType(node.column) === DURATION)) {
    return unitFor(tickNanos(node.column))
  }
  return node.op === 'const' && typeof node.value === 'bigint' && node.type !== 'int' ? unitFor(node.value) : 'ms'
}

const unitFor = (nanos: bigint): TimeUnit => UNITS.find(unit => nanos % NANOS[unit] === 0n) ?? 'ns'

const descendants = (node: Node): readonly Node[] => children(node).flatMap(c => [c, ...descendants(c)])
