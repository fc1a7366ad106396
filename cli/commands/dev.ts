import type { Command } from 'commander'
import { SERVICE_NAMES, type ServiceChange, startServices } from '../services'

/** What the command needs of its surroundings; the command line gives its own. */
export interface DevIo {
  readonly out: (line: string) => void
  readonly err: (line: string) => void
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
}

export interface DevOptions {
  readonly data?: string
  readonly json?: boolean
}

/** Adds `connect dev`. */
export function registerDev(program: Command, io: DevIo): void {
  program
    .command('dev')
    .description('run the embedded ClickHouse, Kafka broker and schema registry in the foreground')
    .option('--data <dir>', 'folder of their data', '.connect')
    .option('--json', 'print one JSON envelope with the addresses')
    .action((options: DevOptions) => dev(options, io))
}

/** Runs all embedded services until the signal. */
export async function dev(options: DevOptions, io: DevIo): Promise<void> {
  const services = await startServices({ data: options.data, need: new Set(SERVICE_NAMES), signal: io.signal })
  services.onExit(change => io.err(describe(change)))
  const result = {
    services: Object.fromEntries(
      SERVICE_NAMES.map(name => [name, { address: services.addresses[name], pid: services.pids[name] }]),
    ),
  }
  if (options.json === true) io.out(JSON.stringify({ command: 'dev', ok: true, summary: 'embedded services run', result }))
  else {
    for (const name of SERVICE_NAMES) io.out(`${name.padEnd(16)} ${services.addresses[name]}`)
    io.out('for development only; Ctrl-C stops them')
  }
  // The watch over the services does not keep the process running; this does.
  const awake = setInterval(() => {}, 2 ** 30)
  await new Promise<void>(resolve =>
    io.signal.aborted ? resolve() : io.signal.addEventListener('abort', () => resolve(), { once: true }),
  )
  clearInterval(awake)
  await services.stop()
}

function describe({ service, kind, pid, address, error }: ServiceChange): string {
  if (kind === 'exited') return `${service}: process ${pid} ended`
  if (kind === 'restarted') return `${service}: runs again at ${address}`
  return `${service}: cannot be started again: ${error instanceof Error ? error.message : String(error)}`
}
