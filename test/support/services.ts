import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'

/**
 * Starts the services that integration tests need, each as a process of its own on a free port of 127.0.0.1 with a folder of
 * its own. An address in the environment takes the place of the embedded one, which is how the suites are run against real
 * servers; each start prints which it is.
 *
 *     KAFKA_BROKERS_UNDER_TEST=host:9092   CLICKHOUSE_UNDER_TEST=http://host:8123   SCHEMA_REGISTRY_UNDER_TEST=http://host:8081
 */
export interface Service {
  /** `host:port` for Kafka, a URL for the others. */
  readonly address: string
  /** True where the service was not started here. It can then be neither killed nor started again. */
  readonly external: boolean
  /** Further addresses the service announced (ClickHouse: `tcp`). */
  readonly more: Readonly<Record<string, string>>
  /** Where it keeps its data; empty for an external one. */
  readonly folder: string
  /** Ends it in order and removes its folder. */
  stop(): Promise<void>
  /** SIGKILL; the folder stays for `restart`. */
  kill(): Promise<void>
  /** Starts it again on the same folder and port. */
  restart(): Promise<void>
  /** Stops it from answering (SIGSTOP), its connections stay; `thaw` ends that. */
  freeze(): void
  thaw(): void
}

const VARIABLES = {
  kafka: 'KAFKA_BROKERS_UNDER_TEST',
  clickhouse: 'CLICKHOUSE_UNDER_TEST',
  schema_registry: 'SCHEMA_REGISTRY_UNDER_TEST',
} as const

type ServiceName = keyof typeof VARIABLES

/** Why tests that kill or stop a service cannot run; null: they start it themselves. */
export const notOurs = (name: ServiceName): string | null =>
  process.env[VARIABLES[name]] ? `${name} was not started here (${VARIABLES[name]})` : null

export const startKafka = (): Promise<Service> =>
  start({ name: 'kafka', main: 'kafka/main.js', args: ['--min-session-timeout-ms', '500'] })

export const startClickHouse = (): Promise<Service> => start({ name: 'clickhouse', main: 'clickhouse/main.js' })

export const startRegistry = (): Promise<Service> => start({ name: 'schema_registry', main: 'schema-registry/main.js' })

interface Recipe {
  readonly name: ServiceName
  /** Below dist/embedded: services run as they are shipped. */
  readonly main: string
  readonly args?: readonly string[]
}

const STOP_MS = 15_000

async function start(recipe: Recipe): Promise<Service> {
  const variable = VARIABLES[recipe.name]
  const external = process.env[variable]
  if (external) {
    say(`${recipe.name}: ${external} (from ${variable})`)
    const refuse = async (): Promise<never> => {
      throw new Error(`${recipe.name} at ${external} was not started by the test`)
    }
    return {
      address: external,
      external: true,
      more: {},
      folder: '',
      stop: async () => {},
      kill: refuse,
      restart: refuse,
      freeze: refuse,
      thaw: refuse,
    }
  }
  const folder = mkdtempSync(path.join(tmpdir(), `olap-connect-${recipe.name}-`))
  let running = await launch(recipe, folder, '0')
  const { address, more } = running
  const port = /:(\d+)$/.exec(address)?.[1] ?? '0'
  say(`${recipe.name}: embedded, at ${address}`)
  return {
    address,
    more,
    folder,
    external: false,
    async stop() {
      await end(running.child, 'SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
    kill: () => end(running.child, 'SIGKILL'),
    async restart() {
      await end(running.child, 'SIGKILL')
      running = await launch(recipe, folder, port)
    },
    freeze: () => void running.child.kill('SIGSTOP'),
    thaw: () => void running.child.kill('SIGCONT'),
  }
}

interface Running {
  readonly child: ChildProcess
  readonly address: string
  readonly more: Readonly<Record<string, string>>
}

async function launch(recipe: Recipe, folder: string, port: string): Promise<Running> {
  const main = path.resolve(__dirname, '../../dist/embedded', recipe.main)
  if (!existsSync(main)) throw new Error(`${main} is missing: run \`npm run build\` first`)
  // with the parent's death stdin ends, and with it the service
  const args = [main, '--data', folder, '--port', port, '--exit-with-parent', ...(recipe.args ?? [])]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', chunk => {
    stderr = (stderr + chunk).slice(-10_000)
  })
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${recipe.name} ended with ${code ?? signal}: ${stderr}`)
  })
  ended.catch(() => {})
  const ready = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const said = line.startsWith('{') ? (JSON.parse(line) as Record<string, string>) : {}
      if (said.event === 'ready') return said
    }
    return ended
  })()
  const { address, event: _event, service: _service, pid: _pid, ...more } = await Promise.race([ready, ended])
  child.stdout.resume()
  return { child, address, more }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await exit
  clearTimeout(timer)
}

const said = new Set<string>()
const say = (line: string): void => {
  if (said.has(line)) return
  said.add(line)
  process.stderr.write(`${line}\n`)
}
