import { ConnectError } from '../../runtime/errors'
import { ENDED } from '../../runtime/status'
import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import type { Io } from '../io'
import { durationOption } from '../option_values'
import { ask, fetchStatus, type WorkerAddress, type WorkerOptions, workerAddresses } from '../worker_client'

export interface TapOptions extends WorkerOptions {
  readonly limit: string
  readonly mask?: string
  readonly for?: string
  readonly json?: boolean
}

/**
 * `connect tap FLOW.STAGE`: rows as they pass a stage of a running worker, one JSON object a line, until there are enough, the flow
 * ends, the time is over or Ctrl-C. Returns the exit code.
 */
export async function tap(place: string, options: TapOptions, io: Io): Promise<number> {
  const duration = options.for === undefined ? null : durationOption('--for', options.for)
  const stop = new AbortController()
  const off = io.onSignal(() => stop.abort())
  const timer = duration === null ? null : setTimeout(() => stop.abort(), duration)
  try {
    const query = new URLSearchParams({ at: place, limit: options.limit, mask: options.mask ?? '' })
    const rows: string[] = []
    let count = 0
    const workers = workerAddresses(options, io)
    await refuseSeveral(workers, place)
    for await (const line of linesOf(workers, `/api/tap?${query}`, stop.signal)) {
      count++
      if (options.json) rows.push(line)
      else await io.out(`${line}\n`)
    }
    if (options.json) {
      const result = { rows: rows.map(r => JSON.parse(r) as unknown) }
      await printEnvelope(io, { command: 'tap', ok: true, summary: `${count} row(s)`, result, error: null })
    } else if (count === 0) await io.err('no rows passed meanwhile\n')
    return EXIT.ok
  } finally {
    off()
    if (timer) clearTimeout(timer)
  }
}

/** A worker knows what its own flows are called; a name that stands for flows of several must not mean the one that answers first. */
async function refuseSeveral(workers: readonly WorkerAddress[], place: string): Promise<void> {
  if (workers.length < 2 || place.includes('/')) return
  const [name] = place.split('.')
  const answers = await Promise.allSettled(workers.map(worker => fetchStatus(worker)))
  const flows = answers.flatMap(a => (a.status === 'fulfilled' ? a.value.flows : []))
  const pipelines = new Set(flows.filter(f => f.flow === name && !ENDED.includes(f.state)).map(f => f.pipeline))
  if (pipelines.size < 2) return
  const hint = `give its pipeline: ${[...pipelines].map(pipeline => `${pipeline}/${place}`).join(', ')}`
  throw new ConnectError('C019_USAGE', `several flows are called "${name}"`, { hint })
}

/** Of several workers the first that has the flow. */
async function firstThatHas(workers: readonly WorkerAddress[], path: string, signal: AbortSignal): Promise<Response> {
  let last: unknown
  for (const worker of workers) {
    try {
      return await ask(worker, path, signal, null)
    } catch (error) {
      last = error
      if (!(error instanceof ConnectError) || error.code !== 'C010_UNKNOWN_REFERENCE') throw error
    }
  }
  throw last
}

/** Lines of an answer as they come; ends quietly with the signal. */
async function* linesOf(workers: readonly WorkerAddress[], path: string, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  try {
    const response = await firstThatHas(workers, path, signal)
    for await (const chunk of response.body ?? []) {
      const lines = `${rest}${decoder.decode(chunk as Uint8Array, { stream: true })}`.split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
  } catch (error) {
    // a worker that stops cuts what it sends; the rows that came are whole
    if (!signal.aborted && !(error instanceof TypeError)) throw error
  }
}
