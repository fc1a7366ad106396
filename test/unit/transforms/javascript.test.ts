import { join } from 'node:path'
import { javascript } from '../../../transforms/javascript'
import { batchOf, rowsOf, schemaOf } from '../../support/batches'
import { conforms } from '../../support/conformance'
import { applied, createTransform, pluginContext } from '../../support/transforms'

const folder = join(__dirname, '../../support/javascript')
const context = pluginContext(folder)
const columns = { load: 'f64?', device: 'utf8' }
const schema = schemaOf({ device: 'utf8', cpu: 'f64?' })
const run = (
  rows: readonly { device: string; cpu: number | null }[],
  config: object = { file: 'enrich.js', columns },
  selection?: number[],
) => applied(javascript, config, batchOf(schema, rows, { selection }), context)

test('filters, adds and replaces columns', async () => {
  const out = await run([
    { device: 'd0', cpu: 50 },
    { device: 'd1', cpu: 1 },
    { device: 'as_is', cpu: 3 },
    { device: 'd2', cpu: null },
  ])
  expect(rowsOf(out)).toEqual([
    { device: 'D0', cpu: 50, load: 0.5 },
    { device: 'as_is', cpu: 3, load: null },
    { device: 'D2', cpu: null, load: null },
  ])
  expect(out.rejected).toEqual([])
})

test('a record the function fails on is rejected, with the reason', async () => {
  const names = ['throws', 'promise', 'wrong', 'undeclared', 'good']
  const out = await run(names.map(device => ({ device, cpu: 1 })))
  expect(rowsOf(out)).toEqual([{ device: 'GOOD', cpu: 1, load: 0.01 }])
  expect(out.rejected.map(r => [r.record.offset, r.error.code, r.error.message])).toEqual([
    [100, 'D012_EXPRESSION', 'Error: no such device'],
    [101, 'D006_WRONG_TYPE', 'the function returned a promise; it must not be async'],
    [102, 'D006_WRONG_TYPE', 'load: "much" (string) is no f64'],
    [103, 'D013_UNKNOWN_FIELD', 'the function returned "lod", which `columns` does not declare'],
  ])
  expect(out.rejected[3].error.hint).toBe('did you mean "load"?')
})

test('sees live records only', async () => {
  const out = await run(
    [
      { device: 'throws', cpu: 1 },
      { device: 'a', cpu: 1 },
      { device: 'throws', cpu: 1 },
    ],
    undefined,
    [1],
  )
  expect(rowsOf(out)).toEqual([{ device: 'A', cpu: 1, load: 0.01 }])
  expect(out.rejected).toEqual([])
})

test('ES modules and bare verdicts', async () => {
  const out = await run(
    [
      { device: 'a', cpu: 60 },
      { device: 'b', cpu: 40 },
    ],
    { file: 'module.mjs' },
  )
  expect(rowsOf(out)).toEqual([{ device: 'a', cpu: 60 }])
})

test.each([
  [{ file: 'missing.js' }, 'C012_UNREADABLE_FILE'],
  [{ file: 'nothing.js' }, 'C018_PLUGIN_INVALID'],
  [{ file: 'enrich.js', columns: { x: 'flaot' } }, 'C005_INVALID_VALUE'],
])('%j is refused with %s', (config, code) => {
  expect(() => createTransform(javascript, config, context)).toThrow(expect.objectContaining({ code }))
})

describe('conformance with a file', () => {
  const declaration = { ...javascript, conformance: { config: { file: join(folder, 'enrich.js'), columns } } }
  conforms(declaration)
})
