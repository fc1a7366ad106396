import type { Registry } from '../runtime/registry'
import type { FlowSpec, PipelineSpec } from '../runtime/spec'
import { endpoints } from '../runtime/stages'
import { columnText, type FlowSchema, viewColumns } from './flow_schemas'

/** `store`: a topic or table. `stage`: a source, transform or sink of a flow. */
export type NodeKind = 'store' | 'view' | 'stage'

export interface GraphNode {
  readonly id: string
  readonly kind: NodeKind
  readonly label: string
  /** Flow it belongs to; null: between flows. */
  readonly flow: string | null
}

export interface GraphEdge {
  readonly from: string
  readonly to: string
  /** `name type` of each column that passes; null: not known from the file; absent: bytes and not rows, or a way of errors. */
  readonly columns?: readonly string[] | null
  readonly kind: 'rows' | 'letters' | 'windows'
}

export interface Graph {
  readonly name: string
  readonly nodes: readonly GraphNode[]
  readonly edges: readonly GraphEdge[]
}

/** What a pipeline file connects: flows with their stages, and the topics, tables and views between them. */
export function graphOf(pipeline: PipelineSpec, registry: Registry, schemas: ReadonlyMap<FlowSpec, FlowSchema>): Graph {
  const nodes = new Map<string, GraphNode>()
  const edges: GraphEdge[] = []
  const store = (connection: string | null, name: string): string => {
    const [label, kind] = labelOf(pipeline, connection, name)
    const id = `${connection ?? ''}:${name}`
    if (!nodes.has(id)) nodes.set(id, { id, kind, label, flow: null })
    return id
  }
  for (const flow of pipeline.flows) {
    const stages = [flow.source, ...flow.transforms, flow.sink]
    const ids = stages.map((stage, i) => {
      const id = `${flow.name}.${i}`
      const role = i === 0 ? ' source' : i === stages.length - 1 ? ' sink' : ''
      nodes.set(id, { id, kind: 'stage', label: `${stage.type}${role}`, flow: flow.name })
      return id
    })
    const columns = schemas.get(flow)
    for (let i = 1; i < ids.length; i++) {
      const passing = columns?.[i - 1]?.columns.map(columnText) ?? null
      edges.push({ from: ids[i - 1], to: ids[i], columns: passing, kind: 'rows' })
    }
    const { source, sink } = endpoints(flow, registry)
    for (const name of source.reads(flow.source.config))
      edges.push({ from: store(flow.source.connection, name), to: ids[0], kind: 'rows' })
    for (const name of sink.writes(flow.sink.config))
      edges.push({ from: ids[ids.length - 1], to: store(flow.sink.connection, name), kind: 'rows' })
    const { onError } = flow
    if (onError.kind === 'dead_letter')
      edges.push({ from: ids[0], to: store(onError.connection, onError.topic), kind: 'letters' })
    if (onError.kind === 'dead_letter_file')
      edges.push({ from: ids[0], to: store(null, `file ${onError.path}`), kind: 'letters' })
  }
  for (const view of pipeline.views) {
    const type = pipeline.connections[view.connection]?.type ?? ''
    edges.push({
      from: store(view.connection, `${type}:${view.from}`),
      to: store(view.connection, `view:${view.name}`),
      columns: viewColumns(view).map(columnText),
      kind: 'windows',
    })
  }
  return { name: pipeline.name, nodes: [...nodes.values()], edges }
}

const WORDS: Readonly<Record<string, string>> = { kafka: 'topic', clickhouse: 'table' }

function labelOf(pipeline: PipelineSpec, connection: string | null, name: string): readonly [string, NodeKind] {
  if (connection === null) return [name, 'store']
  const type = pipeline.connections[connection]?.type ?? ''
  const others = Object.values(pipeline.connections).filter(c => c.type === type).length > 1
  const where = others ? ` on ${connection}` : ''
  if (name.startsWith('view:')) return [`view ${name.slice('view:'.length)}${where}`, 'view']
  const bare = name.startsWith(`${type}:`) ? name.slice(type.length + 1) : name
  return [`${WORDS[type] ?? type} ${bare}${where}`, 'store']
}
