import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { SERVICE_NAMES } from '../cli/services'
import type { Store } from '../runtime/store'
import { createStore } from '../sql/client'
import { cpuSeconds, watchProcess } from './cpu'
import { registerSchema } from './registry'
import { type BenchServices, withServices } from './services'
import { produce, SCHEMA, type Truth } from './truth'

export interface EndToEndOptions {
  readonly rows: number
  readonly partitions: number
  /** How often each contender runs, in turns, each time into a new table; odd. */
  readonly runs: number
  readonly only?: string
}

/** Medians of the runs; CPU in microseconds a row. */
export interface Figure {
  readonly name: string
  readonly rows: number
  readonly rows_per_s: number
  readonly us_per_row: { readonly worker: number | null; readonly clickhouse: number; readonly broker: number }
  readonly startup_cpu_s: number | null
  readonly rss_mb: number | null
  /** The worker's CPU in each run, in order: the first one finds a machine whose memory is cold. */
  readonly worker_runs: readonly (number | null)[]
}

type Run = Omit<Figure, 'worker_runs'>

const TOPIC = 'metrics'
const DATABASE = 'bench'
const COLUMNS =
  "id Int64, device String, ts DateTime64(3, 'UTC'), cpu Float64, mem Float64, status Int32, region String, note Nullable(String)"

/** Runs all contenders over the same topic in one run, checks each table, and calls `print` with each figure. */
export async function endToEnd(
  options: EndToEndOptions,
  print: (figure: Figure) => void,
  say: (text: string) => void,
): Promise<void> {
  await withServices(SERVICE_NAMES, async services => {
    const store = createStore({
      url: services.address('clickhouse'),
      database: 'default',
      username: 'default',
      password: '',
      request_timeout: 600_000,
    })
    try {
      await store.command(`CREATE DATABASE IF NOT EXISTS ${DATABASE}`)
      const schemaId = await registerSchema(services.address('schema_registry'), TOPIC, SCHEMA)
      say(`producing ${options.rows} records into ${options.partitions} partitions`)
      const truth = await produce(services.address('kafka'), TOPIC, options.partitions, options.rows, schemaId)
      const all: readonly Contender[] = [ours(services), handwritten(services, store), kafkaEngine(services, store)]
      const contenders = all.filter(c => options.only === undefined || c.name === options.only)
      const found = new Map<string, Run[]>(contenders.map(c => [c.name, []]))
      for (let turn = 0; turn < options.runs; turn++) {
        for (const contender of contenders) {
          say(`running ${contender.name}, ${turn + 1} of ${options.runs}`)
          found.get(contender.name)?.push(await measure(contender, turn, services, store, truth))
        }
      }
      for (const runs of found.values()) print(middle(runs))
    } finally {
      await store.close()
    }
  })
}

/** Per figure the median of the runs. */
function middle(runs: readonly Run[]): Figure {
  const median = (of: (run: Run) => number): number => {
    const sorted = runs.map(of).sort((a, b) => a - b)
    return sorted[Math.floor(sorted.length / 2)]
  }
  const orNull = (of: (run: Run) => number | null): number | null =>
    of(runs[0]) === null ? null : median(run => of(run) ?? Number.NaN)
  return {
    name: runs[0].name,
    rows: runs[0].rows,
    rows_per_s: median(r => r.rows_per_s),
    us_per_row: {
      worker: orNull(r => r.us_per_row.worker),
      clickhouse: median(r => r.us_per_row.clickhouse),
      broker: median(r => r.us_per_row.broker),
    },
    startup_cpu_s: orNull(r => r.startup_cpu_s),
    rss_mb: orNull(r => r.rss_mb),
    worker_runs: runs.map(r => r.us_per_row.worker),
  }
}

interface Contender {
  readonly name: string
  /** Start of its tables' names; the number of the turn follows. */
  readonly table: string
  /**
   * Starts reading; `rows` 0: nothing is left to read, only to start and stop. Resolves with what its own process used. Each turn
   * begins at the start of the topic.
   */
  run(rows: number, turn: number): Promise<{ readonly cpu: number; readonly rss: number } | null>
}

async function measure(contender: Contender, turn: number, services: BenchServices, store: Store, truth: Truth): Promise<Run> {
  const pids = { clickhouse: services.pid('clickhouse'), broker: services.pid('kafka') }
  const before = { clickhouse: cpuSeconds(pids.clickhouse) ?? 0, broker: cpuSeconds(pids.broker) ?? 0 }
  const started = performance.now()
  const worker = await contender.run(truth.rows, turn)
  const seconds = (performance.now() - started) / 1000
  const used = {
    clickhouse: (cpuSeconds(pids.clickhouse) ?? 0) - before.clickhouse,
    broker: (cpuSeconds(pids.broker) ?? 0) - before.broker,
  }
  await check(`${contender.table}${turn}`, store, truth)
  const idle = worker ? await contender.run(0, turn) : null
  // its merges would count for whoever comes next
  await store.command(`DROP TABLE ${DATABASE}.${contender.table}${turn} SYNC`)
  const perRow = (s: number): number => Math.round((s / truth.rows) * 1e9) / 1000
  return {
    name: contender.name,
    rows: truth.rows,
    rows_per_s: Math.round(truth.rows / seconds),
    us_per_row: {
      worker: worker && idle ? perRow(worker.cpu - idle.cpu) : null,
      clickhouse: perRow(used.clickhouse),
      broker: perRow(used.broker),
    },
    startup_cpu_s: idle?.cpu ?? null,
    rss_mb: worker ? Math.round(worker.rss) : null,
  }
}

async function check(table: string, store: Store, truth: Truth): Promise<void> {
  const [row] = await store.query(
    `SELECT count() AS rows, uniqExact(id) AS ids, sum(cpu) AS cpu, sum(status) AS status, countIf(note IS NOT NULL) AS notes FROM ${DATABASE}.${table}`,
  )
  const found = { rows: Number(row.rows), ids: Number(row.ids), status: Number(row.status), notes: Number(row.notes) }
  const expected = { rows: truth.rows, ids: truth.rows, status: truth.status, notes: truth.notes }
  const close = Math.abs(Number(row.cpu) - truth.cpu) <= 1e-9 * truth.cpu
  if (JSON.stringify(found) !== JSON.stringify(expected) || !close) {
    throw new Error(`${table} shows ${JSON.stringify(row)}, expected ${JSON.stringify({ ...expected, cpu: truth.cpu })}`)
  }
}

function ours(services: BenchServices): Contender {
  const { dir } = services
  const pipeline = (turn: number): object => ({
    name: `bench${turn}`,
    connections: {
      kafka: { brokers: services.address('kafka'), schema_registry: services.address('schema_registry') },
      clickhouse: { url: services.address('clickhouse'), database: DATABASE },
    },
    flows: {
      ingest: {
        source: { type: 'kafka', topics: [TOPIC], value: 'avro' },
        sink: { type: 'clickhouse', table: `ours${turn}`, time: 'ts', order_by: ['device', 'ts'] },
      },
    },
  })
  return {
    name: 'olap-connect',
    table: 'ours',
    run(_rows, turn) {
      const file = path.join(dir, `bench${turn}.yaml`)
      // JSON is YAML
      writeFileSync(file, JSON.stringify(pipeline(turn)))
      return child([
        'dist/cli/main.js',
        'run',
        file,
        '--until-caught-up',
        '--json',
        '--listen',
        'off',
        '--log-level',
        'warn',
        '--data',
        dir,
      ])
    },
  }
}

function handwritten(services: BenchServices, store: Store): Contender {
  return {
    name: 'kafkajs + avsc + JSONEachRow',
    table: 'handwritten',
    async run(rows, turn) {
      await store.command(
        `CREATE TABLE IF NOT EXISTS ${DATABASE}.handwritten${turn} (${COLUMNS}) ENGINE = MergeTree ORDER BY (device, ts)`,
      )
      const args = [
        services.address('kafka'),
        TOPIC,
        `handwritten${turn}`,
        services.address('clickhouse'),
        `${DATABASE}.handwritten${turn}`,
        String(rows),
      ]
      return child(['dist/bench/baselines/handwritten.js', ...args])
    },
  }
}

function kafkaEngine(services: BenchServices, store: Store): Contender {
  return {
    name: "ClickHouse's Kafka engine",
    table: 'engine',
    async run(rows, turn) {
      const table = `${DATABASE}.engine${turn}`
      await store.command(`CREATE TABLE ${table} (${COLUMNS}) ENGINE = MergeTree ORDER BY (device, ts)`)
      await store.command(
        `CREATE TABLE ${DATABASE}.queue (${COLUMNS}) ENGINE = Kafka SETTINGS kafka_broker_list = '${services.address('kafka')}', kafka_topic_list = '${TOPIC}', kafka_group_name = 'engine${turn}', kafka_format = 'AvroConfluent', format_avro_schema_registry_url = '${services.address('schema_registry')}', kafka_max_block_size = 65536, kafka_flush_interval_ms = 500`,
      )
      await store.command(`CREATE MATERIALIZED VIEW ${DATABASE}.carry TO ${table} AS SELECT * FROM ${DATABASE}.queue`)
      const deadline = performance.now() + 600_000
      for (let count = 0; count < rows; ) {
        if (performance.now() > deadline) throw new Error(`the Kafka engine read ${count} of ${rows} rows in ten minutes`)
        await new Promise(resolve => setTimeout(resolve, 50))
        const [row] = await store.query(`SELECT count() AS n FROM ${table}`)
        count = Number(row.n)
      }
      await store.command(`DROP TABLE ${DATABASE}.carry SYNC`)
      await store.command(`DROP TABLE ${DATABASE}.queue SYNC`)
      return null
    },
  }
}

async function child(args: readonly string[]): Promise<{ readonly cpu: number; readonly rss: number }> {
  const process_: ChildProcess = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    cwd: path.resolve(__dirname, '../..'),
  })
  const watch = watchProcess(process_.pid ?? 0)
  const code = await new Promise<number | null>((resolve, reject) => {
    process_.on('error', reject)
    process_.on('exit', resolve)
  })
  watch.stop()
  if (code !== 0) throw new Error(`${args.slice(0, 3).join(' ')} ended with ${code}`)
  return { cpu: watch.cpu, rss: watch.rss }
}
