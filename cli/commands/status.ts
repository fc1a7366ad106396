import { asConnectError } from '../../runtime/errors'
import type { Status } from '../../runtime/status'
import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import type { Io } from '../io'
import { statusLines } from '../live/lines'
import { wantsColor } from '../live/screen'
import { fetchStatus, type WorkerOptions, workerAddresses } from '../worker_client'

export interface StatusOptions extends WorkerOptions {
  readonly json?: boolean
}

/**
 * `connect status`: what the running workers do. Returns 0 if all is well, 1 if a flow or view has failed for good or a worker of several
 * does not answer; throws E001_UNREACHABLE (exit code 3) if none does.
 */
export async function status(options: StatusOptions, io: Io): Promise<number> {
  const addresses = workerAddresses(options, io)
  const answers = await Promise.allSettled(addresses.map(worker => fetchStatus(worker)))
  const workers = answers.flatMap((a, i) => (a.status === 'fulfilled' ? [{ url: addresses[i].url, status: a.value }] : []))
  const silent = answers.flatMap((a, i) => (a.status === 'rejected' ? [noAnswer(addresses[i].url, a.reason)] : []))
  if (workers.length === 0) throw silent[0].error
  const failed = [...silent, ...workers.flatMap(w => failures(w.status))]
  const flows = workers.reduce((n, w) => n + w.status.flows.length, 0)
  const summary =
    failed.length === 0
      ? `${workers.length} worker(s) with ${flows} flow(s), none failed`
      : `failed: ${failed.map(f => f.name).join(', ')}`
  if (options.json) {
    const first = failed[0]
    const error = first && { code: first.code, message: `${first.name}: ${first.message}`, hint: 'see its log' }
    await printEnvelope(io, { command: 'status', ok: !first, summary, result: { workers }, error: error ?? null })
  } else {
    const width = io.outIsTerminal ? io.errSize().columns : 120
    const color = io.outIsTerminal && wantsColor(io)
    for (const worker of workers) {
      const lines = [...statusLines(worker.status, { width, color }), '', `${worker.url}/metrics`]
      await io.out(`${lines.join('\n')}\n`)
    }
    for (const { error } of silent) await io.err(`${error.code}: ${error.message}\n`)
  }
  return failed.length === 0 ? EXIT.ok : EXIT.runtime
}

function noAnswer(url: string, reason: unknown) {
  const error = asConnectError(reason)
  return { name: url, code: error.code, message: error.message, error }
}

const failures = ({ flows, views }: Status) =>
  [...flows.map(f => ({ ...f, name: `${f.pipeline}/${f.flow}` })), ...views.map(v => ({ ...v, name: `${v.pipeline}/${v.view}` }))]
    .filter(x => x.state === 'failed')
    .map(x => ({ name: x.name, code: x.problem?.code ?? 'R001_INTERNAL', message: x.problem?.message ?? 'failed' }))
