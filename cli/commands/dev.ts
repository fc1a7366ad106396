import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import type { Io } from '../io'
import { SERVICE_NAMES, type ServiceChange, startServices } from '../services'

export interface DevOptions {
  readonly data: string
  readonly json?: boolean
}

/** `connect dev`: runs the embedded services in the foreground until a signal. Returns the exit code. */
export async function dev(options: DevOptions, io: Io): Promise<number> {
  const stop = new AbortController()
  const off = io.onSignal(() => stop.abort())
  const services = await startServices({ data: options.data, need: new Set(SERVICE_NAMES), signal: stop.signal })
  // The watch over the services does not keep the process running; this does.
  const awake = setInterval(() => {}, 2 ** 30)
  try {
    services.onExit(change => void io.err(`${describe(change)}\n`))
    const result = {
      services: Object.fromEntries(
        SERVICE_NAMES.map(name => [name, { address: services.addresses[name], pid: services.pids[name] }]),
      ),
    }
    if (options.json) await printEnvelope(io, { command: 'dev', ok: true, summary: 'embedded services run', result, error: null })
    else {
      for (const name of SERVICE_NAMES) await io.out(`${name.padEnd(16)} ${services.addresses[name]}\n`)
      await io.out('for development only; Ctrl-C stops them\n')
    }
    await new Promise<void>(resolve =>
      stop.signal.aborted ? resolve() : stop.signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    return EXIT.ok
  } finally {
    clearInterval(awake)
    off()
    await services.stop()
  }
}

function describe({ service, kind, pid, address, error }: ServiceChange): string {
  if (kind === 'exited') return `${service}: process ${pid} ended`
  if (kind === 'restarted') return `${service}: runs again at ${address}`
  return `${service}: cannot be started again: ${error instanceof Error ? error.message : String(error)}`
}
