import { ConnectError } from '../runtime/errors'
import type { Schema } from '../runtime/schema'

export { requireColumn } from '../runtime/require_column'

/** The schema, unless two columns have one name (C016_SCHEMA). */
export function withDistinctNames(schema: Schema, where: string): Schema {
  const seen = new Set<string>()
  for (const { name } of schema.fields) {
    if (seen.has(name)) {
      throw new ConnectError('C016_SCHEMA', `${where}: two columns would be called "${name}"`, {
        hint: 'give one of them another name, or drop it first',
      })
    }
    seen.add(name)
  }
  return schema
}

export const unbound = (name: string): ConnectError => new ConnectError('R001_INTERNAL', `${name}: apply was called before bind`)
