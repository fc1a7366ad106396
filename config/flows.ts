import path from 'node:path'
import { didYouMean } from '../runtime/registry'
import type { FlowSpec, OnError, PluginSpec } from '../runtime/spec'
import { type CheckContext, check } from './check'
import { candidatesHint, type DeclaredConnection, topicTypes } from './connections'
import type { FlowDraft, StageDraft } from './draft'
import type { Rough } from './rough'
import type { OnErrorFile } from './structure'
import { child, type Entry, entryOf, type MapNode, type Node, type Path, pathText, textOf } from './tree'

export interface FlowContext extends CheckContext {
  readonly connections: readonly DeclaredConnection[]
  readonly home: string | null
  readonly baseDir: string
}

type Kind = 'source' | 'transform' | 'sink'

/** A plugin block whose own options are checked, before its connection is known. */
interface Block {
  readonly node: MapNode
  readonly path: Path
  readonly owner: number
  readonly type: string
  /** Type of connection it needs; null: none. */
  readonly needs: string | null
  readonly connection: Entry | undefined
  /** Undefined: something is wrong and reported. */
  readonly config: { readonly value: unknown } | undefined
  /** Of a config that is wrong: what could be read. */
  readonly rough: Rough | null
}

/** Options that the skeleton's check has validated already. */
export interface FlowOptions {
  readonly on_error: OnErrorFile
  readonly lanes: number
}

/**
 * A flow of the file as one spec, or several where its source lists connections. None if something is wrong, which is then
 * reported; the draft has what could be read. `options` is undefined where the skeleton's check failed; the plugins are looked at all the same.
 */
export function readFlow(
  entry: Entry,
  options: FlowOptions | undefined,
  context: FlowContext,
): { readonly specs: readonly FlowSpec[]; readonly draft: FlowDraft } {
  const at: Path = ['flows', entry.key]
  const owner = (key: string): number => entryOf(entry.value, key)?.keyStart ?? entry.keyStart
  const source = readBlock('source', child(entry.value, 'source'), [...at, 'source'], owner('source'), context)
  const list = child(entry.value, 'transforms')
  const items = list?.kind === 'seq' ? list.items : []
  const transforms = items.map((item, i) => readBlock('transform', item, [...at, 'transforms', i], item.start, context))
  const sink = readBlock('sink', child(entry.value, 'sink'), [...at, 'sink'], owner('sink'), context)

  const names = source ? sourceConnections(source, context) : [undefined]
  const sinkNames = names.map(name => (sink ? sinkConnection(sink, source, name, context) : undefined))
  const flows = names.map((name, i): FlowSpec | null => {
    const spec = source ? specOf(source, name, context) : null
    const sinkSpec = sink ? specOf(sink, sinkNames[i], context) : null
    const steps = transforms.map(t => (t ? specOf(t, null, context) : null)).filter(t => t !== null)
    const onError = options && source ? readOnError(options.on_error, entry, source, name, context) : null
    if (!spec || !sinkSpec || !options || !onError || steps.length < items.length) return null
    const listed = source?.connection?.value.kind === 'seq'
    return {
      name: listed ? `${entry.key}@${name}` : entry.key,
      source: spec,
      transforms: steps,
      sink: sinkSpec,
      onError,
      lanes: options.lanes,
    }
  })
  const read = flows.filter(flow => flow !== null)
  const draft: FlowDraft = {
    name: entry.key,
    lanes: options?.lanes ?? 1,
    source: source && draftOf(source, names[0] ?? null, context),
    transforms: transforms.map(t => t && draftOf(t, null, context)),
    sink: sink && draftOf(sink, sinkNames[0] ?? null, context),
  }
  return { specs: read.length === flows.length ? read : [], draft }
}

function draftOf({ type, node, config, rough }: Block, connection: string | null, { findings }: FlowContext): StageDraft | null {
  const read = config ?? rough
  return read && { spec: { type, connection, config: read.value, at: findings.at(node.start) }, lost: rough?.lost ?? [] }
}

const specOf = (block: Block, connection: string | null | undefined, context: FlowContext): PluginSpec | null => {
  if (!block.config || connection === undefined) return null
  return { type: block.type, connection, config: block.config.value, at: context.findings.at(block.node.start) }
}

function readBlock(kind: Kind, node: Node | undefined, at: Path, owner: number, context: FlowContext): Block | null {
  if (node?.kind !== 'map') return null // missing or of the wrong kind: reported by the skeleton's check
  const type = entryOf(node, 'type')
  if (!type) return null
  const name = textOf(type.value)
  if (name === undefined) return null
  const declaration = context.registry.find(kind, name)
  if (!declaration) {
    unknownPlugin(kind, name, type.value.start, [...at, 'type'], context)
    return null
  }
  const needs = declaration.kind === 'transform' ? null : declaration.connection
  const connection = needs === null ? undefined : entryOf(node, 'connection')
  const entries = node.entries.filter(e => e !== type && e !== connection)
  const checked = check(declaration.config, { ...node, entries }, { path: at, owner }, context)
  return {
    node,
    path: at,
    owner,
    type: name,
    needs,
    connection,
    config: checked.ok ? { value: checked.value } : undefined,
    rough: checked.ok ? null : checked.rough,
  }
}

function unknownPlugin(kind: Kind, name: string, offset: number, at: Path, context: FlowContext): void {
  const known = context.registry.names(kind)
  const others = (['source', 'transform', 'sink', 'format', 'detector'] as const).filter(
    k => k !== kind && context.registry.find(k, name),
  )
  const near = didYouMean(name, known)
  let hint = `the ${kind}s are ${known.join(', ')}; others are loaded by \`plugins:\``
  if (near) hint = `did you mean ${near}?`
  else if (others.length > 0) hint = `${name} is a ${others.join(' and a ')}, not a ${kind}; the ${kind}s are ${known.join(', ')}`
  context.findings.add('C009_UNKNOWN_PLUGIN', offset, pathText(at), `there is no ${kind} "${name}"`, hint)
}

/** Names of the source's connections: one, or the list it names; `[null]` where it needs none, `[undefined]` where it is wrong. */
function sourceConnections(source: Block, context: FlowContext): readonly (string | null | undefined)[] {
  if (source.needs === null) return [null]
  const named = source.connection?.value
  if (named?.kind !== 'seq') return [resolve(source, undefined, context)]
  const at = [...source.path, 'connection']
  if (named.items.length === 0) {
    context.findings.add('C005_INVALID_VALUE', named.start, pathText(at), 'the list of connections is empty', 'name at least one')
    return [undefined]
  }
  const seen = new Set<string>()
  return named.items.map((item, i) => {
    const name = reference(item, [...at, i], source, context)
    if (name !== undefined && seen.has(name)) {
      context.findings.add(
        'C005_INVALID_VALUE',
        item.start,
        pathText([...at, i]),
        `\`${name}\` is listed twice`,
        'name each connection once',
      )
      return undefined
    }
    if (name !== undefined) seen.add(name)
    return name
  })
}

function sinkConnection(
  sink: Block,
  source: Block | null,
  reads: string | null | undefined,
  context: FlowContext,
): string | null | undefined {
  if (sink.needs === null) return null
  const named = sink.connection?.value
  if (named?.kind === 'seq') {
    const hint = 'write one flow per target; only a source may list several'
    context.findings.add(
      'C003_WRONG_TYPE',
      named.start,
      pathText([...sink.path, 'connection']),
      'a sink writes to one connection',
      hint,
    )
    return undefined
  }
  return resolve(sink, source?.needs === sink.needs ? (reads ?? undefined) : undefined, context)
}

/** The named connection, else the only one of its type, else the cluster the flow reads, else home. */
function resolve(block: Block, reads: string | undefined, context: FlowContext): string | undefined {
  if (block.connection) return reference(block.connection.value, [...block.path, 'connection'], block, context)
  const candidates = context.connections.filter(c => c.type === block.needs).map(c => c.name)
  if (candidates.length === 1) return candidates[0]
  if (reads !== undefined) return reads
  if (context.home !== null && candidates.includes(context.home)) return context.home
  // A connection whose type is unknown is reported already and may be the one that was meant.
  if (candidates.length === 0 && context.connections.some(c => c.type === null)) return undefined
  const { findings } = context
  if (candidates.length === 0) {
    const hint = `declare it: \`connections: {${block.needs}: {...}}\``
    findings.add(
      'C010_UNKNOWN_REFERENCE',
      block.owner,
      pathText(block.path),
      `it needs a ${block.needs} connection and there is none`,
      hint,
    )
    return undefined
  }
  const message = `there are several ${block.needs} connections: ${candidates.join(', ')}`
  findings.add(
    'C010_UNKNOWN_REFERENCE',
    block.owner,
    pathText(block.path),
    message,
    `add \`connection:\` with one of ${candidates.join(', ')}`,
  )
  return undefined
}

function reference(node: Node, at: Path, block: Block, context: FlowContext): string | undefined {
  if (node.kind === 'invalid') return undefined
  const name = textOf(node)
  const { findings, connections } = context
  if (name === undefined) {
    findings.add(
      'C003_WRONG_TYPE',
      node.start,
      pathText(at),
      'expected the name of a connection',
      'name one that `connections:` declares',
    )
    return undefined
  }
  const found = connections.find(c => c.name === name)
  if (found && (found.type === block.needs || found.type === null)) return name
  const candidates = connections.filter(c => c.type === block.needs).map(c => c.name)
  const message = found
    ? `\`${name}\` is a ${found.type} connection and this needs a ${block.needs} one`
    : `there is no connection \`${name}\``
  findings.add('C010_UNKNOWN_REFERENCE', node.start, pathText(at), message, candidatesHint(name, candidates))
  return undefined
}

/** Where dead letters go: the connection named, else the cluster the flow reads, else home. */
function readOnError(
  written: OnErrorFile,
  flow: Entry,
  source: Block,
  reads: string | null | undefined,
  context: FlowContext,
): OnError | null {
  if (written === 'stop') return { kind: 'stop' }
  const { dead_letter: target } = written
  if (typeof target === 'object' && 'file' in target) {
    return { kind: 'dead_letter_file', path: path.resolve(context.baseDir, target.file) }
  }
  const topic = typeof target === 'string' ? target : target.topic
  const named = typeof target === 'string' ? undefined : target.connection
  const types = topicTypes(context.registry)
  const clusters = context.connections.filter(c => c.type !== null && types.has(c.type)).map(c => c.name)
  const block = entryOf(child(flow.value, 'on_error'), 'dead_letter')
  const at: Path = ['flows', flow.key, 'on_error', 'dead_letter']
  if (named !== undefined) {
    if (clusters.includes(named)) return { kind: 'dead_letter', connection: named, topic }
    const node = child(block?.value, 'connection')
    const known = context.connections.find(c => c.name === named)
    if (known && known.type === null) return null
    const message = known ? `the connection \`${named}\` keeps no topics` : `there is no connection \`${named}\``
    context.findings.add(
      'C010_UNKNOWN_REFERENCE',
      node?.start ?? flow.keyStart,
      pathText([...at, 'connection']),
      message,
      candidatesHint(named, clusters),
    )
    return null
  }
  const readsTopics = source.needs !== null && types.has(source.needs)
  const connection = readsTopics ? reads : (context.home ?? (clusters.length === 1 ? clusters[0] : undefined))
  if (readsTopics && (connection === undefined || connection === null)) return null // the source's connection is wrong: reported
  if (connection) return { kind: 'dead_letter', connection, topic }
  if (context.connections.some(c => c.type === null)) return null
  const hint =
    clusters.length > 0
      ? `name one of ${clusters.join(', ')}: {topic: ${topic}, connection: NAME}`
      : 'or set records aside in a file: {dead_letter: {file: PATH}}'
  context.findings.add(
    'C010_UNKNOWN_REFERENCE',
    block?.keyStart ?? flow.keyStart,
    pathText(at),
    'it is not clear which cluster gets the dead letters',
    hint,
  )
  return null
}
