import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { systemClock } from '../runtime/clock'
import { recordsStage } from '../runtime/decode'
import { ConnectError } from '../runtime/errors'
import { silent } from '../runtime/events'
import { needsKey } from '../runtime/record_columns'
import type { Registry } from '../runtime/registry'
import { fieldTypeName, type Schema } from '../runtime/schema'
import type { FlowSpec, PipelineSpec, ViewSpec } from '../runtime/spec'
import { createReading, endpoints, type ReadingParts, upstreamOf } from '../runtime/stages'
import { viewName } from '../runtime/views/plan'

export interface ColumnSchema {
  readonly name: string
  /** As in YAML, such as `f64?`; null: ClickHouse says when it makes the view. */
  readonly type: string | null
}

export interface StageSchema {
  readonly stage: string
  readonly columns: readonly ColumnSchema[]
}

/**
 * Columns after each stage of a flow, as far as the file says: a stage behind one whose types are not known is not there. Null: not
 * even the first is known without a registry or a topic, which are not asked.
 */
export type FlowSchema = readonly StageSchema[] | null

export const columnText = ({ name, type }: ColumnSchema): string => (type === null ? name : `${name} ${type}`)

/** Columns of a view, as people see them in ClickHouse. The types of keys and aggregates are ClickHouse's to say. */
export const viewColumns = ({ window, keys, columns }: ViewSpec): readonly ColumnSchema[] => {
  const own = [...keys, ...Object.keys(columns)].map(name => ({ name, type: null }))
  if (window === null) return own
  const times = ['window_start', 'window_end'].map(name => ({ name, type: 'timestamp(s)' }))
  return [...times, ...own, { name: '_rev', type: 'i64' }]
}

/** What a flow that reads a view is given. */
const deliveredColumns = (view: ViewSpec): readonly ColumnSchema[] => [
  ...viewColumns(view),
  { name: '_kind', type: 'enum(close, revise, final)' },
]

/**
 * Follows flows in the order in which they feed each other: what one writes as Avro or JSON the next one reads. With `absent: 'unknown'`
 * the columns of files that are not there are not known, otherwise that is C012.
 */
export async function flowSchemas(
  pipeline: PipelineSpec,
  registry: Registry,
  absent: 'unknown' | 'error' = 'error',
): Promise<ReadonlyMap<FlowSpec, FlowSchema>> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'connect-schema-'))
  try {
    return await follow(pipeline, registry, dataDir, absent)
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function follow(
  pipeline: PipelineSpec,
  registry: Registry,
  dataDir: string,
  absent: 'unknown' | 'error',
): Promise<ReadonlyMap<FlowSpec, FlowSchema>> {
  const outputs = new Map<FlowSpec, Schema | null>()
  const stages = new Map<FlowSpec, FlowSchema>()
  const visit = async (spec: FlowSpec): Promise<Schema | null> => {
    const done = outputs.get(spec)
    if (done !== undefined) return done
    outputs.set(spec, null)
    const { reads } = endpoints(spec, registry)
    const view = pipeline.views.find(v => reads.includes(viewName(v)))
    const upstream = upstreamOf(pipeline, spec, registry)
    const parts = createReading(pipeline, spec, { registry, events: silent, clock: systemClock, dataDir, offline: true })
    try {
      const fed = upstream.length > 0 ? await visit(upstream[0]) : null
      const input = view
        ? null
        : await inputSchema(parts, fed).catch((error: unknown) => {
            if (absent === 'unknown' && error instanceof ConnectError && error.code === 'C012_UNREADABLE_FILE') return null
            throw error
          })
      const first = view ? { stage: spec.source.type, columns: deliveredColumns(view) } : input && stage(spec.source.type, input)
      if (!first) return null
      const found: StageSchema[] = [first]
      let current = input
      for (const [i, { name, transform }] of parts.transforms.entries()) {
        // of what a view delivers only the names are known
        const { gives = null } = registry.get('transform', spec.transforms[i].type)
        current = current ? transform.bind(current) : gives
        if (!current) break
        found.push(stage(name, current))
      }
      stages.set(spec, found)
      outputs.set(spec, current)
      return current
    } finally {
      await Promise.allSettled([parts.source.close(), parts.records?.value.close(), parts.records?.key.close()])
    }
  }
  for (const spec of pipeline.flows) await visit(spec)
  return stages
}

async function inputSchema({ source, records, spec }: ReadingParts, fed: Schema | null): Promise<Schema | null> {
  const { signal } = new AbortController()
  // what reads from a service, such as a view, knows its columns when that is asked
  if (!records) return spec.source.connection === null ? source.open(signal) : null
  const declared = await records.value.open(signal).catch(() => null)
  const valueSchema = declared ?? (spec.source.type === 'kafka' ? fed : null)
  if (!valueSchema) return null
  const keySchema = needsKey(records.options) ? await records.key.open(signal).catch(() => null) : null
  if (needsKey(records.options) && !keySchema) return null
  return recordsStage(
    { value: records.value, valueSchema, key: records.key, keySchema },
    records.options,
    spec.source.connection ?? '',
    spec.source.type,
  ).schema
}

const stage = (name: string, s: Schema): StageSchema => ({
  stage: name,
  columns: s.fields.map(f => ({ name: f.name, type: fieldTypeName(f) })),
})
