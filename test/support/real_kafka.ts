import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, connect as tcpConnect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

/**
 * Apache Kafka as one process (broker and controller), from Maven's jars: for what the development broker does not do (TLS,
 * SASL) and to run the integration tests against the real thing. The jars are fetched once into the cache folder.
 */

const run = promisify(execFile)
const JARS = path.resolve(__dirname, '../../.cache/real-kafka')
const START_MS = 90_000

/** Which tool is missing to start real Kafka; null if none is. Known at once, so that tests can be skipped by it. */
export function missingTool(): string | null {
  const tools = { java: '-version', mvn: '-v', openssl: 'version' }
  const missing = Object.entries(tools).find(([tool, version]) => spawnSync(tool, [version]).status !== 0)
  return missing?.[0] ?? null
}

async function fetchJars(): Promise<void> {
  const done = path.join(JARS, '.done')
  if (existsSync(done)) return
  mkdirSync(JARS, { recursive: true })
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'
  const pom = path.resolve(__dirname, 'real-kafka/pom.xml')
  await run('mvn', ['-q', '-B', '-f', pom, goal, '-DincludeScope=runtime', `-DoutputDirectory=${JARS}`], { timeout: 240_000 })
  writeFileSync(done, '')
}

export interface Listener {
  readonly name: string
  readonly protocol: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
  /** Further lines of server.properties for this listener, without the prefix. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface RealKafka {
  /** `host:port` by listener name. */
  readonly addresses: Readonly<Record<string, string>>
  readonly folder: string
  stop(): Promise<void>
}

export interface RealKafkaOptions {
  readonly listeners: readonly Listener[]
  readonly settings?: Readonly<Record<string, string>>
  /** Arguments of the formatting tool, e.g. SCRAM users. */
  readonly format?: readonly string[]
  /** Made beforehand where files are put into it (key stores). */
  readonly folder?: string
}

export async function startRealKafka(options: RealKafkaOptions): Promise<RealKafka> {
  await fetchJars()
  const folder = options.folder ?? mkdtempSync(path.join(tmpdir(), 'olap-connect-real-kafka-'))
  const controller = await freePort()
  const ports = new Map<string, number>()
  for (const { name } of options.listeners) ports.set(name, await freePort())
  const address = (name: string): string => `127.0.0.1:${ports.get(name)}`
  const own = options.listeners.map(l => `${l.name}://${address(l.name)}`)
  const settings: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: [...own, `CONTROLLER://127.0.0.1:${controller}`].join(','),
    'advertised.listeners': own.join(','),
    'listener.security.protocol.map': [...options.listeners.map(l => `${l.name}:${l.protocol}`), 'CONTROLLER:PLAINTEXT'].join(
      ',',
    ),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': options.listeners[0].name,
    'log.dirs': path.join(folder, 'data'),
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '500',
    ...options.settings,
  }
  for (const l of options.listeners) {
    for (const [key, value] of Object.entries(l.settings ?? {})) settings[`listener.name.${l.name.toLowerCase()}.${key}`] = value
  }
  const file = path.join(folder, 'server.properties')
  const text = Object.entries(settings).map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\')}`)
  writeFileSync(file, `${text.join('\n')}\n`)
  const java = ['-Xmx384m', '-XX:+UseSerialGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', `${JARS}/*`]
  const id = randomBytes(16).toString('base64url')
  await run('java', [...java, 'kafka.tools.StorageTool', 'format', '-c', file, '-t', id, ...(options.format ?? [])])
  const log = path.join(folder, 'log')
  const child = spawn('java', [...java, 'kafka.Kafka', file], { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => writeFileSync(log, chunk, { flag: 'a' }))
  const stop = async (): Promise<void> => {
    await end(child)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await Promise.all(options.listeners.map(l => listening(ports.get(l.name) ?? 0, child)))
  } catch (error) {
    const said = existsSync(log) ? readFileSync(log, 'utf8').slice(-3_000) : ''
    await stop()
    throw new Error(`Apache Kafka did not start: ${error}\n${said}`)
  }
  return { folder, stop, addresses: Object.fromEntries(options.listeners.map(l => [l.name, address(l.name)])) }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Nothing tells when a port is listened on, and what Kafka says when it has started differs by version: so it is tried. */
async function listening(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_MS
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
    const socket = tcpConnect(port, '127.0.0.1')
    const open = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(
      () => false,
    )
    socket.destroy()
    if (open) return
    if (Date.now() > deadline) throw new Error(`nothing listens on ${port}`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}
