import type { WorkerResult } from '../runtime/worker'
import { errorPart, printEnvelope } from './envelope'
import type { Io } from './io'
import { anomalyLine, nameIn, runResult } from './run_result'

/** Columns of a line that people read. */
const LINE = 100

/** How a run came to its end. */
export interface RunEnd {
  /** Of embedded services. */
  readonly addresses: Readonly<Record<string, string | undefined>>
  /** Why it was stopped; null: it ended by itself. */
  readonly stopped: string | null
  readonly neverReached: readonly { readonly service: string; readonly address: string }[]
}

/** What a run did: an envelope under --json, else a line for each flow and view on stderr. */
export async function printResult(
  result: WorkerResult,
  { addresses, stopped, neverReached }: RunEnd,
  options: { readonly json?: boolean },
  io: Io,
  scrub: (text: string) => string,
): Promise<void> {
  const failed = [...result.flows, ...result.views].filter(f => f.error)
  // one after the other and not their sum: a record that passes several flows would count in each of them
  const written = result.flows.map(f => `${nameIn(result.flows, f, f.flow)} ${f.counts.written}`).join(', ')
  const flows = `${result.flows.length} flow(s) ended well`
  const lacking = neverReached.map(s => `${s.service} ${s.address}`).join(', ')
  // a stop that was asked for is no failure, but a flow that has done nothing has not ended well either
  const well = lacking === '' ? flows : `${stopped ?? 'ended'}; never reached: ${lacking}`
  const summary =
    failed.length === 0
      ? `${well}; records written: ${written}`
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
    return io.err(`${fits ? summary : well}\n`)
  }
  const error = failed[0]?.error ?? null
  await printEnvelope(io, {
    command: 'run',
    ok: failed.length === 0,
    summary,
    result: runResult(result, addresses),
    error: error && { ...errorPart(error), message: scrub(error.message) },
  })
}
