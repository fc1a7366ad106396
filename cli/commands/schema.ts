import { jsonSchema } from '../../config/pipeline_schema'
import { ConnectError } from '../../runtime/errors'
import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import { type FlowSchema, flowSchemas } from '../flow_schemas'
import type { Io } from '../io'
import { loadFiles } from '../load'
import { builtInRegistry } from '../registry'

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
  const known = await flowSchemas(pipeline, registry)
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
}

function text(name: string, stages: FlowSchema): string {
  if (!stages) return `${name}\n  known once the registry or the first records are read\n`
  const lines = stages.map(s => `  ${s.stage}: ${s.columns.map(c => `${c.name} ${c.type}`).join(', ')}`)
  return `${[name, ...lines].join('\n')}\n`
}
