import { dropFields } from '../../../transforms/drop_fields'
import { rename } from '../../../transforms/rename'
import { batchOf, rowsOf, schemaOf } from '../../support/batches'
import { applied, bindError } from '../../support/transforms'

const batch = batchOf(schemaOf({ a: 'i32', b: 'utf8', c: 'f64?' }), [{ a: 1, b: 'x', c: null }])

test('renames at once, so names can be swapped; columns stay the same objects', async () => {
  const out = await applied(rename, { fields: { a: 'b', b: 'a' } }, batch)
  expect(rowsOf(out)).toEqual([{ b: 1, a: 'x', c: null }])
  expect(out.columns).toBe(batch.columns)
})

test.each<[object, string, string]>([
  [{ aa: 'x' }, 'C015_UNKNOWN_COLUMN', 'fields.aa: there is no column "aa"; did you mean "a"?'],
  [{ a: 'b' }, 'C016_SCHEMA', 'fields: two columns would be called "b"'],
  [{ a: 'n', b: 'n' }, 'C016_SCHEMA', 'fields: two columns would be called "n"'],
])('rename %j is refused', (fields, code, message) => {
  const error = bindError(rename, { fields }, batch)
  expect([error?.code, error?.message]).toEqual([code, message])
})

test('drop_fields leaves out or keeps', async () => {
  expect(rowsOf(await applied(dropFields, { fields: ['b', 'c'] }, batch))).toEqual([{ a: 1 }])
  expect(rowsOf(await applied(dropFields, { keep: ['c', 'a'] }, batch))).toEqual([{ a: 1, c: null }])
})

test('drop_fields refuses unknown columns, no columns, and both options', () => {
  expect(bindError(dropFields, { fields: ['z'] }, batch)?.code).toBe('C015_UNKNOWN_COLUMN')
  expect(bindError(dropFields, { fields: ['a', 'b', 'c'] }, batch)?.code).toBe('C016_SCHEMA')
  expect(dropFields.config.safeParse({ fields: ['a'], keep: ['b'] }).success).toBe(false)
  expect(dropFields.config.safeParse({}).success).toBe(false)
})
