import type { Makers } from './plugin'
import type { Registry } from './registry'
import type { FlowSpec, PipelineSpec } from './spec'
import { endpoints } from './stages'
import { viewName, writesTableOf } from './views/plan'

/** What a flow reads, as its source calls it, and of which connection. */
export interface Reading {
  readonly pipeline: PipelineSpec
  readonly spec: FlowSpec
  readonly connection: string | null
  readonly name: string
}

export type MakerState = 'working' | 'ended' | 'failed'

/**
 * The flows of a run that make what another one reads: those of its own pipeline that write it, its table or dead letters into it,
 * and those of other pipelines whose connection has the same addresses.
 */
export function makersOf(
  { pipeline, spec, connection, name }: Reading,
  pipelines: readonly PipelineSpec[],
  registry: Registry,
  stateOf: (flow: FlowSpec) => MakerState,
): Makers {
  const makers: Record<MakerState, string[]> = { working: [], ended: [], failed: [] }
  for (const other of pipelines) {
    for (const [as, { type }] of Object.entries(other.connections)) {
      const mine = connection === null ? undefined : pipeline.connections[connection]
      if (
        mine?.type !== type ||
        !(other === pipeline ? as === connection : sameAddresses(pipeline, connection, other, as, registry))
      )
        continue
      const wanted = `${as}:${name}`
      const view = other === pipeline ? other.views.find(v => viewName(v) === wanted) : undefined
      for (const flow of other.flows) {
        if (flow === spec) continue
        const { writes, letters } = endpoints(flow, registry)
        if (!(view ? writesTableOf(flow, view) : writes.includes(wanted) || letters === wanted)) continue
        makers[stateOf(flow)].push(other === pipeline ? flow.name : `${other.name}/${flow.name}`)
      }
    }
  }
  return { working: makers.working, failed: makers.failed }
}

/** Whether two connections lead to the same services; an address that only one of them has says nothing. */
function sameAddresses(a: PipelineSpec, connection: string | null, b: PipelineSpec, other: string, registry: Registry): boolean {
  const left = connection === null ? undefined : a.connections[connection]
  const right = b.connections[other]
  if (!left) return false
  const fields = Object.keys(registry.find('connection', left.type)?.embedded ?? {})
  const address = (config: unknown, field: string): unknown => (config as Readonly<Record<string, unknown>> | null)?.[field]
  const pairs = fields
    .map(f => [address(left.config, f), address(right.config, f)] as const)
    .filter(([l, r]) => l != null && r != null)
  return pairs.length > 0 && pairs.every(([l, r]) => JSON.stringify(l) === JSON.stringify(r))
}
