import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { jsonSchema } from '../../config/pipeline_schema'
import { systemClock } from '../../runtime/clock'
import { recordsStage } from '../../runtime/decode'
import { ConnectError } from '../../runtime/errors'
import { silent } from '../../runtime/events'
import { needsKey } from '../../runtime/record_columns'
import type { Registry } from '../../runtime/registry'
import { fieldTypeName, type Schema } from '../../runtime/schema'
import type { FlowSpec, PipelineSpec } from '../../runtime/spec'
import { createReading, type ReadingParts, upstreamOf } from '../../runtime/stages'
import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import type { Io } from '../io'
import { loadFiles } from '../load'
import { builtInRegistry } from '../registry'

interface StageSchema {
  readonly stage: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
}

/** Columns after each stage of a flow; null: known only to a registry or a topic, which this command does not ask. */
type FlowSchema = readonly StageSchema[] | null

/** `connect schema [FILE [FLOW]]`: the JSON Schema of the language, or the columns at each stage. Opens no socket. Returns the exit code. */
export async function schema(
  file: string | undefined,
  flow: string | undefined,
  options: { readonly json?: boolean },
  io: Io,
): Promise<number> {
  if (file === undefined) {
    const text = jsonSchema(builtInRegistry())
    if (options.json)
      await printEnvelope(io, {
        command: 'schema',
        ok: true,
        summary: 'JSON Schema of pipeline files',
        result: { schema: text },
        error: null,
      })
    else await io.out(`${JSON.stringify(text, null, 2)}\n`)
    return EXIT.ok
  }
  const { pipelines, registry } = await loadFiles([file], io)
  const [pipeline] = pipelines
  const chosen = pipeline.flows.filter(f => flow === undefined || f.name === flow)
  if (chosen.length === 0)
    throw new ConnectError(
      'C010_UNKNOWN_REFERENCE',
      `${file} has no flow "${flow}"; it has ${pipeline.flows.map(f => f.name).join(', ')}`,
    )
  const dataDir = mkdtempSync(path.join(tmpdir(), 'connect-schema-'))
  try {
    const known = await flowSchemas(pipeline, registry, dataDir)
    const result = Object.fromEntries(chosen.map(f => [f.name, known.get(f) ?? null]))
    if (options.json)
      await printEnvelope(io, {
        command: 'schema',
        ok: true,
        summary: `${chosen.length} flow(s)`,
        result: { flows: result },
        error: null,
      })
    else for (const f of chosen) await io.out(text(f.name, known.get(f) ?? null))
    return EXIT.ok
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

function text(name: string, stages: FlowSchema): string {
  if (!stages) return `${name}\n  known once the registry or the first records are read\n`
  const lines = stages.map(s => `  ${s.stage}: ${s.columns.map(c => `${c.name} ${c.type}`).join(', ')}`)
  return `${[name, ...lines].join('\n')}\n`
}

/** Follows flows in the order in which they feed each other: what one writes as Avro or JSON the next one reads. */
async function flowSchemas(
  pipeline: PipelineSpec,
  registry: Registry,
  dataDir: string,
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
      const input = await inputSchema(parts, fed)
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
  if (!records) return source.open(signal)
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
