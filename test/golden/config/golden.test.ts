import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { checkLater } from '../../../cli/load'
import { builtInRegistry } from '../../../cli/registry'
import { type LoadResult, loadPipeline } from '../../../config/load'
import { formatProblem, type Problem } from '../../../config/problem'

/**
 * Broken pipeline files and what is to be said about each: `line:column CODE path`, one line per problem, all found in one pass.
 * A new `name.yaml` in this folder is a new test; UPDATE_GOLDEN=1 writes `name.expected`, to be read before it is committed.
 * Files named `neighbours_*` are valid by themselves; what is refused is how their stages stand together. In those named `columns_*`
 * it is what their stages say of columns; no other line of theirs may be refused.
 */
const registry = builtInRegistry()
const env = { TEXT: 'text', NUMBER: '1000', NAME: 'name' }

const names = readdirSync(__dirname)
  .filter(file => file.endsWith('.yaml'))
  .map(file => file.slice(0, -'.yaml'.length))

const line = (p: Problem): string => `${p.line}:${p.column} ${p.code} ${p.path}`.trimEnd()

async function problemsOf(loaded: LoadResult): Promise<readonly Problem[]> {
  const later = loaded.draft ? (await checkLater(loaded.draft, registry)).problems : []
  return [...(loaded.ok ? [] : loaded.problems), ...later].sort((a, b) => a.line - b.line || a.column - b.column)
}

async function said(name: string): Promise<readonly string[]> {
  const loaded = loadPipeline(`${name}.yaml`, { registry, env, cwd: __dirname })
  if (loaded.ok) expect(name).toMatch(/^(neighbours|columns)_/)
  return (await problemsOf(loaded)).map(line)
}

test.each(names)('%s', async name => {
  const file = path.join(__dirname, `${name}.expected`)
  const lines = `${(await said(name)).join('\n')}\n`
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, lines)
  expect(existsSync(file)).toBe(true)
  expect(lines).toBe(readFileSync(file, 'utf8'))
  expect(lines.trim()).not.toBe('')
})

test.each(names)('%s is explained in words', async name => {
  const loaded = loadPipeline(`${name}.yaml`, { registry, env, cwd: __dirname })
  const problems = await problemsOf(loaded)
  const text = problems.map(formatProblem).join('\n')
  for (const { message, hint } of problems) {
    expect(message).not.toBe('')
    expect(hint).not.toBe('')
  }
  // words of the libraries underneath, and of JavaScript
  expect(text).not.toMatch(/Invalid input|undefined|\[object|ZodError|NaN\b/)
  if (name === 'secrets_are_hidden') expect(text).not.toContain('hunter22')
})

test('every expectation belongs to a file', () => {
  const expected = readdirSync(__dirname).filter(file => file.endsWith('.expected'))
  expect(expected.map(file => file.slice(0, -'.expected'.length)).filter(name => !names.includes(name))).toEqual([])
})
