import { jsonSchema } from '../../config/pipeline_schema'
import { ConnectError } from '../../runtime/errors'
import { didYouMean } from '../../runtime/registry'
import type { FlowSpec } from '../../runtime/spec'
import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import { columnText, type FlowSchema, flowSchemas, viewColumns } from '../flow_schemas'
import { UNKNOWN_COLUMNS } from '../graph_text'
import type { Io } from '../io'
import { listLines } from '../list_lines'
import { loadFile } from '../load'
import { builtInRegistry } from '../registry'

/**
 * `connect schema [FILE [FLOW]]`: the JSON Schema of the language, or the columns at each stage of the flows and of the views, as far
 * as the file says. Opens no socket. Returns the exit code.
 */
export async function schema(
  file: string | undefined,
  flow: string | undefined,
  options: { readonly json?: boolean },
  io: Io,
): Promise<number> {
  if (file === undefined) {
    const text = jsonSchema(builtInRegistry())
    if (!options.json) await io.out(`${JSON.stringify(text, null, 2)}\n`)
    else {
      const summary = 'JSON Schema of pipeline files'
      await printEnvelope(io, { command: 'schema', ok: true, summary, result: { schema: text }, error: null })
    }
    return EXIT.ok
  }
  const { pipeline, registry } = await loadFile(file, io)
  const chosen = pipeline.flows.filter(f => flow === undefined || f.name === flow)
  if (flow !== undefined && chosen.length === 0) {
    const names = pipeline.flows.map(f => f.name)
    const near = didYouMean(flow, names)
    const hint = near ? `did you mean ${near}?` : `it has ${names.join(', ')}`
    throw new ConnectError('C010_UNKNOWN_REFERENCE', `${file} has no flow "${flow}"`, { hint })
  }
  const views = flow === undefined ? pipeline.views : []
  const known = await flowSchemas(pipeline, registry)
  if (options.json) {
    const result = {
      flows: Object.fromEntries(chosen.map(f => [f.name, known.get(f) ?? null])),
      views: Object.fromEntries(views.map(v => [v.name, viewColumns(v)])),
    }
    const summary = `${chosen.length} flow(s)`
    await printEnvelope(io, { command: 'schema', ok: true, summary, result, error: null })
    return EXIT.ok
  }
  for (const f of chosen) await io.out(flowText(f, known.get(f) ?? []))
  for (const v of views)
    await io.out([`${v.name} (view of ${v.from})`, ...listLines(viewColumns(v).map(columnText), '  '), ''].join('\n'))
  return EXIT.ok
}

/** A line for each stage before the sink, which is given what the last of them leaves. */
function flowText({ name, source, transforms }: FlowSpec, known: NonNullable<FlowSchema>): string {
  const stages = [source, ...transforms].map(({ type }, i) => {
    const { columns } = known[i] ?? {}
    return listLines(columns?.map(columnText) ?? [UNKNOWN_COLUMNS], '    ', `  ${type}: `).join('\n')
  })
  return `${[name, ...stages].join('\n')}\n`
}
