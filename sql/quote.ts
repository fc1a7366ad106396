import type { TableName } from '../runtime/store'

/** A name as ClickHouse reads it back unchanged, whatever it holds. */
export const identifier = (name: string): string => `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``

/** A string literal. For values inside DDL, where placeholders are not possible. */
export const literal = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** A whole number in a statement; refuses what JavaScript cannot hold exactly. */
export const integer = (value: number): string => {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an exact integer`)
  return String(value)
}

export const tableName = (name: TableName): string => `${identifier(name.database)}.${identifier(name.table)}`

export const columnList = (names: readonly string[]): string => names.map(identifier).join(', ')
