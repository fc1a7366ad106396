import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type RunningServices, SERVICE_NAMES, startServices } from '../cli/services'
import type { Store } from '../runtime/store'
import { createStore } from '../sql/client'
import { cpuSeconds, watchProcess } from './cpu'
import { produce, register, type Truth } from './truth'

export interface EndToEndOptions {
  readonly rows: number
  readonly partitions: number
  readonly only?: string
}

export interface Figure {
  readonly name: string
  readonly rows: number
  readonly rows_per_s: number
  readonly us_per_row: { readonly worker: number | null; readonly clickhouse: number; readonly broker: number }
  readonly startup_cpu_s: number | null
  readonly rss_mb: number | null
}

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
  const dir = mkdtempSync(path.join(tmpdir(), 'connect-bench-'))
  const services = await startServices({
    data: dir,
    need: new Set(SERVICE_NAMES),
    ports: { kafka: 0, clickhouse: 0, schema_registry: 0 },
  })
  const store = createStore({
    url: address(services, 'clickhouse'),
    database: 'default',
    username: 'default',
    password: '',
    request_timeout: 600_000,
  })
  try {
    await store.command(`CREATE DATABASE IF NOT EXISTS ${DATABASE}`)
    const schemaId = await register(address(services, 'schema_registry'), TOPIC)
    say(`producing ${options.rows} records into ${options.partitions} partitions`)
    const truth = await produce(address(services, 'kafka'), TOPIC, options.partitions, options.rows, schemaId)
    const contenders: readonly Contender[] = [ours(dir, services), handwritten(services, store), kafkaEngine(services, store)]
    for (const contender of contenders) {
      if (options.only !== undefined && contender.name !== options.only) continue
      say(`running ${contender.name}`)
      print(await measure(contender, services, store, truth))
    }
  } finally {
    await store.close()
    await services.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

interface Contender {
  readonly name: string
  readonly table: string
  /** Starts reading; `rows` 0: nothing is left to read, only to start and stop. Resolves with what its own process used. */
  run(rows: number): Promise<{ readonly cpu: number; readonly rss: number } | null>
}

async function measure(contender: Contender, services: RunningServices, store: Store, truth: Truth): Promise<Figure> {
  const pids = { clickhouse: services.pids.clickhouse ?? 0, broker: services.pids.kafka ?? 0 }
  const before = { clickhouse: cpuSeconds(pids.clickhouse) ?? 0, broker: cpuSeconds(pids.broker) ?? 0 }
  const started = performance.now()
  const worker = await contender.run(truth.rows)
  const seconds = (performance.now() - started) / 1000
  const used = {
    clickhouse: (cpuSeconds(pids.clickhouse) ?? 0) - before.clickhouse,
    broker: (cpuSeconds(pids.broker) ?? 0) - before.broker,
  }
  await check(contender, store, truth)
  const idle = worker ? await contender.run(0) : null
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

async function check({ name, table }: Contender, store: Store, truth: Truth): Promise<void> {
  const [row] = await store.query(
    `SELECT count() AS rows, uniqExact(id) AS ids, sum(cpu) AS cpu, sum(status) AS status, countIf(note IS NOT NULL) AS notes FROM ${DATABASE}.${table}`,
  )
  const found = { rows: Number(row.rows), ids: Number(row.ids), status: Number(row.status), notes: Number(row.notes) }
  const expected = { rows: truth.rows, ids: truth.rows, status: truth.status, notes: truth.notes }
  const close = Math.abs(Number(row.cpu) - truth.cpu) <= 1e-9 * truth.cpu
  if (JSON.stringify(found) !== JSON.stringify(expected) || !close) {
    throw new Error(
      `${name}: the table shows ${JSON.stringify(row)}, expected ${JSON.stringify({ ...expected, cpu: truth.cpu })}`,
    )
  }
}

function ours(dir: string, services: RunningServices): Contender {
  const file = path.join(dir, 'bench.yaml')
  const pipeline = {
    name: 'bench',
    connections: {
      kafka: { brokers: address(services, 'kafka'), schema_registry: address(services, 'schema_registry') },
      clickhouse: { url: address(services, 'clickhouse'), database: DATABASE },
    },
    flows: {
      ingest: {
        source: { type: 'kafka', topics: [TOPIC], value: 'avro' },
        sink: { type: 'clickhouse', table: 'ours', time: 'ts', order_by: ['device', 'ts'] },
      },
    },
  }
  // JSON is YAML
  writeFileSync(file, JSON.stringify(pipeline))
  return {
    name: 'olap-connect',
    table: 'ours',
    run: () =>
      child([
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
      ]),
  }
}

function handwritten(services: RunningServices, store: Store): Contender {
  return {
    name: 'kafkajs + avsc + JSONEachRow',
    table: 'handwritten',
    async run(rows) {
      await store.command(
        `CREATE TABLE IF NOT EXISTS ${DATABASE}.handwritten (${COLUMNS}) ENGINE = MergeTree ORDER BY (device, ts)`,
      )
      const args = [
        address(services, 'kafka'),
        TOPIC,
        'handwritten',
        address(services, 'clickhouse'),
        `${DATABASE}.handwritten`,
        String(rows),
      ]
      return child(['dist/bench/baselines/handwritten.js', ...args])
    },
  }
}

function kafkaEngine(services: RunningServices, store: Store): Contender {
  return {
    name: "ClickHouse's Kafka engine",
    table: 'engine',
    async run(rows) {
      await store.command(`CREATE TABLE ${DATABASE}.engine (${COLUMNS}) ENGINE = MergeTree ORDER BY (device, ts)`)
      await store.command(
        `CREATE TABLE ${DATABASE}.queue (${COLUMNS}) ENGINE = Kafka SETTINGS kafka_broker_list = '${address(services, 'kafka')}', kafka_topic_list = '${TOPIC}', kafka_group_name = 'engine', kafka_format = 'AvroConfluent', format_avro_schema_registry_url = '${address(services, 'schema_registry')}', kafka_max_block_size = 65536, kafka_flush_interval_ms = 500`,
      )
      await store.command(`CREATE MATERIALIZED VIEW ${DATABASE}.carry TO ${DATABASE}.engine AS SELECT * FROM ${DATABASE}.queue`)
      const deadline = performance.now() + 600_000
      for (let count = 0; count < rows; ) {
        if (performance.now() > deadline) throw new Error(`the Kafka engine read ${count} of ${rows} rows in ten minutes`)
        await new Promise(resolve => setTimeout(resolve, 50))
        const [row] = await store.query(`SELECT count() AS n FROM ${DATABASE}.engine`)
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

function address(services: RunningServices, name: (typeof SERVICE_NAMES)[number]): string {
  const found = services.addresses[name]
  if (found === undefined) throw new Error(`no ${name}`)
  return found
}
