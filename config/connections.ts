import { didYouMean, type Registry } from '../runtime/registry'
import type { ConnectionSpec } from '../runtime/spec'
import { type CheckContext, check } from './check'
import { child, type Entry, type MapNode, type Node, pathText, textOf } from './tree'

/** A connection of the file as far as it could be read; flows may refer to it even if something in it is wrong. */
export interface DeclaredConnection {
  readonly name: string
  /** Null: not known, which is reported. */
  readonly type: string | null
  readonly keyStart: number
  /** Null: its settings are wrong, which is reported. */
  readonly spec: ConnectionSpec | null
}

export function readConnections(block: Node | undefined, context: CheckContext): readonly DeclaredConnection[] {
  return block?.kind === 'map' ? block.entries.map(entry => readConnection(entry, context)) : []
}

function readConnection(entry: Entry, context: CheckContext): DeclaredConnection {
  const { key: name, keyStart, value: node } = entry
  const path = ['connections', name]
  const explicit = child(node, 'type')
  const type = explicit ? (textOf(explicit) ?? null) : name
  const unknown = { name, type: null, keyStart, spec: null }
  if (type === null || node.kind === 'invalid')
    return { ...unknown, type: node.kind === 'invalid' && context.registry.find('connection', name) ? name : null }
  const declaration = context.registry.find('connection', type)
  if (!declaration) {
    const known = context.registry.names('connection')
    const near = known.find(k => type.startsWith(k)) ?? didYouMean(type, known)
    const message = explicit
      ? `there is no connection type "${type}"`
      : `\`${name}\` is not a connection type, and it has no \`type:\``
    const hint = near ? (explicit ? `did you mean ${near}?` : `add \`type: ${near}\``) : `the types are ${known.join(', ')}`
    const at = explicit ? explicit.start : keyStart
    context.findings.add('C009_UNKNOWN_PLUGIN', at, pathText(explicit ? [...path, 'type'] : path), message, hint)
    return unknown
  }
  if (node.kind !== 'map') return { ...unknown, type }
  const settings: MapNode = { ...node, entries: node.entries.filter(e => e.key !== 'type') }
  const checked = check(declaration.config, settings, { path, owner: keyStart }, context)
  return { name, type, keyStart, spec: checked.ok ? { name, type, config: checked.value } : null }
}

/** Types of connections that can hold topics: those of sinks that take dead letters. */
export const topicTypes = (registry: Registry): ReadonlySet<string> =>
  new Set(registry.all.flatMap(d => (d.kind === 'sink' && d.deadLetters && d.connection !== null ? [d.connection] : [])))

/** The connection that keeps the pipeline's own topics: the one named, or the only cluster. */
export function readHome(
  node: Node | undefined,
  connections: readonly DeclaredConnection[],
  context: CheckContext,
): string | null {
  const types = topicTypes(context.registry)
  const clusters = connections.filter(c => c.type !== null && types.has(c.type))
  const named = textOf(node)
  if (node === undefined || named === undefined) return clusters.length === 1 ? clusters[0].name : null
  const found = connections.find(c => c.name === named)
  if (found && found.type === null) return null
  if (found && clusters.includes(found)) return named
  const names = clusters.map(c => c.name)
  const message = found ? `the connection \`${named}\` keeps no topics` : `there is no connection \`${named}\``
  context.findings.add('C010_UNKNOWN_REFERENCE', node.start, 'home', message, candidatesHint(named, names))
  return null
}

export function candidatesHint(name: string, names: readonly string[]): string {
  const near = didYouMean(name, names)
  if (near) return `did you mean \`${near}\`?`
  return names.length > 0 ? `name one of ${names.join(', ')}` : 'declare it under `connections:`'
}
