import { ConnectError } from '../../../runtime/errors'
import type { Kind, Schema } from '../../../runtime/schema'
import { requireColumn } from '../../columns'

export const NUMERIC: ReadonlySet<Kind> = new Set<Kind>(['f64', 'f32', 'i32', 'i64', 'bool'])

/** Checks that these columns are there and are numbers. Throws C015_UNKNOWN_COLUMN or C020_TYPE_MISMATCH. */
export function requireNumbers(schema: Schema, features: readonly string[], where: string): readonly string[] {
  for (const name of features) {
    const { type } = schema.fields[requireColumn(schema, name, where)]
    if (NUMERIC.has(type.kind)) continue
    throw new ConnectError('C020_TYPE_MISMATCH', `${where}: "${name}" is ${type.kind}; a feature must be a number`)
  }
  return features
}
