import type { RecordBlock } from '../../../runtime/batch'
import { ConnectError } from '../../../runtime/errors'
import { field, type Schema, type SimpleKind } from '../../../runtime/schema'
import { type ExactJson, isObject, NumberText, parseExact } from './exact'

/** More columns than any table should get from the keys of records. */
const MAX_COLUMNS = 1000

type Seen = Extract<SimpleKind, 'bool' | 'i64' | 'f64' | 'utf8' | 'json'>

/**
 * The schema that a block of records shows: bool, i64, f64 (a number written with a point or exponent anywhere), utf8; json for
 * anything nested, of several types, or null throughout. Everything nullable. Timestamps are not guessed. Throws C016_SCHEMA if
 * no record is a JSON object.
 */
export function inferSchema(block: RecordBlock, part: 'key' | 'value'): Schema {
  const starts = part === 'key' ? block.keyStart : block.valueStart
  const ends = part === 'key' ? block.keyEnd : block.valueEnd
  const texts = Array.from({ length: block.count }, (_, i) =>
    starts[i] < 0 ? 'null' : block.buffer.toString('utf8', starts[i], ends[i]),
  )
  return inferTexts(texts)
}

/** The same of records as texts. */
export function inferTexts(texts: readonly string[]): Schema {
  const columns = new Map<string, Seen | null>()
  let objects = 0
  for (const text of texts) {
    const json = parsed(text)
    if (json === null || !isObject(json)) continue
    objects++
    for (const [name, value] of Object.entries(json)) columns.set(name, joined(columns.get(name) ?? null, kindOf(value)))
    if (columns.size > MAX_COLUMNS)
      throw new ConnectError('C016_SCHEMA', `the first records have more than ${MAX_COLUMNS} fields`, HINT)
  }
  if (objects === 0) throw new ConnectError('C016_SCHEMA', `none of the first ${texts.length} record(s) is a JSON object`, HINT)
  return { fields: [...columns].map(([name, kind]) => field(name, kind ?? 'json', true)) }
}

const HINT = { hint: 'declare the columns: {format: json, schema: {...}}' }

function parsed(text: string): ExactJson {
  try {
    return parseExact(text, 'all')
  } catch {
    return null
  }
}

/** Null: null, which says nothing. */
function kindOf(value: ExactJson): Seen | null {
  if (value === null) return null
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number') return 'i64'
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? 'i64' : 'json'
  if (value instanceof NumberText) return 'f64'
  return typeof value === 'string' ? 'utf8' : 'json'
}

function joined(a: Seen | null, b: Seen | null): Seen | null {
  if (a === null || b === null || a === b) return a ?? b
  const numbers = (a === 'i64' || a === 'f64') && (b === 'i64' || b === 'f64')
  return numbers ? 'f64' : 'json'
}
