import path from 'node:path'
import { type LoadResult, loadPipeline } from '../../../config/load'
import { formatProblem } from '../../../config/problem'
import { registry } from './plugins'

/** Pipeline files given as text, loaded with the plugins of these tests, and what came of it. */

type Env = Record<string, string | undefined>

/** Loads `dir/p.yaml` with this content; `files` are beside it. */
export function load(text: string, env: Env = {}, files: Record<string, string> = {}): LoadResult {
  const readFile = (file: string): string => {
    const found = file.endsWith('p.yaml') ? text : files[path.basename(file)]
    if (found === undefined) throw Object.assign(new Error('missing'), { code: 'ENOENT' })
    return found
  }
  return loadPipeline('dir/p.yaml', { registry, env, readFile })
}

export function specOf(result: LoadResult) {
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'))
  return result.spec
}

/** `line:column code path`, the things that must be right about a problem. */
export function problemsOf(result: LoadResult): readonly string[] {
  return result.ok ? [] : result.problems.map(p => `${p.line}:${p.column} ${p.code.slice(0, 4)} ${p.path}`)
}

export const messagesOf = (result: LoadResult): string => (result.ok ? '' : result.problems.map(formatProblem).join('\n'))

export const MINIMAL = `
name: demo
flows:
  a:
    source: {type: ticks, columns: {n: i64}}
    sink: {type: screen}
`
