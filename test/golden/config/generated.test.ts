import path from 'node:path'
import { generated, staleFiles, writeGenerated } from '../../../cli/generate'
import { builtInRegistry } from '../../../cli/registry'

/** The committed JSON Schema and reference pages are what the declarations give. `npm run generate` or UPDATE_GOLDEN=1 writes them. */
const folder = path.resolve(__dirname, '../../../config/generated')

test('what is generated is up to date', () => {
  const files = generated(builtInRegistry())
  if (process.env.UPDATE_GOLDEN === '1') writeGenerated(folder, files)
  expect(staleFiles(folder, files)).toEqual([])
})

test('a changed, a missing and a superfluous file are told', () => {
  const files = new Map([...generated(builtInRegistry()), ['pipeline.schema.json', '{}'], ['reference/new.md', '']])
  files.delete('reference/README.md')
  expect(staleFiles(folder, files)).toEqual(['pipeline.schema.json', 'reference/new.md', 'reference/README.md'])
})
