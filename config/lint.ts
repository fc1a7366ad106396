import type { PipelineSpec } from '../runtime/spec'
import type { CheckContext } from './check'
import type { DeclaredConnection } from './connections'
import { child, entryOf, type Node, textOf } from './tree'

/** Looks for what is allowed but probably not meant. Gives warnings; what cannot work is refused by checks elsewhere. */
export function lintFile(tree: Node, connections: readonly DeclaredConnection[], context: CheckContext): void {
  unusedConnections(tree, connections, context)
}

export function lintSpec(spec: PipelineSpec, tree: Node, context: CheckContext): void {
  loops(spec, tree, context)
}

/** Connections that no flow could use: nothing of their type is there and nobody names them. */
function unusedConnections(tree: Node, connections: readonly DeclaredConnection[], { registry, findings }: CheckContext): void {
  const flows = child(tree, 'flows')
  if (flows?.kind !== 'map') return
  const needed = new Set<string | null>()
  for (const { value } of flows.entries) {
    const source = registry.find('source', textOf(child(child(value, 'source'), 'type')) ?? '')
    const sink = registry.find('sink', textOf(child(child(value, 'sink'), 'type')) ?? '')
    if (!source || !sink) return // an unknown plugin may need any of them
    needed.add(source.connection).add(sink.connection)
  }
  const deadLetters = flows.entries.some(({ value }) => entryOf(child(value, 'on_error'), 'dead_letter'))
  for (const { name, type, keyStart } of connections) {
    if (type === null || needed.has(type) || deadLetters || textOf(child(tree, 'home')) === name) continue
    findings.warn(keyStart, `connections.${name}`, `no flow uses the connection \`${name}\``, 'remove it, or use it')
  }
}

/** A flow that writes what it reads never ends and grows. */
function loops(spec: PipelineSpec, tree: Node, { registry, findings }: CheckContext): void {
  for (const flow of spec.flows) {
    const source = registry.find('source', flow.source.type)
    const sink = registry.find('sink', flow.sink.type)
    if (!source || !sink || flow.source.connection === null || flow.source.connection !== flow.sink.connection) continue
    const reads = new Set(source.reads(flow.source.config))
    const both = sink.writes(flow.sink.config).filter(name => reads.has(name))
    if (both.length === 0) continue
    const key = flow.name.split('@', 1)[0]
    const at = entryOf(child(child(tree, 'flows'), key), 'sink')
    const path = `flows.${key}.sink`
    findings.add(
      'C013_UNSAFE_NEIGHBOURS',
      at?.keyStart ?? 0,
      path,
      `the flow writes to what it reads: ${both.join(', ')}`,
      'write to another name',
    )
  }
}
