import { withLock } from './lock'
import { liveUsers, lockFileOf, readServices, type ServiceName, writeServices } from './services_file'

const LOOK_MS = 1_000
/** How long a service may run without standing in the services file: its starter writes it there right after spawning it. */
const UNLISTED_MS = 10_000

export interface LifetimeOptions {
  readonly service: ServiceName
  /** End when standard input closes, which it does when the parent goes, however it goes. */
  readonly exitWithParent: boolean
  /** A services file: end when none of the commands in it that need this service runs any more. */
  readonly users: string | undefined
  /** Ends the process at a second signal; `process.exit` by default. */
  readonly exit?: (code: number) => never
}

/**
 * Calls `end` once, with the reason, when the service should go: SIGTERM or SIGINT, its parent gone, its users gone. A second
 * signal exits at once: the data of every embedded service survives that. The watch itself never keeps the process running.
 */
export function watchLifetime(options: LifetimeOptions, end: (reason: string) => void): void {
  let ending = false
  const once = (reason: string) => {
    if (ending) return
    ending = true
    end(reason)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (ending) (options.exit ?? process.exit)(signal === 'SIGINT' ? 130 : 143)
      once(signal)
    })
  if (options.exitWithParent) {
    process.stdin.on('end', () => once('the parent closed standard input'))
    process.stdin.on('error', () => once('standard input failed'))
    process.stdin.resume()
  }
  if (options.users !== undefined) watchUsers(options.users, options.service, once)
}

function watchUsers(file: string, service: ServiceName, end: (reason: string) => void): void {
  const started = Date.now()
  let looking = false
  let told = ''
  const timer = setInterval(async () => {
    if (looking) return
    looking = true
    try {
      const pids = liveUsers(readServices(file), service).map(user => user.process.pid)
      if (pids.join() !== told) process.stderr.write(`${service}: used by ${pids.join(', ') || 'nobody'}\n`)
      told = pids.join()
      if (unwanted(file, service, started) && (await leave(file, service, started))) {
        clearInterval(timer)
        end('no command uses it any more')
      }
    } catch (error) {
      process.stderr.write(`${service}: cannot watch ${file}: ${error instanceof Error ? error.message : String(error)}\n`)
    } finally {
      looking = false
    }
  }, LOOK_MS)
  timer.unref()
}

function unwanted(file: string, service: ServiceName, started: number): boolean {
  const state = readServices(file)
  if (liveUsers(state, service).length === 0) return true
  return state.services[service]?.process.pid !== process.pid && Date.now() - started > UNLISTED_MS
}

/**
 * Looks again under the lock and marks the service as leaving. Without the lock a command could register and find the service
 * answering between this look and the exit, and be left with nothing.
 */
function leave(file: string, service: ServiceName, started: number): Promise<boolean> {
  return withLock(lockFileOf(file), () => {
    if (!unwanted(file, service, started)) return false
    const state = readServices(file)
    const entry = state.services[service]
    if (entry?.process.pid === process.pid)
      writeServices(file, { ...state, services: { ...state.services, [service]: { ...entry, state: 'leaving' } } })
    return true
  })
}
