import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { ErrorCode } from '../runtime/errors'
import type { Registry } from '../runtime/registry'
import type { PipelineSpec } from '../runtime/spec'
import { type CheckContext, check } from './check'
import { readConnections, readHome } from './connections'
import { readDocument } from './document'
import type { Draft } from './draft'
import { type FlowContext, readFlow } from './flows'
import { lintFile, lintSpec } from './lint'
import { putTypesRight } from './meant_type'
import { Findings, LineIndex, type Problem, type Warning } from './problem'
import { roughly } from './rough'
import { createScrubber } from './secrets'
import { NOT_AVAILABLE, type PipelineFile, pipelineSchema } from './structure'
import { type Scope, substituteTree, systemCode } from './substitute'
import { child, entryOf, locate, type Node, type Path, pathText, textOf } from './tree'
import { readViews } from './views'

export interface LoadOptions {
  readonly registry: Registry
  readonly env: Readonly<Record<string, string | undefined>>
  /** Text of a file (UTF-8); throws like fs.readFileSync, which is the default. */
  readonly readFile?: (file: string) => string
  /** What a relative `file` is relative to; default: the working directory of the process. */
  readonly cwd?: string
}

export type LoadResult =
  | {
      readonly ok: true
      readonly spec: PipelineSpec
      /** Values to hide from everything that is shown; see `createScrubber`. */
      readonly secrets: readonly string[]
      readonly warnings: readonly Warning[]
      readonly draft: PlacedDraft
    }
  /** `draft`: null where nothing could be read. */
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly draft: PlacedDraft | null }

export interface PlacedDraft extends Draft {
  /** The flows and views of the file that are right by themselves. */
  readonly spec: PipelineSpec
  /** A problem that is found later, at its place: the deepest part of `at` that the file has, there the entry, key or item `word`. */
  readonly problemAt: (at: Path, word: string | null, error: FoundLater) => Problem
}

export type FoundLater = { readonly code: ErrorCode; readonly message: string; readonly hint: string }

/**
 * Reads a pipeline file. Every problem of the file is found in this one pass and given with its position; only YAML that does not
 * parse hides the rest. Reads the file and what `${file:...}` names, and looks whether paths of files are folders. Does not throw.
 */
export function loadPipeline(file: string, options: LoadOptions): LoadResult {
  const absolute = path.resolve(options.cwd ?? '.', file)
  const baseDir = path.dirname(absolute)
  const opened = open(file, absolute, { baseDir, ...withReader(options) })
  const { findings, secrets } = opened
  const context: CheckContext = { registry: options.registry, findings, secrets }
  const { root } = opened
  const read = root ? readPipeline(root, file, baseDir, context) : null
  const scrub = createScrubber([...secrets])
  const problemAt = (at: Path, word: string | null, { code, message, hint }: FoundLater): Problem => {
    const found = new Findings(file, findings.lines)
    found.add(code, root ? offsetOf(root, at, word) : 0, pathText(at), message, hint)
    return found.problems(scrub)[0]
  }
  const draft = read && { ...read, problemAt }
  if (!draft || findings.errors > 0) return { ok: false, problems: findings.problems(scrub), draft }
  const { spec } = draft
  return { ok: true, spec, secrets: [...secrets].filter(s => s !== ''), warnings: findings.warnings(scrub), draft }
}

function offsetOf(root: Node, at: Path, word: string | null): number {
  const { node, entry, owner } = locate(root, at, root.start)
  if (word === null || !node) return owner
  if (node.kind === 'seq') return node.items.find(item => textOf(item) === word)?.start ?? node.start
  if (node.kind === 'map') return entryOf(node, word)?.keyStart ?? node.start
  return entry?.key === word ? entry.keyStart : node.start
}

/** An entry of `plugins:` and where it stands, both from 1. */
export interface ListedPlugin {
  readonly name: string
  readonly line: number
  readonly column: number
}

/**
 * What `plugins:` lists (packages, or files relative to the pipeline file), to be loaded before `loadPipeline` can know their
 * names. Reports nothing: whatever is wrong with the file is found by `loadPipeline`.
 */
export function readPluginList(
  file: string,
  env: LoadOptions['env'],
  options: Pick<LoadOptions, 'readFile' | 'cwd'> = {},
): readonly ListedPlugin[] {
  const absolute = path.resolve(options.cwd ?? '.', file)
  const { root, findings } = open(file, absolute, { baseDir: path.dirname(absolute), ...withReader({ env, ...options }) })
  const list = child(root ?? undefined, 'plugins')
  return (list?.kind === 'seq' ? list.items : []).flatMap(item => {
    const name = textOf(item)
    return name === undefined ? [] : [{ name, ...findings.lines.at(item.start) }]
  })
}

const withReader = (options: Pick<LoadOptions, 'env' | 'readFile'>): Pick<Scope, 'env' | 'readFile'> => ({
  env: options.env,
  readFile: options.readFile ?? (name => readFileSync(name, 'utf8')),
})

interface Opened {
  /** Null: nothing to look at. */
  readonly root: Node | null
  readonly findings: Findings
  readonly secrets: Set<string>
}

/** `file` is the name shown in messages, `absolute` what is read. */
function open(file: string, absolute: string, scope: Scope): Opened {
  const secrets = new Set<string>()
  let text: string
  try {
    text = scope.readFile(absolute)
  } catch (thrown) {
    const why = systemCode(thrown)
    const findings = new Findings(file, new LineIndex(''))
    const [message, hint] =
      why === 'ENOENT'
        ? ['there is no such file', `looked for ${absolute}`]
        : [`cannot read the pipeline file (${why})`, 'check its permissions']
    findings.add('C012_UNREADABLE_FILE', 0, '', message, hint)
    return { root: null, findings, secrets }
  }
  const findings = new Findings(file, new LineIndex(text))
  const read = readDocument(text, findings)
  return { root: read && substituteTree(read, scope, findings, secrets), findings, secrets }
}

function readPipeline(
  root: Node,
  file: string,
  baseDir: string,
  context: CheckContext,
): (Draft & { readonly spec: PipelineSpec }) | null {
  const checked = check(pipelineSchema, putTypesRight(root, context.findings), { path: [], owner: root.start }, context)
  const { tree } = checked
  const { value, lost } = checked.ok ? { value: checked.value, lost: [] } : (checked.rough ?? withoutName(tree))
  const values = value as PipelineFile | null
  for (const key of NOT_AVAILABLE) refuseUnavailable(key, tree, context)
  const connections = readConnections(child(tree, 'connections'), context)
  const home = readHome(child(tree, 'home'), connections, context)
  const flowContext: FlowContext = { ...context, connections, home, baseDir }
  const block = child(tree, 'flows')
  const entries = block?.kind === 'map' ? block.entries : []
  const flows = entries.map(entry => {
    const whole = !lost.some(path => path[0] === 'flows' && (path.length === 1 || path[1] === entry.key))
    return readFlow(entry, whole ? values?.flows[entry.key] : undefined, flowContext)
  })
  const drafts = flows.map(f => f.draft)
  const ofViews = lost.filter(path => path[0] === 'views').map(path => path.slice(1))
  const views = readViews(child(tree, 'views'), { files: values?.views ?? {}, lost: ofViews }, drafts, context)
  lintFile(tree, connections, context)
  if (!values) return null
  const specs = connections.flatMap(c => (c.spec ? [[c.name, c.spec] as const] : []))
  const spec: PipelineSpec = {
    name: values.name,
    file,
    baseDir,
    connections: Object.fromEntries(specs),
    home,
    flows: flows.flatMap(f => f.specs),
    views: views.specs,
    memory: values.memory,
    shutdownTimeout: values.shutdown_timeout,
  }
  lintSpec(spec, tree, context)
  return { spec, flows: drafts, views: views.drafts }
}

/** The rest of a file whose name is what cannot be read; nothing depends on it. */
function withoutName(tree: Node): { readonly value: unknown; readonly lost: readonly Path[] } {
  if (tree.kind !== 'map') return { value: null, lost: [] }
  const name: Node = { kind: 'given', start: tree.start, end: tree.start, value: 'unnamed' }
  const entries = [...tree.entries.filter(e => e.key !== 'name'), { key: 'name', keyStart: tree.start, value: name }]
  return roughly(pipelineSchema, { ...tree, entries }) ?? { value: null, lost: [] }
}

function refuseUnavailable(key: string, tree: Node, { findings }: CheckContext): void {
  const entry = entryOf(tree, key)
  if (!entry) return
  const { value } = entry
  const empty = (value.kind === 'map' && value.entries.length === 0) || (value.kind === 'seq' && value.items.length === 0)
  if (!empty && value.kind !== 'invalid') {
    findings.add('C021_NOT_AVAILABLE', entry.keyStart, pathText([key]), `\`${key}:\` is not available in this version`)
  }
}
