import { jsonColumns } from '../../../cli/json_columns'
import { fieldTypeName } from '../../../runtime/schema'

const typesOf = (...records: object[]): Readonly<Record<string, string>> =>
  Object.fromEntries(jsonColumns(records.map(r => JSON.stringify(r))).fields.map(f => [f.name, fieldTypeName(f)]))

test('texts that are times in each record are timestamps, in a unit that holds them all', () => {
  const at = (text: string) => ({ at: text })
  expect(typesOf(at('2024-01-31T23:59:59Z'), at('2024-01-31T23:59:59.25+01:00'))).toEqual({ at: 'timestamp(ms)' })
  expect(typesOf(at('2024-01-31T23:59:59Z'), at('2024-01-31 23:59:59.000250'))).toEqual({ at: 'timestamp(us)' })
  expect(typesOf(at('2024-01-31T23:59:59Z'), at('soon'))).toEqual({ at: 'utf8' })
  expect(typesOf(at('2024-01-31T23:59:59Z'), { at: 7 })).toEqual({ at: 'json' })
  expect(typesOf(at('2024-01-31'), at('2024-02-31T00:00:00Z'))).toEqual({ at: 'utf8' })
})

test('a column is nullable where a record lacks it, or has null', () => {
  expect(typesOf({ a: 1, b: 'x', c: 1.5, d: null }, { a: 2, c: null, d: null })).toEqual({
    a: 'i64',
    b: 'utf8?',
    c: 'f64?',
    d: 'json?',
  })
})
