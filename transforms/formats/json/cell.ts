import { ConnectError } from '../../../runtime/errors'
import { type DataType, type Field, typeName } from '../../../runtime/schema'
import { type ExactJson, exactText, isObject, NumberText } from './exact'
import { parseDate, parseTime, parseTimestamp, type TimeProblem } from './time_text'

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/**
 * What `appendValue` takes for a JSON value in a column of this type. Strict: nothing is converted that JSON tells apart. Throws
 * D004, D005, D006 or D013 that name the path.
 */
export function toCell(type: DataType, json: ExactJson, path: string, ignoreUnknown: boolean): unknown {
  if (json === null) return null
  const wrong = (): never => {
    throw new ConnectError('D006_WRONG_TYPE', `"${path}": ${show(json)} is no ${typeName(type)}`)
  }
  switch (type.kind) {
    case 'bool':
      return typeof json === 'boolean' ? json : wrong()
    case 'i32':
    case 'i64': {
      const number = asNumber(json)
      if (number === null) return wrong()
      return typeof number === 'bigint' || Number.isInteger(number) ? number : wrong()
    }
    case 'f32':
    case 'f64': {
      // the nearest double: digits beyond it are what choosing a floating-point column gives up
      const number = asNumber(json)
      return number === null ? wrong() : Number(number)
    }
    case 'utf8':
    case 'dictionary':
    case 'uuid':
      return typeof json === 'string' ? json : wrong()
    case 'json':
      return exactText(json)
    case 'bytes':
    case 'fixed':
      return typeof json === 'string' && BASE64.test(json) ? Buffer.from(json, 'base64') : wrong()
    case 'decimal':
      if (json instanceof NumberText) return json.text
      return typeof json === 'string' || typeof json === 'number' || typeof json === 'bigint' ? json : wrong()
    case 'date':
      if (typeof json === 'string') return parseDate(json) ?? wrong()
      return ticks(json) ?? wrong()
    case 'time':
      if (typeof json === 'string') return checked(parseTime(json, type.unit), json, path, type)
      return ticks(json) ?? wrong()
    case 'timestamp':
      if (typeof json === 'string') return checked(parseTimestamp(json, type.unit, type.zoned), json, path, type)
      return ticks(json) ?? wrong()
    case 'list':
      if (!Array.isArray(json)) return wrong()
      return (json as readonly ExactJson[]).map((item, i) => present(type.item, item, `${path}[${i}]`, ignoreUnknown))
    case 'map':
      if (!isObject(json)) return wrong()
      return new Map(Object.entries(json).map(([k, v]) => [k, present(type.value, v, `${path}.${k}`, ignoreUnknown)]))
    case 'struct':
      if (!isObject(json)) return wrong()
      return new Map(fieldsOf(type.fields, json, `${path}.`, ignoreUnknown))
  }
}

/** The fields of an object as cells, in the schema's order. */
export function fieldsOf(
  fields: readonly Field[],
  json: { readonly [key: string]: ExactJson },
  path: string,
  ignoreUnknown: boolean,
): [string, unknown][] {
  if (!ignoreUnknown) {
    const unknown = Object.keys(json).find(k => !fields.some(f => f.name === k))
    if (unknown !== undefined) throw new ConnectError('D013_UNKNOWN_FIELD', `"${path}${unknown}" is not in the schema`)
  }
  return fields.map(f => {
    const has = Object.hasOwn(json, f.name)
    if (!has && !f.nullable) throw new ConnectError('D004_MISSING_FIELD', `"${path}${f.name}" is missing`)
    return [f.name, has ? present(f, json[f.name], `${path}${f.name}`, ignoreUnknown) : null]
  })
}

function present(field: Field, json: ExactJson, path: string, ignoreUnknown: boolean): unknown {
  if (json === null && !field.nullable) throw new ConnectError('D008_NULL', `"${path}" is null`)
  return toCell(field.type, json, path, ignoreUnknown)
}

function asNumber(json: ExactJson): number | bigint | null {
  if (json instanceof NumberText) return Number(json.text)
  return typeof json === 'number' || typeof json === 'bigint' ? json : null
}

/** A whole number of ticks or days. */
function ticks(json: ExactJson): number | bigint | null {
  const number = asNumber(json)
  return number === null || (typeof number === 'number' && !Number.isInteger(number)) ? null : number
}

function checked<T extends number | bigint>(value: T | TimeProblem, text: string, path: string, type: DataType): T {
  if (value === 'finer than its unit') {
    throw new ConnectError('D005_OUT_OF_RANGE', `"${path}": ${show(text)} has more digits than ${typeName(type)} holds`)
  }
  if (value === 'no time') throw new ConnectError('D006_WRONG_TYPE', `"${path}": ${show(text)} is no ${typeName(type)}`)
  return value as T
}

function show(json: ExactJson): string {
  const text = exactText(json)
  return text.length > 60 ? `${text.slice(0, 60)}...` : text
}
