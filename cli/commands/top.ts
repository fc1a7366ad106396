import { systemClock } from '../../runtime/clock'
import type { Status } from '../../runtime/status'
import { EXIT } from '../exit_codes'
import type { Io } from '../io'
import { statusLines } from '../live/lines'
import { liveTable } from '../live/table'
import { countOption, durationOption } from '../option_values'
import { fetchStatus, type WorkerOptions, workerAddresses } from '../worker_client'

export interface TopOptions extends WorkerOptions {
  readonly every: string
  /** Stop after so many looks. */
  readonly count?: string
}

const LEAST_MS = 100

/**
 * `connect top`: the live table of a running worker, from another terminal, until Ctrl-C or the worker ends. Without a terminal each
 * look is printed below the last. Returns the exit code.
 */
export async function top(options: TopOptions, io: Io): Promise<number> {
  const every = durationOption('--every', options.every, LEAST_MS)
  const looks = countOption('--count', options.count)
  const [worker] = workerAddresses(options, io)
  const stop = new AbortController()
  const off = io.onSignal(() => stop.abort())
  let latest: Status | null = null
  const table = liveTable(io, () => latest)
  try {
    for (let look = 1; !stop.signal.aborted; look++) {
      try {
        latest = await fetchStatus(worker, stop.signal)
      } catch (error) {
        if (stop.signal.aborted) break
        // a worker that was seen has ended, which is no error of this command
        if (latest === null) throw error
        await table?.close('picture')
        await io.err(`the worker at ${worker.url} has ended\n`)
        return EXIT.ok
      }
      if (!table) await io.out(`${statusLines(latest, { width: 120, color: false }).join('\n')}\n\n`)
      if (look >= looks) break
      await systemClock.sleep(every, stop.signal).catch(() => {})
    }
    return EXIT.ok
  } finally {
    off()
    await table?.close('picture')
  }
}
