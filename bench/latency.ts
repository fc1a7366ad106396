import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { SERVICE_NAMES } from '../cli/services'
import { cpuSeconds, peakMiB } from './cpu'
import { registerReadings } from './latency_schema'
import { type BenchServices, withServices } from './services'

export interface LatencyOptions {
  readonly rate: number
  readonly seconds: number
  readonly partitions: number
  readonly devices: number
}

interface Quantiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export interface LatencyFigure {
  readonly name: string
  readonly events_per_s: number
  readonly anomalies: number
  /** Milliseconds from the watermark passing the window's end to the broker's time of the anomaly record. */
  readonly to_record_ms: Quantiles
  /** The same to its arrival at a reader with read_committed, that is after the end of its transaction. */
  readonly to_reader_ms: Quantiles
  /** Cores in use while records came. */
  readonly cores: Readonly<Record<string, number>>
  readonly worker_mb: number | null
}

const TOPIC = 'readings'
const ANOMALIES = 'anomalies'
const DELAY = 500
/** Anomalies of windows that end this long after the first record count: the worker has started, its code is compiled. */
const WARM_MS = 15_000
const ROOT = path.resolve(__dirname, '../..')

/**
 * The whole path at a steady rate: Kafka (Avro) -> ClickHouse -> windows of five seconds sliding by one -> `ewma` -> anomalies.
 * The watermark passes a window's end when the last partition is sent a record that is `delay` beyond it.
 */
export async function latency(
  options: LatencyOptions,
  print: (figure: LatencyFigure) => void,
  say: (text: string) => void,
): Promise<void> {
  await withServices(SERVICE_NAMES, async services => {
    const brokers = services.address('kafka')
    const registry = services.address('schema_registry')
    const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING })
    await createTopics(kafka, options.partitions)
    await registerReadings(registry, TOPIC)
    const reader = await readAnomalies(kafka)
    const children: ChildProcess[] = []
    try {
      const worker = start(['dist/cli/main.js', 'run', pipeline(services), ...runOptions(services.dir)])
      children.push(worker)
      await firstSession(worker)
      say(`${options.rate} events/s for ${options.seconds} s`)
      const figures = [options.partitions, options.rate, options.seconds, options.devices].map(String)
      const producer = start(['dist/bench/latency_producer.js', brokers, registry, TOPIC, ...figures])
      children.push(producer)
      const load = watch({
        worker: worker.pid,
        clickhouse: services.pid('clickhouse'),
        broker: services.pid('kafka'),
        producer: producer.pid,
      })
      const { records, ticks } = JSON.parse(await output(producer)) as { records: number; ticks: [number, number][] }
      const cores = load()
      const workerMb = peakMiB(worker.pid ?? 0)
      await new Promise(resolve => setTimeout(resolve, 3_000))
      worker.kill('SIGTERM')
      await ended(worker)
      print({
        name: 'latency',
        events_per_s: Math.round(records / options.seconds),
        ...latencies(reader.seen, ticks),
        cores,
        worker_mb: workerMb === null ? null : Math.round(workerMb),
      })
    } finally {
      for (const child of children) if (child.exitCode === null) child.kill('SIGKILL')
      await reader.close()
    }
  })
}

const runOptions = (dir: string): readonly string[] => [
  '--json',
  '--listen',
  'off',
  '--data',
  dir,
  '--log-level',
  process.env.BENCH_LOG ?? 'info',
]

/** Of an anomaly, in milliseconds: the end of its window, the broker's time of its first record, when that was read. */
interface Seen {
  readonly end: number
  readonly record: number
  readonly read: number
}

function latencies(seen: ReadonlyMap<string, Seen>, ticks: readonly [number, number][]) {
  const toRecord: number[] = []
  const toReader: number[] = []
  for (const { end, record, read } of seen.values()) {
    if (end < ticks[0][0] + WARM_MS) continue
    const passed = ticks.find(([upTo]) => upTo >= end + DELAY)
    if (!passed) continue
    toRecord.push(record - passed[1])
    toReader.push(read - passed[1])
  }
  if (toRecord.length === 0) throw new Error('no anomalies: it measures nothing')
  return { anomalies: toRecord.length, to_record_ms: quantiles(toRecord), to_reader_ms: quantiles(toReader) }
}

function quantiles(values: readonly number[]): Quantiles {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

function pipeline(services: BenchServices): string {
  const file = path.join(services.dir, 'bench.yaml')
  const columns = { n: 'count()', mean: 'avg(cpu)', low: 'min(cpu)', high: 'max(cpu)' }
  const score = {
    type: 'score',
    detectors: {
      level: { type: 'ewma', features: ['mean'], warmup: 8 },
      // says the same of every burst, whatever was learned before
      limit: { type: 'threshold', if: 'high > 80.0', features: ['high'] },
    },
    threshold: 4,
  }
  const spec = {
    name: 'bench',
    connections: {
      kafka: { brokers: services.address('kafka'), schema_registry: services.address('schema_registry') },
      clickhouse: { url: services.address('clickhouse'), database: 'bench' },
    },
    flows: {
      ingest: {
        source: { type: 'kafka', topics: [TOPIC], value: 'avro' },
        sink: { type: 'clickhouse', table: 'readings', time: 'ts', order_by: ['device', 'ts'] },
      },
      detect: { source: { type: 'view', view: 'w' }, transforms: [score], sink: { type: 'kafka', topic: ANOMALIES } },
    },
    views: {
      w: { from: 'readings', size: '5s', slide: '1s', keys: ['device'], columns, delay: `${DELAY}ms`, lateness: '2s' },
    },
  }
  // JSON is YAML
  writeFileSync(file, JSON.stringify(spec))
  return file
}

async function createTopics(kafka: Kafka, partitions: number): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({
    topics: [
      { topic: TOPIC, numPartitions: partitions },
      // the record's time is then the broker's clock when it was written, not the window's
      { topic: ANOMALIES, numPartitions: 1, configEntries: [{ name: 'message.timestamp.type', value: 'LogAppendTime' }] },
    ],
  })
  await admin.disconnect()
}

/** Reads them as they come, by their ids. */
async function readAnomalies(kafka: Kafka): Promise<{ readonly seen: ReadonlyMap<string, Seen>; close(): Promise<void> }> {
  const seen = new Map<string, Seen>()
  const consumer = kafka.consumer({ groupId: 'bench', readUncommitted: false, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic: ANOMALIES, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message }) => {
      const id = message.key?.toString() ?? ''
      if (!seen.has(id)) seen.set(id, { end: Number(id.split('|').at(-1)), record: Number(message.timestamp), read: Date.now() })
    },
  })
  return { seen, close: () => consumer.disconnect() }
}

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: ROOT })
}

/** Resolves when the worker reads its topic. */
function firstSession(worker: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = ''
    worker.on('exit', () => reject(new Error(`the worker ended: ${log}`)))
    worker.stderr?.on('data', (data: Buffer) => {
      if (process.env.BENCH_LOG) process.stderr.write(data)
      log = (log + data.toString()).slice(-20_000)
      if (/ingest: session /.test(log)) resolve()
    })
  })
}

async function output(child: ChildProcess): Promise<string> {
  let text = ''
  child.stdout?.on('data', (data: Buffer) => {
    text += data.toString()
  })
  child.stderr?.pipe(process.stderr)
  await ended(child)
  return text
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null) await new Promise(resolve => child.once('exit', resolve))
  if (child.exitCode !== 0) throw new Error(`${child.spawnargs[1]} ended with ${child.exitCode ?? child.signalCode}`)
}

/** Samples what processes use; the result stops it and gives cores per process. */
function watch(pids: Readonly<Record<string, number | undefined>>): () => Record<string, number> {
  const used = (): Map<string, number> => new Map(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid ?? 0) ?? 0]))
  const [first, started] = [used(), performance.now()]
  let last = first
  let at = started
  const timer = setInterval(() => {
    const now = used()
    if ([...now.values()].includes(0)) return
    last = now
    at = performance.now()
  }, 200)
  return () => {
    clearInterval(timer)
    const seconds = (at - started) / 1000
    return Object.fromEntries(
      [...last].map(([name, cpu]) => [name, Number(((cpu - (first.get(name) ?? 0)) / seconds).toFixed(2))]),
    )
  }
}
