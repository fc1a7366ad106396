import { createServer } from 'node:net'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { LockTimeout, withLock } from './lock'
import type { ServiceName } from './services_file'

/** The exit codes of every embedded service, those of the command line. */
export const EXIT = { ok: 0, runtime: 1, usage: 2, environment: 3 } as const

/** An error that ends a service with a message for the person who started it. */
export class ServiceError extends Error {
  constructor(
    message: string,
    readonly hint: string,
    readonly exitCode: number = EXIT.environment,
  ) {
    super(message)
    this.name = 'ServiceError'
  }
}

export interface ServiceArgs {
  readonly data: string
  /** 0 asks for a free one. */
  readonly port: number
  readonly tcpPort: number
  readonly exitWithParent: boolean
  readonly users: string | undefined
}

/** Reads `--data DIR [--port N] [--tcp-port N] [--exit-with-parent] [--users FILE]`, the arguments that all services share. */
export function parseServiceArgs(args: readonly string[]): ServiceArgs {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        data: { type: 'string' },
        port: { type: 'string', default: '0' },
        'tcp-port': { type: 'string', default: '0' },
        'exit-with-parent': { type: 'boolean', default: false },
        users: { type: 'string' },
      },
    })
    if (values.data === undefined) throw new Error("'--data DIR' is missing")
    return {
      data: values.data,
      port: portNumber('--port', values.port),
      tcpPort: portNumber('--tcp-port', values['tcp-port']),
      exitWithParent: values['exit-with-parent'],
      users: values.users,
    }
  } catch (error) {
    const usage = '--data DIR [--port N] [--tcp-port N] [--exit-with-parent] [--users FILE]'
    throw new ServiceError(error instanceof Error ? error.message : String(error), `usage: ${usage}`, EXIT.usage)
  }
}

function portNumber(option: string, text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new Error(`${option} ${text} is not a port (0 to 65535)`)
  return Number(text)
}

/** The port itself if it can be listened on, a free one for 0. */
export async function claimPort(port: number, what: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, port, what)))
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}

/** Says what is in the way of listening, with what to do about it. */
export function listenError(error: NodeJS.ErrnoException, port: number, what: string): Error {
  if (error.code === 'EADDRINUSE')
    return new ServiceError(
      `port ${port} for ${what} is taken`,
      `stop what listens on 127.0.0.1:${port}, or pass another port (0 for a free one)`,
    )
  if (error.code === 'EACCES')
    return new ServiceError(`port ${port} for ${what} is not allowed to this user`, 'pass a port above 1023 (0 for a free one)')
  return error
}

/**
 * Takes the folder for as long as this process runs: two services of a kind would write into one journal. A lock that a killed one
 * left is taken over. Throws ServiceError.
 */
export async function holdFolder(data: string, what: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const held = () => {
      resolve()
      return new Promise<never>(() => {})
    }
    withLock(path.join(data, 'lock'), held, { timeoutMs: 0 }).catch((error: unknown) => {
      if (!(error instanceof LockTimeout)) return reject(error)
      const pid = error.holder?.pid
      const hint = `use that one, stop process ${pid}, or pass another --data`
      reject(new ServiceError(`the folder ${data} of ${what} is in use by process ${pid}`, hint))
    })
  })
}

/** Prints the line that starters wait for. */
export function announceReady(service: ServiceName, address: string, more: Readonly<Record<string, string>> = {}): void {
  process.stdout.write(`${JSON.stringify({ event: 'ready', service, address, ...more, pid: process.pid })}\n`)
}

/** Prints why the service cannot run, as one JSON line on stdout for its starter and as text on stderr, and ends it by `exit`. */
export function failService(service: ServiceName, error: unknown, exit: (code: number) => never = process.exit): never {
  const known = error instanceof ServiceError
  const message = error instanceof Error ? error.message : String(error)
  const hint = known ? error.hint : undefined
  process.stdout.write(`${JSON.stringify({ event: 'failed', service, message, hint, pid: process.pid })}\n`)
  process.stderr.write(`${service}: ${message}${hint === undefined ? '' : `\n  ${hint}`}\n`)
  return exit(known ? error.exitCode : EXIT.runtime)
}
