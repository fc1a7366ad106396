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
import type { FlowSpec, PipelineSpec } from '../runtime/spec'
import { createReading, type ReadingParts, upstreamOf } from '../runtime/stages'

export interface StageSchema {
  readonly stage: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
}

/** Columns after each stage of a flow; null: known only to a registry or a topic, which are not asked. */
export type FlowSchema = readonly StageSchema[] | null

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
    const upstream = upstreamOf(pipeline, spec, registry)
    const parts = createReading(pipeline, spec, { registry, events: silent, clock: systemClock, dataDir, offline: true })
    try {
      const fed = upstream.length > 0 ? await visit(upstream[0]) : null
      const input = await inputSchema(parts, fed).catch((error: unknown) => {
        if (absent === 'unknown' && error instanceof ConnectError && error.code === 'C012_UNREADABLE_FILE') return null
        throw error
      })
      if (!input) return null
      const found: StageSchema[] = [stage(spec.source.type, input)]
      let current = input
      for (const { name, transform } of parts.transforms) {
        current = transform.bind(current)
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
