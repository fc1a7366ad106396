import { ConnectError } from './errors'
import { didYouMean } from './registry'
import { fieldIndex, type Schema } from './schema'

/** Index of a column that must be there. Throws C015_UNKNOWN_COLUMN with a suggestion; `where` is the option that names it. */
export function requireColumn(schema: Schema, name: string, where: string): number {
  const index = fieldIndex(schema, name)
  if (index >= 0) return index
  const names = schema.fields.map(f => f.name)
  const near = didYouMean(name, names)
  const known = near ? `did you mean "${near}"?` : `there are ${names.join(', ')}`
  throw new ConnectError('C015_UNKNOWN_COLUMN', `${where}: there is no column "${name}"; ${known}`)
}
