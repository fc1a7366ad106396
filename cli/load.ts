import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { loadPipeline, readPluginList } from '../config/load'
import { formatWarning, type Problem, type Warning } from '../config/problem'
import { createScrubber } from '../config/secrets'
import { ConnectError, ERRORS } from '../runtime/errors'
import type { Registry } from '../runtime/registry'
import type { PipelineSpec } from '../runtime/spec'
import { checkStages } from '../runtime/stages'
import { InvalidFiles } from './invalid_files'
import type { Io } from './io'
import { registryWith } from './registry'

export interface LoadedFiles {
  readonly pipelines: readonly PipelineSpec[]
  readonly registry: Registry
  readonly scrub: (text: string) => string
  readonly warnings: readonly Warning[]
}

/** Loads pipeline files and folders (every `*.yaml` and `*.yml` in them, by name). Throws InvalidFiles, or C012 for a missing one. */
export async function loadFiles(names: readonly string[], io: Io): Promise<LoadedFiles> {
  const files = names.flatMap(name => expand(path.resolve(io.cwd, name), name))
  const lists = files.map(file => ({ file, plugins: readPluginList(file, io.env) }))
  // one registry for all: two files may name the same plugin
  const registry = await registryWith(lists.flatMap(l => l.plugins.map(name => ({ name, file: l.file }))))

  const pipelines: PipelineSpec[] = []
  const problems: Problem[] = []
  const warnings: Warning[] = []
  const secrets: string[] = []
  for (const { file } of lists) {
    const loaded = loadPipeline(shown(file, io.cwd), { registry, env: io.env, cwd: io.cwd })
    if (!loaded.ok) {
      problems.push(...loaded.problems)
      continue
    }
    secrets.push(...loaded.secrets)
    warnings.push(...loaded.warnings)
    problems.push(...neighbours(loaded.spec, registry))
    pipelines.push(loaded.spec)
  }
  problems.push(...sameNames(pipelines))
  if (problems.length > 0) throw new InvalidFiles(problems)
  return { pipelines, registry, scrub: createScrubber(secrets), warnings }
}

/** Paths inside the working directory are shown relative to it, as compilers do. */
function shown(file: string, cwd: string): string {
  const relative = path.relative(cwd, file)
  return relative.startsWith('..') ? file : relative
}

function expand(file: string, name: string): readonly string[] {
  if (!existsSync(file)) throw new ConnectError('C012_UNREADABLE_FILE', `there is no ${name}`)
  if (!statSync(file).isDirectory()) return [file]
  const inside = readdirSync(file)
    .filter(f => /\.ya?ml$/.test(f))
    .sort()
  if (inside.length === 0) throw new ConnectError('C012_UNREADABLE_FILE', `${name} holds no .yaml file`)
  return inside.map(f => path.join(file, f))
}

function neighbours(spec: PipelineSpec, registry: Registry): readonly Problem[] {
  return checkStages(spec, registry).map(({ code, at, message, hint }) => {
    const [, file, line, column] = /^(.*):(\d+):(\d+)$/.exec(at) ?? ['', spec.file, '1', '1']
    return {
      code,
      file,
      line: Number(line),
      column: Number(column),
      path: '',
      message,
      hint: hint ?? ERRORS[code].hint,
      excerpt: null,
    }
  })
}

/** The name of a pipeline names its consumer groups, so two files of one process cannot share it. */
function sameNames(pipelines: readonly PipelineSpec[]): readonly Problem[] {
  const seen = new Map<string, string>()
  const problems: Problem[] = []
  for (const { name, file } of pipelines) {
    const other = seen.get(name)
    if (other !== undefined) {
      const message = `the pipeline of ${other} is called "${name}" too`
      problems.push({
        code: 'C008_DUPLICATE_KEY',
        file,
        line: 1,
        column: 1,
        path: 'name',
        message,
        hint: 'give one of them another name',
        excerpt: null,
      })
    }
    seen.set(name, file)
  }
  return problems
}

export { formatWarning }
