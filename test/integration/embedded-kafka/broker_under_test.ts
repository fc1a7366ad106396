import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { Kafka, logLevel } from 'kafkajs'

/** Address of another broker to run this suite against: that is how its expectations are proven to be Apache Kafka's. */
const OTHER = process.env.KAFKA_BROKERS_UNDER_TEST

const MAIN = path.resolve(__dirname, '../../../dist/embedded/kafka/main.js')

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'

export interface BrokerUnderTest {
  readonly address: string
  readonly folder: string
  readonly kafka: Kafka
  /** A kafkajs client with its own id and connections. */
  readonly client: (clientId: string) => Kafka
  /** Ends the process with SIGKILL and starts another one on the same folder and port. */
  readonly killAndRestart: () => Promise<void>
  readonly stop: () => Promise<void>
}

const client = (address: string, clientId: string): Kafka => {
  return new Kafka({ brokers: [address], clientId, logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 8 } })
}

export interface Spawned {
  readonly child: ChildProcess
  readonly address: string
  readonly stderr: () => string
}

/** Starts the embedded broker and resolves with the address it announces. */
export const spawnBroker = async (...args: string[]): Promise<Spawned> => {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run \`npm run build\` first`)
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  const lines = createInterface({ input: child.stdout })
  const ended = once(child, 'close').then(([code]): never => {
    throw new Error(`the broker ended with ${code}: ${stderr}`)
  })
  ended.catch(() => {})
  const ready = once(lines, 'line').then(([line]) => {
    const said = JSON.parse(line) as { event: string; address: string }
    return said.event === 'ready' ? said : ended
  })
  const { address } = await Promise.race([ready, ended])
  return { child, address, stderr: () => stderr }
}

export const endProcess = async (child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> => {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const exit = once(child, 'exit')
  child.kill(signal)
  const [code] = await exit
  return code
}

export const startBrokerUnderTest = async (...args: string[]): Promise<BrokerUnderTest> => {
  if (OTHER !== undefined) {
    const refuse = (): never => {
      throw new Error('this broker is not ours to kill')
    }
    return {
      address: OTHER,
      folder: '',
      kafka: client(OTHER, 'suite'),
      client: id => client(OTHER, id),
      killAndRestart: async () => refuse(),
      stop: async () => {},
    }
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'embedded-kafka-'))
  let { child, address } = await spawnBroker('--data', folder, '--port', '0', ...args)
  return {
    address,
    folder,
    kafka: client(address, 'suite'),
    client: id => client(address, id),
    killAndRestart: async () => {
      await endProcess(child, 'SIGKILL')
      ;({ child } = await spawnBroker('--data', folder, '--port', address.split(':')[1]!, ...args))
    },
    stop: async () => {
      await endProcess(child, 'SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

let names = 0

/** A name no other test of any run has used. */
export const unique = (prefix: string): string => `${prefix}-${process.pid}-${Date.now().toString(36)}-${names++}`
