import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import type { Io } from '../io'
import { formatWarning, loadFiles } from '../load'

/** `connect validate FILE...`: every problem of every file in one pass, thrown together. Opens no socket. Returns the exit code. */
export async function validate(files: readonly string[], options: { readonly json?: boolean }, io: Io): Promise<number> {
  const { pipelines, warnings } = await loadFiles(files, io)
  const flows = pipelines.reduce((n, p) => n + p.flows.length, 0)
  const summary = `${pipelines.length} file(s) with ${flows} flow(s) are valid`
  for (const warning of warnings) await io.err(`${formatWarning(warning)}\n`)
  const result = { files: pipelines.map(p => ({ file: p.file, name: p.name, flows: p.flows.map(f => f.name) })) }
  if (options.json) await printEnvelope(io, { command: 'validate', ok: true, summary, result, error: null })
  else await io.out(`${summary}\n`)
  return EXIT.ok
}
