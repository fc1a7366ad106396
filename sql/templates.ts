import { readFileSync } from 'node:fs'
import path from 'node:path'
import { ConnectError } from '../runtime/errors'

/**
 * A statement from sql/templates with its `{{places}}` filled. The caller quotes what it puts in; a place without a value or a
 * value without a place is a bug and throws.
 */
export function statement(name: string, values: Readonly<Record<string, string>>): string {
  const text = readFileSync(path.join(__dirname, 'templates', `${name}.sql`), 'utf8')
  const used = new Set<string>()
  const filled = text.replace(/\{\{(\w+)\}\}/g, (_, place: string) => {
    const value = values[place]
    if (value === undefined) throw new ConnectError('R001_INTERNAL', `${name}.sql has no value for {{${place}}}`)
    used.add(place)
    return value
  })
  const unused = Object.keys(values).filter(place => !used.has(place))
  if (unused.length > 0) throw new ConnectError('R001_INTERNAL', `${name}.sql has no place for ${unused.join(', ')}`)
  return filled.replace(/\n\s*\n/g, '\n').trim()
}
