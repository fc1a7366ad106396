import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import type { Kafka, KafkaMessage } from 'kafkajs'
import type { Envelope } from '../../cli/envelope'
import { envelopeSchema } from '../../cli/envelope_schema'
import { type RunResult, runResultSchema } from '../../cli/run_result'
import { otherClient } from './kafka'
import { type Service, startClickHouse, startKafka, startRegistry } from './services'

/**
 * The product as its users have it: `connect` as a process of its own against services of its own, looked at from outside by
 * clients that are not ours (kafkajs, the registry's client, HTTP).
 */

const MAIN = path.resolve(__dirname, '../../dist/cli/main.js')
/** Above what any command here needs, also on a busy machine: what takes longer hangs. */
const DEADLINE_MS = 90_000

export interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningConnect {
  readonly child: ChildProcess
  /** Resolves when the process has ended; rejects, and kills it, after the deadline. */
  readonly ended: Promise<Outcome>
  /** Everything written to stderr so far. */
  stderr(): string
  stdout(): string
  /** Resolves once stderr matches; rejects if the process ends before. */
  says(pattern: RegExp): Promise<RegExpExecArray>
}

export interface ConnectOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Starts a command. */
export function start(args: readonly string[], options: ConnectOptions = {}): RunningConnect {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run \`npm run build\` first`)
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd ?? process.cwd(),
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = { stdout: '', stderr: '' }
  const listeners = new Set<() => void>()
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8')
    child[stream].on('data', (chunk: string) => {
      text[stream] += chunk
      for (const listener of listeners) listener()
    })
  }
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, DEADLINE_MS)
  const ended = once(child, 'close').then(([code, signal]) => {
    clearTimeout(timer)
    for (const listener of listeners) listener()
    if (late) throw new Error(`connect ${args.join(' ')} did not end in ${DEADLINE_MS / 1000} s:\n${text.stderr.slice(-4_000)}`)
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, ...text }
  })
  ended.catch(() => {})
  const says = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(text.stderr)
        if (!match && child.exitCode === null && child.signalCode === null) return
        listeners.delete(look)
        if (match) resolve(match)
        else reject(new Error(`it ended without saying ${pattern}:\n${text.stderr.slice(-4_000)}`))
      }
      listeners.add(look)
      look()
    })
  return { child, ended, says, stderr: () => text.stderr, stdout: () => text.stdout }
}

/** Runs a command to its end. */
export const connect = (args: readonly string[], options: ConnectOptions = {}): Promise<Outcome> => start(args, options).ended

/** The envelope on stdout, held against the committed schema. */
export const envelopeOf = (outcome: Outcome): Envelope => {
  try {
    return envelopeSchema.parse(JSON.parse(outcome.stdout))
  } catch (error) {
    throw new Error(`no envelope (exit code ${outcome.code}): ${outcome.stdout}\n${outcome.stderr.slice(-4_000)}`, {
      cause: error,
    })
  }
}

/** The result of a run, held against its committed schema. */
export const runResult = (outcome: Outcome): RunResult => {
  const { result } = envelopeOf(outcome)
  if (result === null) throw new Error(`the run gave no result (${outcome.code}): ${outcome.stdout}\n${outcome.stderr}`)
  return runResultSchema.parse(result)
}

/** The three services, and a folder for pipeline files; names are unique to this run, so that the services may be shared. */
export interface Bench {
  readonly kafka: Service
  readonly registry: Service
  readonly clickhouse: Service
  readonly folder: string
  readonly database: string
  /** A name that no other run has. */
  readonly unique: (name: string) => string
  /** The same in letters, digits and `_`, as tables and pipelines are called. */
  readonly identifier: (name: string) => string
  /** Variables that pipeline files of these tests refer to. */
  readonly env: Readonly<Record<string, string>>
  readonly client: Kafka
  readonly schemas: SchemaRegistry
  /** Writes a file into the folder; gives its path. */
  file(name: string, content: string | Buffer): string
  /** The same for a pipeline of that name with the connections and these flows, indented by two; gives its path. */
  pipeline(name: string, flows: string): string
  /** Runs `connect run FILE --until-caught-up --json` with the variables. */
  run(file: string, args?: readonly string[], env?: Readonly<Record<string, string>>): Promise<Outcome>
  startRun(file: string, args?: readonly string[], env?: Readonly<Record<string, string>>): RunningConnect
  /** Rows of a statement, 64-bit integers as text. `{db}` is the database. */
  sql(statement: string): Promise<readonly Record<string, unknown>[]>
  /** Runs a statement without an answer. */
  command(statement: string): Promise<void>
  /** Makes a topic and waits until it can be written. */
  createTopic(topic: string, partitions: number, config?: Readonly<Record<string, string>>): Promise<void>
  /** Registers the Avro schema of a topic's values; gives its id. */
  registerValues(topic: string, schema: object): Promise<number>
  /** The value of a record by the registry's own client. */
  decode(record: KafkaMessage): Promise<unknown>
  /** Every record of a topic as a read_committed consumer sees it, by partition and offset. */
  records(topic: string): Promise<readonly TopicRecord[]>
  /** End offset of each partition of a topic; none if there is no such topic. */
  endOffsets(topic: string): Promise<readonly string[]>
  stop(): Promise<void>
}

export type TopicRecord = KafkaMessage & { readonly partition: number }

/** The connections of every pipeline file here. */
export const CONNECTIONS = `connections:
  kafka:
    brokers: \${KAFKA_BROKERS}
    schema_registry: \${SCHEMA_REGISTRY_URL}
  clickhouse:
    url: \${CLICKHOUSE_URL}
    database: \${CLICKHOUSE_DATABASE}
`

export async function startBench(): Promise<Bench> {
  const services = await Promise.allSettled([startKafka(), startRegistry(), startClickHouse()])
  const failed = services.find(s => s.status === 'rejected')
  const running = services.flatMap(s => (s.status === 'fulfilled' ? [s.value] : []))
  if (failed) {
    await Promise.all(running.map(s => s.stop()))
    throw failed.reason
  }
  const [kafka, registry, clickhouse] = running
  const id = randomBytes(4).toString('hex')
  const folder = mkdtempSync(path.join(tmpdir(), 'olap-connect-pipelines-'))
  const database = `t_${id}`
  const env = {
    KAFKA_BROKERS: kafka.address,
    SCHEMA_REGISTRY_URL: registry.address,
    CLICKHOUSE_URL: clickhouse.address,
    CLICKHOUSE_DATABASE: database,
  }
  const client = otherClient(kafka.address)
  const schemas = new SchemaRegistry({ host: registry.address })
  const unique = (name: string): string => `${name}-${id}`
  const post = async (statement: string): Promise<string> => {
    const response = await fetch(
      `${clickhouse.address}/?output_format_json_quote_64bit_integers=1&output_format_json_quote_denormals=1`,
      {
        method: 'POST',
        body: statement.replaceAll('{db}', database),
      },
    )
    const text = await response.text()
    if (!response.ok) throw new Error(text)
    return text
  }
  await post('CREATE DATABASE IF NOT EXISTS {db}')
  const started = new Set<RunningConnect>()
  const startRun: Bench['startRun'] = (file, args = ['--until-caught-up'], more = {}) => {
    const data = path.join(folder, 'data')
    const run = start(['run', file, '--json', '--listen', '127.0.0.1:0', '--data', data, ...args], {
      env: { ...env, ...more },
      cwd: folder,
    })
    started.add(run)
    run.ended.finally(() => started.delete(run)).catch(() => {})
    return run
  }
  const file: Bench['file'] = (name, content) => {
    const file = path.join(folder, name)
    writeFileSync(file, content)
    return file
  }
  return {
    kafka,
    registry,
    clickhouse,
    folder,
    database,
    env,
    client,
    schemas,
    unique,
    identifier: name => unique(name).replace(/[^a-z0-9_]/gi, '_'),
    createTopic: (topic, partitions, config = {}) => createTopic(client, topic, partitions, config),
    registerValues: (topic, schema) => register(registry.address, `${topic}-value`, schema),
    decode: ({ value }) => schemas.decode(value ?? Buffer.alloc(0)),
    file,
    pipeline: (name, flows) => file(`${name}.yaml`, `name: ${unique(name)}\n${CONNECTIONS}\nflows:\n${flows}`),
    startRun,
    run: (file, args, more) => startRun(file, args, more).ended,
    async sql(statement) {
      const text = await post(`${statement} FORMAT JSONEachRow`)
      return text
        .split('\n')
        .filter(Boolean)
        .map(line => JSON.parse(line))
    },
    command: async statement => void (await post(statement)),
    records: topic => readAll(client, topic),
    endOffsets: topic => ends(client, topic),
    async stop() {
      for (const run of started) run.child.kill('SIGKILL')
      await Promise.allSettled([...started].map(run => run.ended))
      await post('DROP DATABASE IF EXISTS {db} SYNC').catch(() => {})
      await Promise.all(running.map(s => s.stop()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function createTopic(
  client: Kafka,
  topic: string,
  partitions: number,
  config: Readonly<Record<string, string>>,
): Promise<void> {
  const admin = client.admin()
  await admin.connect()
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }], waitForLeaders: true })
  await admin.disconnect()
}

async function register(registry: string, subject: string, schema: object): Promise<number> {
  const response = await fetch(`${registry}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: JSON.stringify(schema) }),
  })
  if (!response.ok) throw new Error(`registry: ${response.status} ${await response.text()}`)
  return ((await response.json()) as { id: number }).id
}

async function ends(client: Kafka, topic: string): Promise<readonly string[]> {
  const admin = client.admin()
  await admin.connect()
  try {
    if (!(await admin.listTopics()).includes(topic)) return []
    const offsets = await admin.fetchTopicOffsets(topic)
    return offsets.sort((a, b) => a.partition - b.partition).map(o => o.high)
  } finally {
    await admin.disconnect()
  }
}

/**
 * Reads to the end: a marker is produced behind everything (transaction markers take offsets, so that the last record's offset
 * says nothing) and left out of the answer.
 */
async function readAll(client: Kafka, topic: string): Promise<readonly TopicRecord[]> {
  const highs = (await ends(client, topic)).map(Number)
  const found: TopicRecord[] = []
  if (highs.length === 0) throw new Error(`there is no topic ${topic}`)
  if (highs.every(h => h === 0)) return found
  const marker = `marker-${randomBytes(8).toString('hex')}`
  const producer = client.producer({ createPartitioner: () => args => args.message.partition ?? 0 })
  await producer.connect()
  await producer.send({
    topic,
    messages: highs.map((_, partition) => ({ partition, key: marker, value: marker, timestamp: String(Date.now()) })),
  })
  await producer.disconnect()
  const consumer = client.consumer({ groupId: `reader-${marker}`, readUncommitted: false, maxWaitTimeInMs: 50 })
  const waiting = new Set(highs.keys())
  try {
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, e => reject(e.payload.error))
      consumer
        .run({
          eachMessage: async ({ partition, message }) => {
            if (message.key?.toString() === marker) waiting.delete(partition)
            else if (!message.key?.toString().startsWith('marker-')) found.push({ ...message, partition })
            if (waiting.size === 0) resolve()
          },
        })
        .catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return found.sort((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset))
}

/** Headers as text. */
export const headersOf = (record: KafkaMessage): Record<string, string> =>
  Object.fromEntries(Object.entries(record.headers ?? {}).map(([name, value]) => [name, String(value)]))
