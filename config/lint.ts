import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { PipelineSpec } from '../runtime/spec'
import type { CheckContext } from './check'
import type { DeclaredConnection } from './connections'
import { child, entryOf, type Node, textOf } from './tree'

/** Looks for what is allowed but probably not meant. Gives warnings; what cannot work is refused by checks elsewhere. */
export function lintFile(tree: Node, connections: readonly DeclaredConnection[], context: CheckContext): void {
  unusedConnections(tree, connections, context)
}

export function lintSpec(spec: PipelineSpec, tree: Node, context: CheckContext): void {
  formatsThatOnlyRead(spec, tree, context)
  filesOutOfOrder(spec, tree, context)
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

/** A sink's format must be able to write. */
function formatsThatOnlyRead(spec: PipelineSpec, tree: Node, { registry, findings }: CheckContext): void {
  for (const { name, sink } of spec.flows) {
    if (typeof sink.config !== 'object' || sink.config === null) continue
    for (const [key, value] of Object.entries(sink.config)) {
      const format = isFormatSpec(value) ? registry.find('format', value.format) : undefined
      if (!format || format.capabilities.encodes) continue
      const flow = name.split('@', 1)[0]
      const block = entryOf(child(child(tree, 'flows'), flow), 'sink')
      const at = entryOf(block?.value, key)?.value.start ?? block?.keyStart ?? 0
      const writers = registry.all.filter(d => d.kind === 'format' && d.capabilities.encodes).map(d => d.name)
      const hint = `these can write: ${writers.join(', ')}`
      findings.add('C013_UNSAFE_NEIGHBOURS', at, `flows.${flow}.sink.${key}`, `the format ${format.name} can only read`, hint)
    }
  }
}

/** Files of the same time read one after the other: with the first of them the watermark passes the windows of all others. */
function filesOutOfOrder(
  { flows, views, connections, baseDir }: PipelineSpec,
  tree: Node,
  { registry, findings }: CheckContext,
): void {
  for (const { name, source, sink } of flows) {
    if (source.type !== 'file') continue
    const { path, merge_by } = source.config as { readonly path: readonly string[]; readonly merge_by?: string }
    const several = path.length > 1 || path.some(p => /[*?]|\/$/.test(p) || isFolder(resolve(baseDir, p)))
    if (!several || merge_by !== undefined) continue
    const writes = registry.find('sink', sink.type)?.writes(sink.config as never) ?? []
    const view = views.find(
      v => v.window && v.connection === sink.connection && writes.includes(`${connections[v.connection]?.type}:${v.from}`),
    )
    if (!view) continue
    const flow = name.split('@', 1)[0]
    const block = entryOf(child(child(tree, 'flows'), flow), 'source')
    const at = entryOf(block?.value, 'path')?.keyStart ?? block?.keyStart ?? 0
    const message = `these files are read one after the other, so where they cover the same time most of their rows are late for the view ${view.name}`
    findings.warn(at, `flows.${flow}.source.path`, message, 'put them into one order by their time: `merge_by: TIME`')
  }
}

/** Whatever the path leads to now; where it is on a disk that does not answer, that is said when it is read. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

const isFormatSpec = (value: unknown): value is { readonly format: string } =>
  typeof value === 'object' && value !== null && 'format' in value && typeof value.format === 'string' && 'config' in value
