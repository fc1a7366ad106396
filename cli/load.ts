import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { loadPipeline, type PlacedDraft, readPluginList } from '../config/load'
import { formatWarning, type Problem, problemOf, type Warning } from '../config/problem'
import { createScrubber } from '../config/secrets'
import { ConnectError } from '../runtime/errors'
import type { Registry } from '../runtime/registry'
import type { PipelineSpec } from '../runtime/spec'
import { checkStages, checkViewNames } from '../runtime/stages'
import { checkColumns } from './column_checks'
import { InvalidFiles } from './invalid_files'
import type { Io } from './io'
import { registryWith } from './registry'
import { viewWarnings } from './view_columns'

export interface LoadedFiles {
  readonly pipelines: readonly PipelineSpec[]
  readonly registry: Registry
  readonly scrub: (text: string) => string
  readonly warnings: readonly Warning[]
}

/**
 * Loads pipeline files and folders (every `*.yaml` and `*.yml` in them, by name). Throws InvalidFiles with every problem of every
 * file, also of those that are not there.
 */
export async function loadFiles(names: readonly string[], io: Io): Promise<LoadedFiles> {
  const problems: Problem[] = []
  const files = new Set<string>()
  const empty = new Set<string>()
  for (const name of names) {
    const found = filesOf(path.resolve(io.cwd, name))
    for (const file of found) files.add(file)
    const message = 'the folder holds no .yaml file'
    if (found.length > 0) continue
    empty.add(name)
    problems.push(problemOf(name, { code: 'C012_UNREADABLE_FILE', message, hint: 'name another' }))
  }
  const listed = [...files].flatMap(file => readPluginList(file, io.env).map(plugin => ({ ...plugin, file })))
  const { registry, failures } = await registryWith(listed)

  const pipelines: PipelineSpec[] = []
  const warnings: Warning[] = []
  const secrets: string[] = []
  for (const file of files) {
    const name = shown(file, io.cwd)
    const lost = failures.filter(f => f.plugin.file === file)
    problems.push(...lost.map(({ plugin, error }) => problemOf(name, error, { ...plugin, path: 'plugins' })))
    const loaded = loadPipeline(name, { registry, env: io.env, cwd: io.cwd })
    if (!loaded.ok) {
      // a word that is not known may be one of a plugin that is missing
      const found = loaded.problems.filter(p => lost.length === 0 || p.code !== 'C009_UNKNOWN_PLUGIN')
      problems.push(...inOrder([...found, ...(loaded.draft ? (await checkLater(loaded.draft, registry)).problems : [])]))
      continue
    }
    secrets.push(...loaded.secrets)
    const later = await checkLater(loaded.draft, registry)
    warnings.push(...loaded.warnings, ...later.warnings)
    problems.push(...later.problems)
    pipelines.push(loaded.spec)
  }
  problems.push(...sameNames(pipelines))
  if (problems.length > 0) throw new InvalidFiles(problems, files.size + empty.size)
  return { pipelines, registry, scrub: createScrubber(secrets), warnings }
}

/** For commands about one pipeline. Throws C019_USAGE for a folder with several, else as `loadFiles`. */
export async function loadFile(name: string, io: Io): Promise<LoadedFiles & { readonly pipeline: PipelineSpec }> {
  const loaded = await loadFiles([name], io)
  const [pipeline, ...others] = loaded.pipelines
  if (others.length === 0) return { ...loaded, pipeline }
  const hint = `name one: ${loaded.pipelines.map(p => p.file).join(', ')}`
  throw new ConnectError('C019_USAGE', `${name} holds ${loaded.pipelines.length} pipelines`, { hint })
}

/** Paths inside the working directory are shown relative to it, as compilers do. */
function shown(file: string, cwd: string): string {
  const relative = path.relative(cwd, file)
  return relative.startsWith('..') ? file : relative
}

/** The file itself, there or not; of a folder its pipeline files. */
function filesOf(file: string): readonly string[] {
  if (!statSync(file, { throwIfNoEntry: false })?.isDirectory()) return [file]
  return readdirSync(file)
    .filter(f => /\.ya?ml$/.test(f))
    .sort()
    .map(f => path.join(file, f))
}

/** What the loader does not see: how flows and views stand together, and what the file proves wrong about columns. */
export async function checkLater(
  draft: PlacedDraft,
  registry: Registry,
): Promise<{ readonly problems: readonly Problem[]; readonly warnings: readonly Warning[] }> {
  const { problems, written } = await checkColumns(draft, registry)
  const placed = problems.map(({ flow, at, word, error }) => draft.problemAt(['flows', flow, ...at], word, error))
  return { problems: inOrder([...neighbours(draft, registry), ...placed]), warnings: viewWarnings(draft, written) }
}

function neighbours({ spec, flows, views, problemAt }: PlacedDraft, registry: Registry): readonly Problem[] {
  const sources = flows.flatMap(({ name, source }) => (source ? [{ name, source: source.spec }] : []))
  const unknown = checkViewNames(sources, views, registry).map(p => problemAt(['flows', p.flow, 'source', 'view'], p.view, p))
  const stages = checkStages(spec, registry).map(problem => {
    const [, file, line, column] = /^(.*):(\d+):(\d+)$/.exec(problem.at) ?? ['', spec.file, '1', '1']
    return problemOf(file, problem, { line: Number(line), column: Number(column) })
  })
  return [...stages, ...unknown]
}

/** As they stand in the file. */
const inOrder = (problems: readonly Problem[]): readonly Problem[] =>
  [...problems].sort((a, b) => a.line - b.line || a.column - b.column)

/** The name of a pipeline names its consumer groups, so two files of one process cannot share it. */
function sameNames(pipelines: readonly PipelineSpec[]): readonly Problem[] {
  const seen = new Map<string, string>()
  const problems: Problem[] = []
  for (const { name, file } of pipelines) {
    const other = seen.get(name)
    if (other !== undefined) {
      const message = `the pipeline of ${other} is called "${name}" too`
      const error = { code: 'C008_DUPLICATE_KEY', message, hint: 'give one of them another name' } as const
      problems.push(problemOf(file, error, { line: 1, column: 1, path: 'name' }))
    }
    seen.set(name, file)
  }
  return problems
}

export { formatWarning }
