/**
 * The pipeline file as a tree whose every node knows where it stands. Aliases are followed, merge keys are merged; the same node
 * may therefore hang in several places.
 */
export type Node = MapNode | SeqNode | ScalarNode | GivenNode | InvalidNode

interface Placed {
  /** Offsets in the text. */
  readonly start: number
  readonly end: number
}

export interface MapNode extends Placed {
  readonly kind: 'map'
  readonly entries: readonly Entry[]
}

export interface Entry {
  readonly key: string
  readonly keyStart: number
  readonly value: Node
}

export interface SeqNode extends Placed {
  readonly kind: 'seq'
  readonly items: readonly Node[]
}

export interface ScalarNode extends Placed {
  readonly kind: 'scalar'
  readonly value: string | number | boolean
  /** The value as text: what a field gets that wants text where a variable was filled in. */
  readonly text: string
  /** As it stands in the file. */
  readonly source: string
  /** Not quoted and not a block scalar. */
  readonly plain: boolean
  /** What variables and files gave, null if it has none. */
  readonly filled: readonly string[] | null
}

/** A value that is checked already (the options of a format). */
export interface GivenNode extends Placed {
  readonly kind: 'given'
  readonly value: unknown
}

/** Something already reported; nothing more is said about it. */
export interface InvalidNode extends Placed {
  readonly kind: 'invalid'
}

export type Path = readonly (string | number)[]

export const pathText = (path: Path): string =>
  path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return text === '' ? step : `${text}.${step}`
  }, '')

export const entryOf = (node: Node | undefined, key: string): Entry | undefined =>
  node?.kind === 'map' ? node.entries.find(e => e.key === key) : undefined

export const child = (node: Node | undefined, key: string): Node | undefined => entryOf(node, key)?.value

/** The text of a scalar, or undefined for anything else. */
export const textOf = (node: Node | undefined): string | undefined => (node?.kind === 'scalar' ? node.text : undefined)

export interface Located {
  /** Undefined: there is nothing at this path. */
  readonly node: Node | undefined
  /** Key of the last step that exists. */
  readonly entry: Entry | undefined
  /** The deepest node on the way that exists. */
  readonly parent: Node
  /** Where to point when something is missing there: the key of the deepest mapping that exists, or its start. */
  readonly owner: number
}

/** Follows a path as far as it goes. `rootOwner`: where to point when something is missing at the root itself. */
export function locate(root: Node, path: Path, rootOwner: number): Located {
  let parent = root
  let owner = rootOwner
  let entry: Entry | undefined
  for (const step of path) {
    const found = parent.kind === 'map' ? parent.entries.find(e => e.key === String(step)) : undefined
    const item = parent.kind === 'seq' && typeof step === 'number' ? parent.items[step] : undefined
    const next = found?.value ?? item
    if (!next) return { node: parent.kind === 'invalid' ? parent : undefined, entry, parent, owner }
    entry = found
    owner = found ? found.keyStart : next.start
    parent = next
  }
  return { node: parent, entry, parent, owner }
}

/** Plain JavaScript values; invalid nodes are left out. */
export function plain(node: Node, asText: ReadonlySet<Node> = new Set()): unknown {
  switch (node.kind) {
    case 'scalar':
      return asText.has(node) ? node.text : node.value
    case 'given':
      return node.value
    case 'invalid':
      return undefined
    case 'seq':
      return node.items.map(item => plain(item, asText))
    case 'map':
      return Object.fromEntries(node.entries.filter(e => e.value.kind !== 'invalid').map(e => [e.key, plain(e.value, asText)]))
  }
}
