import { ConnectError } from '../runtime/errors'
import { didYouMean } from '../runtime/registry'
import { fieldIndex, type Schema } from '../runtime/schema'

/** Index of a column that must be there. Throws C015_UNKNOWN_COLUMN with a suggestion; `where` is the option that names it. */
export function requireColumn(schema: Schema, name: string, where: string): number {
  const index = fieldIndex(schema, name)
  if (index >= 0) return index
  const names = schema.fields.map(f => f.name)
  const near = didYouMean(name, names)
  const known = near ? `did you mean "${near}"?` : `there are ${names.join(', ')}`
  throw new ConnectError('C015_UNKNOWN_COLUMN', `${where}: there is no column "${name}"; ${known}`)
}

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
