import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type ParsedNode,
  parseAllDocuments,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { forbiddenCharacter, mask, unmask } from './mask'
import type { Findings } from './problem'
import { splitByComma, splitNumber, trapOf } from './traps'
import { type Entry, type InvalidNode, type MapNode, type Node, type Path, pathText, type ScalarNode } from './tree'
import { syntaxProblem } from './yaml_errors'

/** Bounds against files that grow when they are read (aliases of aliases) or that were never meant as pipelines. */
const MAX_CHARACTERS = 4 * 1024 * 1024
const MAX_NODES = 100_000
const MAX_DEPTH = 64
const MAX_SYNTAX_PROBLEMS = 10

/** Reads YAML 1.2 into a tree; null after problems that leave nothing to look at. Never throws. */
export function readDocument(text: string, findings: Findings): Node | null {
  if (text.length > MAX_CHARACTERS) {
    findings.add('C001_YAML_SYNTAX', 0, '', `the file has ${text.length} characters; at most ${MAX_CHARACTERS} are read`)
    return null
  }
  const forbidden = forbiddenCharacter(text)
  if (forbidden !== -1) {
    findings.add('C001_YAML_SYNTAX', forbidden, '', 'a Unicode noncharacter', 'remove the invisible character')
    return null
  }
  const masked = mask(text)
  const document = parsed(masked, findings)
  if (!document?.contents) return null
  const converter = new Converter(masked, findings)
  const root = converter.convert(document.contents, [], 0)
  return converter.overflowed ? null : root
}

function parsed(text: string, findings: Findings): Document.Parsed | null {
  let documents: readonly Document.Parsed[]
  try {
    documents = parseAllDocuments(text, { prettyErrors: false, uniqueKeys: false, merge: false, version: '1.2', schema: 'core' })
  } catch (thrown) {
    // The parser recurses; text nested thousands deep ends in a RangeError.
    const why = thrown instanceof RangeError ? 'it is nested too deeply' : 'the YAML reader gave up'
    findings.add('C001_YAML_SYNTAX', 0, '', `the file cannot be read: ${why}`)
    return null
  }
  const [first, second] = documents
  if (!first?.contents || (isScalar(first.contents) && first.contents.value === null && first.errors.length === 0)) {
    findings.add('C001_YAML_SYNTAX', 0, '', 'the file is empty', 'a pipeline needs at least `name:` and `flows:`')
    return null
  }
  const errors = first.errors.filter(e => e.code !== 'TAG_RESOLVE_FAILED')
  // What the parser says about a line after its first complaint, or after it lost the structure, only confuses.
  const lines = new Set<number>()
  for (const error of errors) {
    const said = syntaxProblem(error, text)
    const { line } = findings.lines.at(said.at)
    if (lines.has(line) || lines.size >= MAX_SYNTAX_PROBLEMS) continue
    lines.add(line)
    findings.add(said.code, said.at, '', unmask(said.message), unmask(said.hint))
    if (error.code === 'UNEXPECTED_TOKEN' || error.code === 'BAD_INDENT' || error.code === 'MISSING_CHAR') break
  }
  if (errors.length > 0) return null
  if (second) {
    const at = Math.max(0, text.lastIndexOf('---', second.range[0]))
    findings.add(
      'C001_YAML_SYNTAX',
      at,
      '',
      'the file holds several documents',
      'keep one pipeline per file: remove the `---` line',
    )
    return null
  }
  const { yaml } = first.directives
  if (yaml.explicit && yaml.version !== '1.2') {
    findings.add(
      'C001_YAML_SYNTAX',
      0,
      '',
      `YAML ${yaml.version} is not read`,
      'remove the %YAML line; the file is read as YAML 1.2',
    )
    return null
  }
  return first
}

class Converter {
  readonly #text: string
  readonly #findings: Findings
  readonly #anchors = new Map<string, Node | 'open'>()
  /** Nodes under an anchored node, to count what its aliases add. */
  readonly #sizes = new Map<Node, number>()
  #nodes = 0
  overflowed = false

  constructor(text: string, findings: Findings) {
    this.#text = text
    this.#findings = findings
  }

  convert(node: ParsedNode, path: Path, depth: number): Node {
    const [start, end] = node.range
    if (this.overflowed || ++this.#nodes > MAX_NODES) return this.#tooLarge(start, path)
    if (depth > MAX_DEPTH) return this.#invalid('C001_YAML_SYNTAX', start, end, path, `nested more than ${MAX_DEPTH} deep`)
    if (isAlias(node)) return this.#alias(node.source, start, end, path)
    const before = this.#nodes
    if (node.anchor) this.#anchors.set(node.anchor, 'open')
    const converted = this.#own(node, path, depth)
    if (node.anchor) {
      this.#anchors.set(node.anchor, converted)
      this.#sizes.set(converted, this.#nodes - before + 1)
    }
    return converted
  }

  #own(node: Exclude<ParsedNode, { source: string; type?: never }>, path: Path, depth: number): Node {
    if (isMap(node)) return this.#tagged(node, path) ?? this.#map(node as YAMLMap.Parsed, path, depth)
    if (isSeq(node)) return this.#tagged(node, path) ?? this.#seq(node as YAMLSeq.Parsed, path, depth)
    if (isScalar(node)) return this.#tagged(node, path) ?? this.#scalar(node as Scalar.Parsed, path)
    return this.#alias('', 0, 0, path)
  }

  #alias(name: string, start: number, end: number, path: Path): Node {
    const target = this.#anchors.get(name)
    if (target === undefined || target === 'open') {
      const why =
        target === 'open' ? `the alias *${name} stands inside what it names` : `there is no anchor &${name} before this alias`
      const hint =
        target === 'open' ? 'move the anchor' : 'declare `&name` earlier in the file, or quote the value: `*` starts an alias'
      return this.#invalid('C001_YAML_SYNTAX', start, end, path, why, hint)
    }
    this.#nodes += this.#sizes.get(target) ?? 1
    return this.#nodes > MAX_NODES ? this.#tooLarge(start, path) : target
  }

  /** Said once; what is read after it is cut off. */
  #tooLarge(start: number, path: Path): InvalidNode {
    const message = `more than ${MAX_NODES} values once aliases are followed`
    if (!this.overflowed) this.#findings.add('C001_YAML_SYNTAX', start, pathText(path), message, 'use fewer aliases')
    this.overflowed = true
    return { kind: 'invalid', start, end: start }
  }

  #invalid(
    code: Parameters<Findings['add']>[0],
    start: number,
    end: number,
    path: Path,
    message: string,
    hint?: string,
  ): InvalidNode {
    this.#findings.add(code, start, pathText(path), message, hint)
    return { kind: 'invalid', start, end }
  }

  #tagged(node: { readonly tag?: string; readonly range?: readonly number[] | null }, path: Path): InvalidNode | null {
    if (!node.tag) return null
    // The range of a node begins after its tag; the tag is what to point at.
    const [start, end] = node.range ?? [0, 0]
    const at = this.#text.lastIndexOf('!', this.#text.startsWith('!', start) ? start : start - 1)
    const from = this.#text.lastIndexOf('!', at - 1) === at - 1 && at > 0 ? at - 1 : Math.max(at, 0)
    const written = unmask(/^[^\n,}\]]*/.exec(this.#text.slice(from))?.[0].trim() ?? '')
    return this.#invalid(
      'C007_YAML_TAG',
      from,
      end,
      path,
      `\`${written.split(/\s/)[0]}\` is read as a YAML tag`,
      `quote the value: "${written}"`,
    )
  }

  #seq(node: YAMLSeq.Parsed, path: Path, depth: number): Node {
    const [start, end] = node.range
    const items = node.items.map((item, i) => this.#value(item, [...path, i], depth, item.range[0]))
    if (node.flow) {
      const broken = splitByComma(items)
      if (broken) return this.#split(broken.start, start, end, path)
    }
    return { kind: 'seq', start, end, items }
  }

  #value(value: ParsedNode | null, path: Path, depth: number, keyStart: number): Node {
    const isNull = value === null || (isScalar(value) && value.value === null && !value.tag)
    if (!isNull) return this.convert(value, path, depth + 1)
    const written = value && isScalar(value) && value.source ? ` (\`${value.source}\`)` : ''
    const name = path.at(-1)
    const what = typeof name === 'number' ? 'an entry without a value' : `\`${name}\` has no value`
    const hint = 'give it a value or remove it'
    return this.#invalid('C006_NULL_VALUE', keyStart, keyStart, path, `${what}${written}`, hint)
  }

  #split(at: number, start: number, end: number, path: Path): InvalidNode {
    const message = 'the value is not quoted, so the comma in it ends it'
    this.#findings.add('C017_FLOW_STYLE', at, pathText(path), message, 'quote the value, or give the mapping one line per key')
    return { kind: 'invalid', start, end }
  }

  #map(node: YAMLMap.Parsed, path: Path, depth: number): MapNode | InvalidNode {
    const [start, end] = node.range
    const entries = new Map<string, Entry>()
    const merged: Entry[] = []
    if (node.flow) {
      const bare = (n: unknown): ScalarNode | null => (isScalar(n) && n.source !== '' ? this.#bare(n as Scalar.Parsed) : null)
      const pairs = node.items.map(pair => ({ key: bare(pair.key), value: bare(pair.value) }))
      const broken = splitByComma(pairs.flatMap(p => [p.key, p.value]).filter(s => s !== null)) ?? splitNumber(pairs)
      if (broken) return this.#split(broken.start, start, end, path)
    }
    for (const { key, value } of node.items) {
      const name = this.#key(key, path)
      if (name === null) continue
      if (name.text === '<<' && name.plain) {
        merged.push(...this.#merge(value, path, depth))
        continue
      }
      const at = [...path, name.text]
      const before = entries.get(name.text)
      if (before) {
        const { line } = this.#findings.lines.at(before.keyStart)
        this.#findings.add(
          'C008_DUPLICATE_KEY',
          name.start,
          pathText(at),
          `\`${name.text}\` stands here a second time (first in line ${line})`,
        )
        this.#value(value, at, depth, name.start)
        continue
      }
      entries.set(name.text, { key: name.text, keyStart: name.start, value: this.#value(value, at, depth, name.start) })
    }
    // What stands in the mapping itself wins over what is merged in; of several merged, the first wins (YAML merge key).
    for (const entry of merged) if (!entries.has(entry.key)) entries.set(entry.key, entry)
    return { kind: 'map', start, end, entries: [...entries.values()] }
  }

  #key(key: ParsedNode, path: Path): { readonly text: string; readonly start: number; readonly plain: boolean } | null {
    const start = key?.range?.[0] ?? 0
    const refuse = (message: string, hint: string): null => {
      this.#findings.add('C001_YAML_SYNTAX', start, pathText(path), message, hint)
      return null
    }
    if (!isScalar(key)) return refuse('a key must be a plain word', 'write `key: value`')
    if (key.tag) return refuse('a key cannot carry a tag', 'quote the key')
    const text = unmask(key.source ?? '')
    if (key.value === null) return refuse('a key without a name', 'write `key: value`')
    if (typeof key.value !== 'string') return refuse(`the key \`${text}\` is read as ${typeof key.value}`, `quote it: "${text}"`)
    if (text.includes('${')) return refuse('variables are not filled in in keys', 'write the key out')
    if (key.value === '__proto__') return refuse('`__proto__` cannot be a key', 'choose another name')
    return { text: key.value, start, plain: key.type === 'PLAIN' }
  }

  #merge(value: ParsedNode | null, path: Path, depth: number): readonly Entry[] {
    const node = this.#value(value, [...path, '<<'], depth, value?.range?.[0] ?? 0)
    const sources = node.kind === 'seq' ? node.items : [node]
    return sources.flatMap(source => {
      if (source.kind === 'map') return source.entries
      if (source.kind !== 'invalid') {
        this.#findings.add(
          'C003_WRONG_TYPE',
          source.start,
          pathText([...path, '<<']),
          'only a mapping can be merged in',
          'name an alias: `<<: *name`',
        )
      }
      return []
    })
  }

  #bare(node: Scalar.Parsed): ScalarNode {
    const [start, end] = node.range
    const source = unmask(this.#text.slice(start, end))
    const plain = node.type === 'PLAIN'
    const value = node.value as string | number | boolean | null
    const text = unmask(plain ? (node.source ?? '') : String(value))
    return {
      kind: 'scalar',
      start,
      end,
      value: typeof value === 'string' ? text : (value ?? ''),
      text,
      source,
      plain,
      filled: null,
    }
  }

  #scalar(node: Scalar.Parsed, path: Path): Node {
    const scalar = this.#bare(node)
    const trap = trapOf(scalar, this.#text)
    if (!trap) return scalar
    return this.#invalid(trap.code, trap.at, scalar.end, path, trap.message, trap.hint)
  }
}
