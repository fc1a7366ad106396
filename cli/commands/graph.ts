import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import { flowSchemas } from '../flow_schemas'
import { graphOf } from '../graph'
import { type GraphFormat, graphText } from '../graph_text'
import type { Io } from '../io'
import { loadFiles } from '../load'

export interface GraphOptions {
  readonly format: GraphFormat
  readonly json?: boolean
}

/** `connect graph FILE...`: what the files connect, with the columns on the edges as far as the files say. Opens no socket. */
export async function graph(files: readonly string[], options: GraphOptions, io: Io): Promise<number> {
  const { pipelines, registry } = await loadFiles(files, io)
  const graphs = []
  for (const pipeline of pipelines) graphs.push(graphOf(pipeline, registry, await flowSchemas(pipeline, registry, 'unknown')))
  if (options.json) {
    const summary = `${graphs.length} pipeline(s)`
    await printEnvelope(io, { command: 'graph', ok: true, summary, result: { graphs }, error: null })
  } else await io.out(graphs.map(g => graphText(g, options.format, graphs.length > 1)).join('\n'))
  return EXIT.ok
}
