import { distance } from 'fastest-levenshtein'
import { ConnectError } from './errors'
import type { Declaration } from './plugin'

type OfKind<K extends Declaration['kind']> = Extract<Declaration, { kind: K }>

/** The plugins of this process: a value, made by the command line from the explicit lists and the pipeline's `plugins:`. */
export interface Registry {
  readonly all: readonly Declaration[]
  /** Undefined if there is none of that name. */
  find<K extends Declaration['kind']>(kind: K, name: string): OfKind<K> | undefined
  /** Throws C009_UNKNOWN_PLUGIN with a suggestion. */
  get<K extends Declaration['kind']>(kind: K, name: string): OfKind<K>
  names(kind: Declaration['kind']): readonly string[]
}

export function createRegistry(declarations: readonly Declaration[]): Registry {
  const byKey = new Map<string, Declaration>()
  for (const d of declarations) {
    const key = `${d.kind} ${d.name}`
    if (byKey.has(key)) throw new ConnectError('C018_PLUGIN_INVALID', `two plugins declare the ${d.kind} "${d.name}"`)
    byKey.set(key, d)
  }
  const find = <K extends Declaration['kind']>(kind: K, name: string): OfKind<K> | undefined =>
    byKey.get(`${kind} ${name}`) as OfKind<K> | undefined
  const names = (kind: Declaration['kind']): readonly string[] => declarations.filter(d => d.kind === kind).map(d => d.name)
  return {
    all: declarations,
    find,
    names,
    get(kind, name) {
      const found = find(kind, name)
      if (found) return found
      const near = didYouMean(name, names(kind))
      throw new ConnectError('C009_UNKNOWN_PLUGIN', `there is no ${kind} "${name}"${near ? `; did you mean "${near}"?` : ''}`)
    },
  }
}

/** The nearest of some known words, or null if none is near (at most a third of the letters differ, at least one). */
export function didYouMean(word: string, known: readonly string[]): string | null {
  let best: string | null = null
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    const d = typingDistance(word.toLowerCase(), candidate.toLowerCase())
    if (d < least) {
      least = d
      best = candidate
    }
  }
  return best
}

/** Known words, those most like a word first: what contains it or is contained in it, then by the letters that differ. */
export function byLikeness(word: string, known: readonly string[]): readonly string[] {
  const small = word.toLowerCase()
  const unlike = (candidate: string): number => {
    const other = candidate.toLowerCase()
    return typingDistance(small, other) - (other.includes(small) || small.includes(other) ? UNLIKE : 0)
  }
  const judged = known.map(candidate => [unlike(candidate), candidate] as const)
  return judged.sort(([a, one], [b, other]) => a - b || (one < other ? -1 : 1)).map(([, candidate]) => candidate)
}

/** More than the letters of any name. */
const UNLIKE = 1_000

/** Letters to insert, delete or replace; two neighbours in the wrong order are one slip (`tabel`, `strat`). */
function typingDistance(a: string, b: string): number {
  let first = 0
  while (first < a.length && a[first] === b[first]) first++
  const swapped = a.slice(0, first) + (a[first + 1] ?? '') + (a[first] ?? '') + a.slice(first + 2) === b
  return swapped ? 1 : distance(a, b)
}
