import path from 'node:path'
import type { ErrorCode } from '../runtime/errors'
import { referenceEnd } from './mask'
import type { Findings } from './problem'
import { type Node, type Path, pathText, type ScalarNode } from './tree'

/** Where `${...}` takes its values from. */
export interface Scope {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly baseDir: string
  /** Content of a file; throws like fs.readFileSync. */
  readonly readFile: (file: string) => string
}

export interface Substituted {
  readonly text: string
  /** What each reference gave. */
  readonly filled: readonly string[]
  /** The part of `filled` that came from files. */
  readonly fromFiles: readonly string[]
  readonly failures: readonly Failure[]
}

export interface Failure {
  readonly code: ErrorCode
  /** The reference as written, from `${` to `}`. */
  readonly reference: string
  readonly message: string
  readonly hint?: string
}

const MAX_NESTING = 8

/**
 * Fills in `${NAME}`, `${NAME:-default}` (also for an empty variable, as in a shell) and `${file:path}` (relative to the pipeline
 * file; one line break at the end is left out). A default or a path may hold references itself. `$${` stands for `${`.
 */
export function substitute(text: string, scope: Scope, depth = 0): Substituted {
  let out = ''
  let from = 0
  const filled: string[] = []
  const fromFiles: string[] = []
  const failures: Failure[] = []
  for (let at = text.indexOf('${'); at !== -1; at = text.indexOf('${', from)) {
    if (text[at - 1] === '$' && at - 1 >= from) {
      out += `${text.slice(from, at - 1)}\${`
      from = at + 2
      continue
    }
    out += text.slice(from, at)
    const end = referenceEnd(text, at)
    if (end === -1) {
      failures.push({
        code: 'C005_INVALID_VALUE',
        reference: text.slice(at),
        message: '`${` without `}`',
        hint: 'close it, or write `$${`',
      })
      return { text: out, filled, fromFiles, failures }
    }
    const reference = text.slice(at, end)
    const result = resolve(reference, scope, depth)
    if ('code' in result) failures.push(result)
    else {
      out += result.text
      filled.push(result.text)
      fromFiles.push(...result.fromFiles)
      failures.push(...result.failures.map(f => ({ ...f, reference })))
    }
    from = end
  }
  return { text: out + text.slice(from), filled, fromFiles, failures }
}

function resolve(reference: string, scope: Scope, depth: number): Substituted | Failure {
  const inner = reference.slice(2, -1)
  if (depth > MAX_NESTING) return { code: 'C005_INVALID_VALUE', reference, message: 'references nested too deeply' }
  if (inner.startsWith('file:')) return fromFile(inner.slice('file:'.length), reference, scope, depth)
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inner)
  if (!match) {
    const hint = 'write ${NAME}, ${NAME:-default} or ${file:path}; `$${` stands for `${`'
    return { code: 'C005_INVALID_VALUE', reference, message: `\`${reference}\` is not a reference`, hint }
  }
  const [, name, fallback] = match
  const value = Object.hasOwn(scope.env, name) ? scope.env[name] : undefined
  if (value !== undefined && (value !== '' || fallback === undefined))
    return { text: value, filled: [], fromFiles: [], failures: [] }
  if (fallback !== undefined) return substitute(fallback, scope, depth + 1)
  const hint = `set ${name}, or give a default: \${${name}:-default}`
  return { code: 'C011_UNSET_VARIABLE', reference, message: `the variable ${name} is not set`, hint }
}

function fromFile(name: string, reference: string, scope: Scope, depth: number): Substituted | Failure {
  const wanted = substitute(name.trim(), scope, depth + 1)
  const failure = wanted.failures[0]
  if (failure) return { ...failure, reference }
  const file = path.resolve(scope.baseDir, wanted.text)
  try {
    const text = scope.readFile(file).replace(/\r?\n$/, '')
    return { text, filled: [], fromFiles: [text], failures: [] }
  } catch (thrown) {
    const why = systemCode(thrown)
    return { code: 'C012_UNREADABLE_FILE', reference, message: `cannot read ${wanted.text} (${why})` }
  }
}

/** The tree with every reference filled in. Texts that came from files are added to `secrets`. */
export function substituteTree(root: Node, scope: Scope, findings: Findings, secrets: Set<string>): Node {
  // Aliased nodes hang in several places and are filled in once.
  const done = new Map<Node, Node>()
  const walk = (node: Node, at: Path): Node => {
    const known = done.get(node)
    if (known) return known
    const next = walked(node, at)
    done.set(node, next)
    return next
  }
  const walked = (node: Node, at: Path): Node => {
    if (node.kind === 'map') return { ...node, entries: node.entries.map(e => ({ ...e, value: walk(e.value, [...at, e.key]) })) }
    if (node.kind === 'seq') return { ...node, items: node.items.map((item, i) => walk(item, [...at, i])) }
    return node.kind === 'scalar' ? fillScalar(node, at) : node
  }
  const fillScalar = (node: ScalarNode, at: Path): Node => {
    if (typeof node.value !== 'string' || !node.value.includes('${')) return node
    const result = substitute(node.value, scope)
    for (const secret of result.fromFiles) secrets.add(secret)
    if (result.failures.length > 0) {
      let from = 0
      for (const failure of result.failures) {
        const offset = Math.max(0, node.source.indexOf(failure.reference, from))
        from = offset + 1
        findings.add(failure.code, node.start + offset, pathText(at), failure.message, failure.hint)
      }
      return { kind: 'invalid', start: node.start, end: node.end }
    }
    if (result.filled.length === 0) return { ...node, value: result.text, text: result.text }
    const whole = node.plain && node.text.startsWith('${') && referenceEnd(node.text, 0) === node.text.length
    return { ...node, value: whole ? typed(result.text) : result.text, text: result.text, filled: result.filled }
  }
  return walk(root, [])
}

/** A value that is one reference and not quoted gets the type YAML 1.2 would give it; null does not exist here. */
function typed(text: string): string | number | boolean {
  if (/^(true|True|TRUE)$/.test(text)) return true
  if (/^(false|False|FALSE)$/.test(text)) return false
  const numeric = /^[-+]?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(text)
  const exact = Number.isSafeInteger(Number(text)) || !Number.isInteger(Number(text))
  return numeric && exact && Number.isFinite(Number(text)) ? Number(text) : text
}

/** `ENOENT` and the like. */
export const systemCode = (thrown: unknown): string =>
  typeof thrown === 'object' && thrown !== null && 'code' in thrown ? String(thrown.code) : 'unreadable'
