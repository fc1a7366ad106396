import type { z } from 'zod'
import { didYouMean, type Registry } from '../runtime/registry'
import { expected, invalidValue, missingKey, wrongType } from './explain'
import type { Findings } from './problem'
import { parse, type Rough, roughly } from './rough'
import { type AnySchema, discriminator, fallbackOf, itemLeaves, type Leaf, leavesAt, leavesOf, mapShape } from './schema_walk'
import { urlPasswords } from './secrets'
import {
  type Entry,
  entryOf,
  type GivenNode,
  locate,
  type MapNode,
  type Node,
  type Path,
  pathText,
  type ScalarNode,
} from './tree'

/** What the checks of one file share. */
export interface CheckContext {
  readonly registry: Registry
  readonly findings: Findings
  /** Values that must never be shown; grows while fields are checked. */
  readonly secrets: Set<string>
}

/** Where the checked value stands. */
export interface Place {
  readonly path: Path
  /** Offset to point at when the value lacks something. */
  readonly owner: number
}

/** `tree` is the value with misspelled keys put right, for those who look further into it. */
export type Checked = { readonly tree: Node } & (
  | { readonly ok: true; readonly value: unknown }
  /** `rough`: the value as far as it could be read; null: too little of it. */
  | { readonly ok: false; readonly rough: Rough | null }
)

/**
 * Checks a value of the file against a declaration's schema. Everything that is wrong is reported at its own position: unknown
 * keys at the key, bad values at the value, missing keys at the mapping that lacks them. A misspelled key is checked as the key
 * it was meant to be, so that its value's mistakes are seen in the same pass.
 */
export function check(schema: AnySchema, node: Node, place: Place, context: CheckContext): Checked {
  const before = context.findings.errors
  const preparation = new Preparation(context)
  const tree = preparation.prepare(leavesOf(schema), node, place.path)
  let values: z.ZodSafeParseResult<unknown>
  try {
    values = parse(schema, tree)
  } catch (thrown) {
    // a check of a plugin's own that throws instead of adding an issue
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    context.findings.add('R001_INTERNAL', place.owner, pathText(place.path), `the plugin could not check its options: ${why}`)
    return { ok: false, tree, rough: null }
  }
  const rough = (): Rough | null =>
    roughly(
      schema,
      tree,
      preparation.unknown.map(path => path.slice(place.path.length)),
    )
  if (values.success)
    return context.findings.errors === before && !preparation.skipped
      ? { ok: true, value: values.data, tree }
      : { ok: false, tree, rough: rough() }
  const report = new Report(schema, tree, place, context, preparation)
  for (const issue of values.error.issues) report.issue(issue)
  if (context.findings.errors === before && !preparation.skipped && !report.silenced) {
    context.findings.add('C005_INVALID_VALUE', place.owner, pathText(place.path), 'this is not valid here')
  }
  return { ok: false, tree, rough: rough() }
}

type Issue = z.core.$ZodIssue

/** Walks value and schema together: refuses unknown keys, loads formats, collects secrets. */
class Preparation {
  readonly secretNodes = new Set<Node>()
  /** Something was left out because it is reported already. */
  skipped = false
  /** Keys that are not known and look like none that is. */
  readonly unknown: Path[] = []
  readonly #context: CheckContext

  constructor(context: CheckContext) {
    this.#context = context
  }

  prepare(leaves: readonly Leaf[], node: Node, path: Path): Node {
    if (node.kind === 'invalid') this.skipped = true
    if (leaves.some(leaf => leaf.meta.plugin === 'format')) return this.#format(node, path)
    if (leaves.some(leaf => leaf.meta.plugin === 'detector')) return this.#detector(node, path)
    if (leaves.some(leaf => leaf.meta.secret === true)) this.#secret(node, path)
    if (node.kind === 'map') return this.#map(leaves, node, path)
    if (node.kind === 'seq') {
      return { ...node, items: node.items.map((item, i) => this.prepare(itemLeaves(leaves, i), item, [...path, i])) }
    }
    if (node.kind === 'scalar') for (const password of urlPasswords(node.text)) this.#context.secrets.add(password)
    return node
  }

  #secret(node: Node, path: Path): void {
    this.secretNodes.add(node)
    if (node.kind === 'seq') for (const [i, item] of node.items.entries()) this.#secret(item, [...path, i])
    if (node.kind === 'map') for (const { key, value } of node.entries) this.#secret(value, [...path, key])
    if (node.kind !== 'scalar') return
    for (const text of [node.text, ...(node.filled ?? [])]) this.#context.secrets.add(text)
    if (node.filled || node.text === '') return
    const hint = 'take it from a variable or a file: ${NAME} or ${file:/run/secrets/name}'
    this.#context.findings.warn(node.start, pathText(path), 'a secret stands in the file itself', hint)
  }

  #map(leaves: readonly Leaf[], node: MapNode, path: Path): Node {
    const shape = mapShape(leaves, node)
    if (!shape) return node
    const entries: Entry[] = []
    for (const entry of node.entries) {
      const schemas = shape.known.get(entry.key) ?? shape.rest
      const taken = schemas ? { key: entry.key, schemas } : this.#unknown(entry, node, shape.known, path)
      if (!taken || entries.some(e => e.key === taken.key)) continue
      const below = taken.schemas.flatMap(s => leavesOf(s))
      entries.push({ ...entry, key: taken.key, value: this.prepare(below, entry.value, [...path, entry.key]) })
    }
    for (const [key, schemas] of shape.known) {
      const fallback = schemas.map(fallbackOf).find(value => typeof value === 'string')
      const isFormat = schemas.some(s => leavesOf(s).some(leaf => leaf.meta.plugin === 'format'))
      if (!isFormat || typeof fallback !== 'string' || entries.some(e => e.key === key)) continue
      const written: ScalarNode = { ...scalarAt(node, fallback) }
      entries.push({ key, keyStart: node.start, value: this.#format(written, [...path, key]) })
    }
    return { ...node, entries }
  }

  #unknown(
    entry: Entry,
    node: MapNode,
    known: ReadonlyMap<string, readonly AnySchema[]>,
    path: Path,
  ): { readonly key: string; readonly schemas: readonly AnySchema[] } | null {
    const missing = [...known.keys()].filter(key => !entryOf(node, key))
    const near = didYouMean(entry.key, missing)
    const list = [...known.keys()]
    const hint = near
      ? `did you mean \`${near}\`?`
      : list.length > 0
        ? `the keys here are ${list.join(', ')}`
        : 'no keys are known here'
    this.#context.findings.add(
      'C002_UNKNOWN_KEY',
      entry.keyStart,
      pathText([...path, entry.key]),
      `unknown key \`${entry.key}\``,
      hint,
    )
    this.skipped = true
    const schemas = near === null ? undefined : known.get(near)
    if (!schemas) this.unknown.push([...path, entry.key])
    return near !== null && schemas ? { key: near, schemas } : null
  }

  /** `avro` or `{format: avro, ...options}` becomes `{format, config}` with the options checked by that format's declaration. */
  #format(node: Node, path: Path): Node {
    const { findings, registry } = this.#context
    if (node.kind === 'invalid') return node
    const named = node.kind === 'map' ? entryOf(node, 'format') : undefined
    const name = named ? named.value : node
    const refuse = (
      code: 'C003_WRONG_TYPE' | 'C004_MISSING_KEY' | 'C009_UNKNOWN_PLUGIN',
      at: number,
      message: string,
      hint: string,
    ): GivenNode => {
      findings.add(code, at, pathText(named ? [...path, 'format'] : path), message, hint)
      return { kind: 'given', start: node.start, end: node.end, value: { format: '', config: {} } }
    }
    const formats = registry.names('format')
    const examples = `write the name of a format, or {format: NAME, ...}; there are ${formats.join(', ')}`
    if (node.kind === 'map' && !named) return refuse('C004_MISSING_KEY', node.start, 'missing key `format`', examples)
    if (name.kind === 'invalid') return name
    if (name.kind !== 'scalar' || typeof name.value !== 'string') {
      return refuse('C003_WRONG_TYPE', name.start, 'expected the name of a format', examples)
    }
    const declaration = registry.find('format', name.text)
    if (!declaration) {
      const near = didYouMean(name.text, formats)
      const hint = near ? `did you mean ${near}?` : `the formats are ${formats.join(', ')}`
      return refuse('C009_UNKNOWN_PLUGIN', name.start, `there is no format "${name.text}"`, hint)
    }
    const entries = node.kind === 'map' ? node.entries.filter(e => e.key !== 'format') : []
    const options: MapNode = { kind: 'map', start: node.start, end: node.end, entries }
    const checked = check(declaration.config, options, { path, owner: node.start }, this.#context)
    const config = checked.ok ? checked.value : {}
    if (!checked.ok) this.skipped = true
    return { kind: 'given', start: node.start, end: node.end, value: { format: name.text, config } }
  }

  /** `{type: ewma, ...options}` becomes `{type, config}` with the options checked by that detector's declaration. */
  #detector(node: Node, path: Path): Node {
    const { findings, registry } = this.#context
    const detectors = registry.names('detector')
    const examples = `write {type: NAME, ...}; there are ${detectors.join(', ')}`
    const none: GivenNode = { kind: 'given', start: node.start, end: node.end, value: { type: '', config: {} } }
    if (node.kind !== 'map') {
      if (node.kind === 'invalid') return node
      findings.add('C003_WRONG_TYPE', node.start, pathText(path), 'expected a mapping with the type of a detector', examples)
      return none
    }
    const named = entryOf(node, 'type')
    if (!named) {
      findings.add('C004_MISSING_KEY', node.start, pathText(path), 'missing key `type`', examples)
      return none
    }
    const { value: type } = named
    if (type.kind === 'invalid') return type
    const name = type.kind === 'scalar' && typeof type.value === 'string' ? type.text : null
    const declaration = name === null ? undefined : registry.find('detector', name)
    if (!declaration) {
      const near = name === null ? null : didYouMean(name, detectors)
      const hint = near ? `did you mean ${near}?` : `the detectors are ${detectors.join(', ')}`
      const message = name === null ? 'expected the name of a detector' : `there is no detector "${name}"`
      const code = name === null ? 'C003_WRONG_TYPE' : 'C009_UNKNOWN_PLUGIN'
      findings.add(code, type.start, pathText([...path, 'type']), message, hint)
      return none
    }
    const options: MapNode = { ...node, entries: node.entries.filter(e => e !== named) }
    const checked = check(declaration.config, options, { path, owner: node.start }, this.#context)
    if (!checked.ok) this.skipped = true
    return { ...none, value: { type: declaration.name, config: checked.ok ? checked.value : (checked.rough?.value ?? {}) } }
  }
}

const scalarAt = (node: Node, text: string): ScalarNode => ({
  kind: 'scalar',
  start: node.start,
  end: node.end,
  value: text,
  text,
  source: text,
  plain: true,
  filled: null,
})

/** Turns zod's issues into findings with positions. */
class Report {
  /** An issue was left out because its cause is reported already. */
  silenced = false
  readonly #refused = new Set<Node>()
  readonly #schema: AnySchema
  readonly #tree: Node
  readonly #place: Place
  readonly #context: CheckContext
  readonly #preparation: Preparation

  constructor(schema: AnySchema, tree: Node, place: Place, context: CheckContext, preparation: Preparation) {
    this.#schema = schema
    this.#tree = tree
    this.#place = place
    this.#context = context
    this.#preparation = preparation
  }

  issue(issue: Issue): void {
    const path = issue.path as Path
    const { node, entry, owner } = locate(this.#tree, path, this.#place.owner)
    if (node?.kind === 'invalid' || this.#follows(issue, node)) {
      this.silenced = true
      return
    }
    if (node && issue.code !== 'custom') this.#refused.add(node)
    const at = pathText([...this.#place.path, ...path])
    const add = this.#context.findings.add.bind(this.#context.findings)
    if (!node) {
      this.#missing(issue, path, owner, at)
      return
    }
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const start = entryOf(node, key)?.keyStart ?? node.start
        add(
          'C002_UNKNOWN_KEY',
          start,
          pathText([...this.#place.path, ...path, key]),
          `\`${key}\` does not go with the other keys here`,
        )
      }
      return
    }
    if (issue.code === 'invalid_key') {
      const why = issue.issues[0]?.message ?? 'not allowed as a name'
      add('C005_INVALID_VALUE', entry?.keyStart ?? node.start, at, `\`${String(path.at(-1))}\`: ${why}`)
      return
    }
    const leaves = leavesAt(this.#schema, path, this.#tree)
    const secret = this.#preparation.secretNodes.has(node)
    if (issue.code === 'invalid_union') {
      this.#union(issue, node, leaves, secret, at)
      return
    }
    const said = invalidValue(issue, node, leaves, secret)
    add(said.code, node.start, at, said.message, said.hint)
  }

  /** What a check of several keys says of a value that is refused already, or beside one that cannot be read. */
  #follows(issue: Issue, node: Node | undefined): boolean {
    if (issue.code !== 'custom') return false
    const { node: around } = locate(this.#tree, issue.path.slice(0, -1) as Path, 0)
    return (
      (node !== undefined && this.#refused.has(node)) ||
      (around?.kind === 'map' && around.entries.some(e => e.value.kind === 'invalid'))
    )
  }

  #missing(issue: Issue, path: Path, owner: number, at: string): void {
    if (issue.code === 'custom') {
      const said = missingKey(issue)
      this.#context.findings.add(said.code, owner, at, said.message, said.hint)
      return
    }
    const leaves = leavesAt(this.#schema, path, this.#tree)
    const formats = leaves.some(leaf => leaf.meta.plugin === 'format') ? this.#context.registry.names('format') : []
    const options = issue.code === 'invalid_union' ? discriminator(this.#schema, path, this.#tree) : []
    const words = [...formats, ...options]
    const takes = words.length > 0 ? `one of ${words.join(', ')}` : expected(leaves)
    const hint = takes === '' ? undefined : `add \`${String(path.at(-1))}:\` with ${takes}`
    this.#context.findings.add('C004_MISSING_KEY', owner, at, `missing key \`${String(path.at(-1))}\``, hint)
  }

  /** The one option that was meant, where it can be told; else all of them in one sentence. */
  #union(issue: z.core.$ZodIssueInvalidUnion, node: Node, leaves: readonly Leaf[], secret: boolean, at: string): void {
    const words = discriminator(this.#schema, issue.path as Path, this.#tree)
    if (issue.errors.length === 0 && words.length > 0) {
      const said = invalidValue(
        { code: 'invalid_value', values: [...words], path: issue.path, message: '', input: undefined },
        node,
        [],
        secret,
      )
      this.#context.findings.add(said.code, node.start, at, said.message, said.hint)
      return
    }
    const meant = meantOption(options(issue), node)
    if (meant) {
      for (const inner of meant) this.issue({ ...inner, path: [...issue.path, ...inner.path] })
      return
    }
    const said = wrongType(node, leaves, secret)
    const fits =
      node.kind === 'scalar' &&
      typeof node.value === 'string' &&
      leaves.some(l => ['string', 'literal', 'enum'].includes(l.schema._zod.def.type))
    this.#context.findings.add(fits ? 'C005_INVALID_VALUE' : said.code, node.start, at, said.message, said.hint)
  }
}

const options = (issue: z.core.$ZodIssueInvalidUnion): readonly (readonly Issue[])[] =>
  issue.errors.flatMap(errors => {
    const [only] = errors
    return errors.length === 1 && only.code === 'invalid_union' && only.path.length === 0 ? options(only) : [errors]
  })

function meantOption(all: readonly (readonly Issue[])[], node: Node): readonly Issue[] | null {
  const atRoot = (issue: Issue): boolean => issue.path.length === 0
  const rightKind = all.filter(
    errors =>
      !errors.some(e => atRoot(e) && (e.code === 'invalid_type' || (e.code === 'invalid_value' && node.kind !== 'scalar'))),
  )
  if (node.kind === 'scalar')
    return rightKind.length === 1 && all.length === rightKind.length ? rightKind[0] : onlyPattern(rightKind)
  const agreeing = rightKind.filter(errors => !errors.some(e => e.code === 'invalid_value' && e.path.length === 1))
  const candidates = agreeing.length > 0 ? agreeing : rightKind
  return candidates.length === 0 ? null : candidates.reduce((best, next) => (next.length < best.length ? next : best))
}

/** For a scalar: the option whose type fits and that is no fixed word, if it is the only one. */
function onlyPattern(options: readonly (readonly Issue[])[]): readonly Issue[] | null {
  return options.length === 1 && !options[0].some(e => e.code === 'invalid_value') ? options[0] : null
}
