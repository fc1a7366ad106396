import { ERRORS, type ErrorCode } from '../runtime/errors'

/** One thing that is wrong in a pipeline file, at its place. */
export interface Problem {
  readonly code: ErrorCode
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 code units as editors count. */
  readonly column: number
  /** `flows.ingest.transforms[0].if`; empty: the file itself. */
  readonly path: string
  readonly message: string
  readonly hint: string
  /** The line as it stands in the file, without secrets; null where there is no such line. */
  readonly excerpt: string | null
  /** Where in the excerpt the mark belongs, from 1, if hidden secrets moved it; default: `column`. */
  readonly caret?: number
}

/** Something to think about that stops nothing. */
export type Warning = Omit<Problem, 'code'>

/** A problem found beside the loader: of a file as a whole, or at a place that is known from its reading. */
export const problemOf = (
  file: string,
  { code, message, hint }: { readonly code: ErrorCode; readonly message: string; readonly hint?: string | undefined },
  { line, column, path }: { readonly line: number; readonly column: number; readonly path?: string } = { line: 1, column: 1 },
): Problem => ({ code, file, line, column, path: path ?? '', message, hint: hint ?? ERRORS[code].hint, excerpt: null })

const MAX_EXCERPT = 160

/** `file:line:column: CODE path: message`, then the line with a caret and the hint. */
export function formatProblem(problem: Problem): string {
  return formatted(problem, problem.code)
}

export function formatWarning(warning: Warning): string {
  return formatted(warning, 'warning')
}

function formatted(at: Warning, word: string): string {
  const where = at.path === '' ? '' : `${at.path}: `
  // a file that is not there has no lines
  const absent = word === 'C012_UNREADABLE_FILE' && at.path === '' && at.excerpt === null
  const place = absent ? at.file : `${at.file}:${at.line}:${at.column}`
  const lines = [`${place}: ${word} ${where}${at.message}`]
  if (at.excerpt !== null) {
    const shown = at.excerpt.slice(0, MAX_EXCERPT)
    lines.push(`    ${shown.replaceAll('\t', ' ')}`)
    const caret = at.caret ?? at.column
    if (caret <= shown.length + 1) lines.push(`    ${' '.repeat(caret - 1)}^`)
  }
  lines.push(`  ${at.hint}`)
  return lines.join('\n')
}

/** Where a pipeline's text breaks into lines. */
export class LineIndex {
  readonly #starts: number[] = [0]

  constructor(readonly text: string) {
    for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) this.#starts.push(i + 1)
  }

  at(offset: number): { readonly line: number; readonly column: number } {
    const wanted = Math.max(0, Math.min(offset, this.text.length))
    let low = 0
    let high = this.#starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#starts[middle] <= wanted) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: wanted - this.#starts[low] + 1 }
  }

  line(number: number): string {
    return this.text.slice(this.#starts[number - 1], this.#starts[number] ?? this.text.length).replace(/\r?\n$/, '')
  }
}

interface Found {
  readonly code: ErrorCode | null
  readonly offset: number
  readonly path: string
  readonly message: string
  readonly hint: string
}

/** Collects what is wrong with one file; the same finding at the same place (through an alias) counts once. */
export class Findings {
  readonly #found = new Map<string, Found>()
  #errors = 0

  constructor(
    readonly file: string,
    readonly lines: LineIndex,
  ) {}

  get errors(): number {
    return this.#errors
  }

  add(code: ErrorCode, offset: number, path: string, message: string, hint?: string): void {
    const key = `${code} ${offset} ${message}`
    if (this.#found.has(key)) return
    this.#errors++
    this.#found.set(key, { code, offset, path, message, hint: hint ?? ERRORS[code].hint })
  }

  warn(offset: number, path: string, message: string, hint: string): void {
    this.#found.set(`warning ${offset} ${message}`, { code: null, offset, path, message, hint })
  }

  /** `file:line:column` */
  at(offset: number): string {
    const { line, column } = this.lines.at(offset)
    return `${this.file}:${line}:${column}`
  }

  /** In the order of the file, every text scrubbed. */
  problems(scrub: (text: string) => string): readonly Problem[] {
    return this.#sorted().flatMap(found => (found.code === null ? [] : [{ code: found.code, ...this.#placed(found, scrub) }]))
  }

  warnings(scrub: (text: string) => string): readonly Warning[] {
    return this.#sorted().flatMap(found => (found.code === null ? [this.#placed(found, scrub)] : []))
  }

  #sorted(): readonly Found[] {
    return [...this.#found.values()].sort((a, b) => a.offset - b.offset)
  }

  #placed(found: Found, scrub: (text: string) => string): Warning {
    const { line, column } = this.lines.at(found.offset)
    const raw = this.lines.line(line)
    const hide = (text: string): string => scrub(hideSecretKeys(text))
    const excerpt = hide(raw)
    const left = hide(raw.slice(0, column - 1))
    return {
      file: this.file,
      line,
      column,
      path: found.path,
      message: scrub(found.message),
      hint: scrub(found.hint),
      excerpt: raw.trim() === '' ? null : excerpt,
      ...(excerpt.startsWith(left) && left.length !== column - 1 ? { caret: left.length + 1 } : {}),
    }
  }
}

/** Under an unknown key, or where the file did not parse, a secret is not known as one: go by how the key sounds. */
const hideSecretKeys = (line: string): string =>
  line.replace(SECRET_ENTRY, (whole: string, key: string, value: string) => (value.startsWith('${') ? whole : `${key}***`))

const SECRET_ENTRY = /([\w-]*(?:pass|pwd|secret|token|api_?key)[\w-]*["']?\s*:\s+)("[^"]*"?|'[^']*'?|\[[^\]]*\]?|[^\s,}][^,}]*)/gi
