import type { WorkerResult } from '../runtime/worker'
import { errorPart, printEnvelope } from './envelope'
import type { Io } from './io'
import { anomalyLine, nameIn, runResult } from './run_result'
import type { RunningServices } from './services'

/** Columns of a line that people read. */
const LINE = 100

/** What a run did: an envelope under --json, else a line for each flow and view on stderr. */
export async function printResult(
  result: WorkerResult,
  services: RunningServices | null,
  options: { readonly json?: boolean },
  io: Io,
  scrub: (text: string) => string,
): Promise<void> {
  const failed = [...result.flows, ...result.views].filter(f => f.error)
  // one after the other and not their sum: a record that passes several flows would count in each of them
  const written = result.flows.map(f => `${nameIn(result.flows, f, f.flow)} ${f.counts.written}`).join(', ')
  const summary =
    failed.length === 0
      ? `${result.flows.length} flow(s) ended well; records written: ${written}`
      : `${failed.length} of ${result.flows.length + result.views.length} flow(s) and view(s) failed`
  if (!options.json) {
    for (const f of result.flows) {
      const { read, written, filtered, dead_lettered, restarts } = f.counts
      await io.err(
        `${nameIn(result.flows, f, f.flow)}: read ${read}, written ${written}, filtered ${filtered}, dead-lettered ${dead_lettered}, restarts ${restarts}${f.error ? ` (failed: ${f.error.code})` : ''}\n`,
      )
    }
    for (const v of result.views) {
      const { windows, revisions, late, reopened } = v.counts
      await io.err(
        `${nameIn(result.flows, v, v.view)}: windows ${windows}, revisions ${revisions}, late ${late}, reopened ${reopened}${v.error ? ` (failed: ${v.error.code})` : ''}\n`,
      )
    }
    const found = anomalyLine(result)
    if (found) await io.err(`${found}\n`)
    // the lines above have the records of each flow; those of many are no sentence
    const fits = failed.length > 0 || summary.length <= LINE
    return io.err(`${fits ? summary : `${result.flows.length} flow(s) ended well`}\n`)
  }
  const error = failed[0]?.error ?? null
  await printEnvelope(io, {
    command: 'run',
    ok: failed.length === 0,
    summary,
    result: runResult(result, services?.addresses ?? {}),
    error: error && { ...errorPart(error), message: scrub(error.message) },
  })
}
