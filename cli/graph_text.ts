import type { Graph, GraphEdge, GraphNode } from './graph'
import { listLines } from './list_lines'

export const GRAPH_FORMATS = ['mermaid', 'dot', 'text'] as const
export type GraphFormat = (typeof GRAPH_FORMATS)[number]

/** What stands in the place of columns that are not known. */
export const UNKNOWN_COLUMNS = 'columns known when it runs'

/** Columns on an edge of a drawing; the rest is counted. Text has them all. */
const MOST_COLUMNS = 8

/** With `named` the labels of flows begin with the pipeline's name: one of several drawings must say whose it is. */
export function graphText(drawn: Graph, format: GraphFormat, named = false): string {
  const nameOf = (flow: string | null): string | null => (named && flow !== null ? `${drawn.name}/${flow}` : flow)
  const graph = { ...drawn, nodes: drawn.nodes.map(n => ({ ...n, flow: nameOf(n.flow) })) }
  switch (format) {
    case 'mermaid':
      return mermaid(graph)
    case 'dot':
      return dot(graph)
    case 'text':
      return text(graph)
  }
}

/** Lines on an edge; none where it carries no rows with columns. */
function edgeLines({ columns, kind }: GraphEdge): readonly string[] {
  if (kind === 'letters') return ['what cannot be read or written']
  if (columns === undefined) return []
  if (columns === null) return [UNKNOWN_COLUMNS]
  const more = columns.length > MOST_COLUMNS ? [`and ${columns.length - MOST_COLUMNS} more`] : []
  return [...columns.slice(0, MOST_COLUMNS), ...more]
}

const flowsOf = (graph: Graph): readonly string[] => [...new Set(graph.nodes.flatMap(n => (n.flow === null ? [] : [n.flow])))]

/** Mermaid's flowchart; GitHub and most Markdown viewers draw it. Ids are letters and numbers, labels quoted with entities. */
function mermaid(graph: Graph): string {
  const ids = new Map(graph.nodes.map((n, i) => [n.id, `n${i}`]))
  const quoted = (lines: readonly string[]): string =>
    `"${lines.map(l => l.replaceAll('#', '#35;').replaceAll('"', '#quot;').replaceAll('<', '#lt;')).join('<br>')}"`
  const node = (n: GraphNode): string => {
    const label = quoted([n.label])
    return `${ids.get(n.id)}${n.kind === 'stage' ? `[${label}]` : n.kind === 'view' ? `[/${label}/]` : `[(${label})]`}`
  }
  const lines = ['flowchart LR']
  for (const [i, flow] of flowsOf(graph).entries()) {
    lines.push(`  subgraph f${i} [${quoted([`flow: ${flow}`])}]`)
    for (const n of graph.nodes) if (n.flow === flow) lines.push(`    ${node(n)}`)
    lines.push('  end')
  }
  for (const n of graph.nodes) if (n.flow === null) lines.push(`  ${node(n)}`)
  for (const edge of graph.edges) {
    const label = edgeLines(edge)
    const arrow = edge.kind === 'letters' ? '-.->' : '-->'
    lines.push(`  ${ids.get(edge.from)} ${arrow}${label.length > 0 ? `|${quoted(label)}|` : ''} ${ids.get(edge.to)}`)
  }
  return `${lines.join('\n')}\n`
}

/** Graphviz: `connect graph FILE --format dot | dot -Tsvg`. */
function dot(graph: Graph): string {
  const quoted = (lines: readonly string[]): string =>
    `"${lines.map(l => l.replaceAll('\\', '\\\\').replaceAll('"', '\\"')).join('\\n')}"`
  const node = (n: GraphNode): string => {
    const shape = n.kind === 'stage' ? 'box' : n.kind === 'view' ? 'parallelogram' : 'cylinder'
    return `${quoted([n.id])} [label=${quoted([n.label])}, shape=${shape}];`
  }
  const lines = [`digraph ${quoted([graph.name])} {`, '  rankdir=LR;']
  for (const [i, flow] of flowsOf(graph).entries()) {
    lines.push(`  subgraph cluster_${i} {`, `    label=${quoted([`flow: ${flow}`])};`)
    for (const n of graph.nodes) if (n.flow === flow) lines.push(`    ${node(n)}`)
    lines.push('  }')
  }
  for (const n of graph.nodes) if (n.flow === null) lines.push(`  ${node(n)}`)
  for (const edge of graph.edges) {
    const attributes = [`label=${quoted(edgeLines(edge))}`, ...(edge.kind === 'letters' ? ['style=dashed'] : [])]
    lines.push(`  ${quoted([edge.from])} -> ${quoted([edge.to])} [${attributes.join(', ')}];`)
  }
  return `${lines.join('\n')}\n}\n`
}

/** A flow a paragraph, a stage a line, its columns below it. */
function text(graph: Graph): string {
  const labels = new Map(graph.nodes.map(n => [n.id, n.label]))
  const out: string[] = []
  for (const flow of flowsOf(graph)) {
    if (out.length > 0) out.push('')
    out.push(flow)
    const stages = graph.nodes.filter(n => n.flow === flow)
    const outside = (id: string | undefined, side: 'from' | 'to', kind: GraphEdge['kind']): string => {
      const other = side === 'from' ? 'to' : 'from'
      const found = graph.edges.filter(e => e[other] === id && e.kind === kind && !stages.some(s => s.id === e[side]))
      return found.map(e => labels.get(e[side])).join(', ')
    }
    for (const [i, stage] of stages.entries()) {
      const reads = i === 0 ? outside(stage.id, 'from', 'rows') : ''
      const writes = i === stages.length - 1 ? outside(stage.id, 'to', 'rows') : ''
      out.push(`  ${stage.label}${reads ? ` <- ${reads}` : ''}${writes ? ` -> ${writes}` : ''}`)
      const passing = graph.edges.find(e => e.from === stage.id && e.to === stages[i + 1]?.id)
      if (passing) out.push(...listLines(passing.columns ?? [UNKNOWN_COLUMNS], '    '))
    }
    const letters = outside(stages[0]?.id, 'to', 'letters')
    if (letters) out.push(`  what cannot be read or written -> ${letters}`)
  }
  for (const edge of graph.edges.filter(e => e.kind === 'windows'))
    out.push('', `${labels.get(edge.to)} <- ${labels.get(edge.from)}`, ...listLines(edge.columns ?? [], '    '))
  return `${out.join('\n')}\n`
}
