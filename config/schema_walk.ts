import { z } from 'zod'
import type { FieldMeta } from '../runtime/fields'
import { child, type Node, type Path } from './tree'

/** A zod schema without what is wrapped around it (defaults, optional, transforms), with the metadata of the whole stack. */
export interface Leaf {
  readonly schema: z.core.$ZodTypes
  readonly meta: FieldMeta
}

/** Any zod schema. */
export type AnySchema = z.core.$ZodType

/** The schemas a value may meet: one, or each option of a union. A field that names a plugin stays one leaf. */
export function leavesOf(schema: AnySchema, outer: FieldMeta = {}): readonly Leaf[] {
  const known = schema as z.core.$ZodTypes
  const meta: FieldMeta = { ...z.globalRegistry.get(known), ...outer }
  const { def } = known._zod
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'nonoptional':
    case 'default':
    case 'prefault':
    case 'readonly':
    case 'catch':
      return leavesOf(def.innerType, meta)
    case 'lazy':
      return leavesOf(def.getter(), meta)
    case 'pipe':
      return leavesOf((def.in as z.core.$ZodTypes)._zod.def.type === 'transform' ? def.out : def.in, meta)
    case 'union':
      return meta.plugin ? [{ schema: known, meta }] : def.options.flatMap(option => leavesOf(option, meta))
    default:
      return [{ schema: known, meta }]
  }
}

/** What a missing key stands for (the YAML form), undefined if it has no default. */
export function fallbackOf(schema: AnySchema): unknown {
  const { def } = (schema as z.core.$ZodTypes)._zod
  if (def.type === 'prefault' || def.type === 'default') return def.defaultValue
  if (def.type === 'optional' || def.type === 'readonly') return fallbackOf(def.innerType)
  return undefined
}

/** What may stand in a mapping. */
export interface MapShape {
  readonly known: ReadonlyMap<string, readonly AnySchema[]>
  /** Schemas of keys that are not named; null: other keys are refused. */
  readonly rest: readonly AnySchema[] | null
}

/** The shape of a mapping that may meet these leaves; null if none of them takes a mapping or nothing is known about it. */
export function mapShape(leaves: readonly Leaf[], node: Node): MapShape | null {
  const known = new Map<string, AnySchema[]>()
  let rest: AnySchema[] | null = null
  let any = false
  for (const { schema } of narrow(leaves, node)) {
    const { def } = schema._zod
    if (def.type === 'object') {
      any = true
      for (const [key, field] of Object.entries(def.shape)) known.set(key, [...(known.get(key) ?? []), field])
      if (def.catchall && (def.catchall as z.core.$ZodTypes)._zod.def.type !== 'never') rest = [...(rest ?? []), def.catchall]
    } else if (def.type === 'record') {
      any = true
      rest = [...(rest ?? []), def.valueType]
    } else if (def.type === 'unknown' || def.type === 'any' || def.type === 'custom' || def.type === 'intersection') {
      return null
    }
  }
  return any ? { known, rest } : null
}

/** Leaves of the entries of a list. */
export const itemLeaves = (leaves: readonly Leaf[], index: number): readonly Leaf[] =>
  leaves.flatMap(({ schema }) => {
    const { def } = schema._zod
    if (def.type === 'array') return leavesOf(def.element)
    if (def.type !== 'tuple') return []
    const item = def.items[index] ?? def.rest
    return item ? leavesOf(item) : []
  })

/** Of several kinds of mapping, those whose fixed words (`type: a`) agree with what is written; all of them if none does. */
function narrow(leaves: readonly Leaf[], node: Node): readonly Leaf[] {
  const agreeing = leaves.filter(({ schema }) => {
    const { def } = schema._zod
    if (def.type !== 'object') return true
    return Object.entries(def.shape).every(([key, field]) => {
      const words = fixedWords(field)
      const value = child(node, key)
      if (!words) return true
      return value?.kind === 'scalar' && words.includes(value.value)
    })
  })
  return agreeing.some(l => l.schema._zod.def.type === 'object') ? agreeing : leaves
}

function fixedWords(schema: AnySchema): readonly unknown[] | null {
  const { def } = (schema as z.core.$ZodTypes)._zod
  return def.type === 'literal' ? def.values : null
}

/** Leaves at a path below a schema, narrowed by what stands in the file. */
export function leavesAt(schema: AnySchema, path: readonly PropertyKey[], root: Node): readonly Leaf[] {
  let leaves = leavesOf(schema)
  let node: Node | undefined = root
  for (const step of path) {
    const here: Node = node ?? root
    if (typeof step === 'number') {
      leaves = itemLeaves(leaves, step)
      node = here.kind === 'seq' ? here.items[step] : undefined
      continue
    }
    const shape = mapShape(leaves, here)
    const key = String(step)
    leaves = (shape?.known.get(key) ?? shape?.rest ?? []).flatMap(s => leavesOf(s))
    node = child(here, key)
  }
  return leaves
}

/** Words that choose between the options of a discriminated union whose discriminator stands at this path. */
export function discriminator(schema: AnySchema, path: Path, tree: Node): readonly (string | number)[] {
  const key = String(path.at(-1))
  const fields = leavesAt(schema, path.slice(0, -1), tree).flatMap(({ schema: option }) => {
    const { def } = option._zod
    return def.type === 'object' && def.shape[key] ? leavesOf(def.shape[key]) : []
  })
  return fields.flatMap(({ schema: option }) => {
    const { def } = option._zod
    return def.type === 'literal' ? def.values.filter(v => typeof v === 'string' || typeof v === 'number') : []
  })
}
