import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'

interface Outcome {
  readonly plugin: string
  readonly name: string
  readonly skip: string | null
  readonly error: string | null
}

const root = path.resolve(__dirname, '../..')

// as an outside package sees the product: the built files, by the package's own name
test('sample plugins pass the suite through the public entry only', () => {
  if (!existsSync(path.join(root, 'dist/runtime/conformance/index.js'))) throw new Error('run `npm run build` first')
  const printed = execFileSync(process.execPath, [path.join(root, 'test/third-party/run.mjs')], { encoding: 'utf8' })
  const outcomes = printed
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Outcome)
  expect(outcomes.filter(o => o.error !== null || o.skip !== null)).toEqual([])
  const groups = new Set(outcomes.map(o => `${o.plugin} ${o.name.split(':')[0]}`))
  expect([...groups].sort()).toEqual([
    'sample_lines declaration',
    'sample_lines sink',
    'sample_shout declaration',
    'sample_shout transform',
  ])
})
