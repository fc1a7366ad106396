import { z } from 'zod'
import type { AnySchema } from './schema_walk'
import { locate, type Node, type Path, pathText, plain } from './tree'

/** A value without what could not be read in it, so that mistakes elsewhere can be looked for. Never what a pipeline runs with. */
export interface Rough {
  readonly value: unknown
  /** What was left out, below the value. */
  readonly lost: readonly Path[]
}

/** A variable's value was typed as YAML would; where text is wanted, it is text after all. */
export function parse(schema: AnySchema, tree: Node): z.ZodSafeParseResult<unknown> {
  const asText = new Set<Node>()
  for (;;) {
    const result = z.safeParse(schema, plain(tree, asText))
    if (result.success) return result
    const before = asText.size
    for (const issue of flat(result.error.issues)) {
      const { node } = locate(tree, issue.path as Path, 0)
      const wantsText = issue.code === 'invalid_value' || (issue.code === 'invalid_type' && issue.expected === 'string')
      if (node?.kind === 'scalar' && node.filled && typeof node.value !== 'string' && wantsText) asText.add(node)
    }
    if (asText.size === before) return result
  }
}

type Issue = z.core.$ZodIssue

const flat = (issues: readonly Issue[]): readonly Issue[] =>
  issues.flatMap(issue =>
    issue.code === 'invalid_union'
      ? issue.errors.flatMap(errors => flat(errors.map(e => ({ ...e, path: [...issue.path, ...e.path] }))))
      : [issue],
  )

/** Each round takes out at least one value; a file with more mistakes in one block is looked at again when some are gone. */
const ROUNDS = 50

/** Leaves out each value that is refused, and what cannot be without it. `lost`: what is left out already. Null: nothing remains. */
export function roughly(schema: AnySchema, tree: Node, already: readonly Path[] = []): Rough | null {
  const lost: Path[] = [...already, ...invalid(tree)]
  let node = tree
  for (let round = 0; round < ROUNDS; round++) {
    const result = safely(() => parse(schema, node))
    if (!result) return null
    if (result.success) return { value: result.data, lost }
    const gone = new Map<string, Path>()
    for (const issue of result.error.issues) {
      const path = issue.path as Path
      for (const at of issue.code === 'unrecognized_keys' ? issue.keys.map(key => [...path, key]) : [path]) {
        const found = locate(node, at, 0).node
        const out = found && found.kind !== 'invalid' ? at : at.slice(0, -1)
        if (out.length === 0) return null
        gone.set(pathText(out), out)
      }
    }
    lost.push(...gone.values())
    // from the end, so that items of a list keep their places
    for (const out of [...gone.values()].reverse()) node = without(node, out)
  }
  return null
}

/** A plugin's own check may throw. */
function safely<T>(run: () => T): T | null {
  try {
    return run()
  } catch {
    return null
  }
}

function without(node: Node, [step, ...rest]: Path): Node {
  if (node.kind === 'map') {
    const entries = node.entries.flatMap(e => {
      if (e.key !== String(step)) return [e]
      return rest.length === 0 ? [] : [{ ...e, value: without(e.value, rest) }]
    })
    return { ...node, entries }
  }
  if (node.kind !== 'seq') return node
  const items = node.items.flatMap((item, i) => {
    if (i !== step) return [item]
    return rest.length === 0 ? [] : [without(item, rest)]
  })
  return { ...node, items }
}

function invalid(node: Node): readonly Path[] {
  if (node.kind === 'invalid') return [[]]
  const below: readonly (readonly [string | number, Node])[] =
    node.kind === 'map' ? node.entries.map(e => [e.key, e.value]) : node.kind === 'seq' ? [...node.items.entries()] : []
  return below.flatMap(([step, value]) => invalid(value).map(path => [step, ...path]))
}
