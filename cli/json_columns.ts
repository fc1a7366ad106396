import type { Field, Schema } from '../runtime/schema'
import { inferTexts } from '../transforms/formats/json/infer'
import { parseTimestamp } from '../transforms/formats/json/time_text'

/**
 * The columns of JSON records for a `schema:` that is written down, to be corrected by hand: unlike those that a run finds by itself
 * they are nullable only where a record lacks a value, and a text that is an ISO 8601 date-time in each record is a timestamp, in
 * the coarsest unit that holds all of them, as of a CSV file.
 */
export function jsonColumns(records: readonly string[]): Schema {
  const objects = records.map(text => JSON.parse(text) as Readonly<Record<string, unknown>>)
  return {
    fields: inferTexts(records).fields.map(field => {
      const values = objects.flatMap(o => (Object.hasOwn(o, field.name) && o[field.name] !== null ? [o[field.name]] : []))
      const nullable = values.length < objects.length
      return { name: field.name, type: momentType(values) ?? field.type, nullable }
    }),
  }
}

/** A date alone is a text here: it says less than a time, and may be a birthday. */
const LEAST_TEXT = '2024-01-31T23:59'.length

function momentType(values: readonly unknown[]): Field['type'] | null {
  if (values.length === 0) return null
  const fits = (unit: 'ms' | 'us' | 'ns'): boolean =>
    values.every(v => typeof v === 'string' && v.length >= LEAST_TEXT && typeof parseTimestamp(v, unit, true) === 'bigint')
  const unit = (['ms', 'us', 'ns'] as const).find(fits)
  return unit === undefined ? null : { kind: 'timestamp', unit, zoned: true }
}
