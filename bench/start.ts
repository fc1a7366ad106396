import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import path from 'node:path'
import { runMain } from './run_main'

/**
 * `npm run bench -- start`: from the start of `connect run` to the first rows in ClickHouse, everything embedded, services not running
 * before. The first start fills the page cache and is left out.
 */

const RUNS = 3
const MAIN = path.resolve(__dirname, '../cli/main.js')

const PIPELINE = `name: start
connections:
  kafka: {brokers: embedded, schema_registry: embedded}
  clickhouse: {url: embedded, database: start}
flows:
  make:
    source: {type: generate, rate: 1000/s, keys: {column: device, count: 5, prefix: d-}, fields: {v: {type: sequence}}}
    sink: {type: kafka, topic: started, key: [device], value: avro}
  ingest:
    source: {type: kafka, topics: [started], value: avro}
    sink: {type: clickhouse, table: started, time: ts, order_by: [device, ts]}
`

interface Start {
  /** Milliseconds from the start of the process. */
  readonly services_ms: number
  readonly flows_ms: number
  readonly first_row_ms: number
  /** Share of the machine's CPU that was in use meanwhile, 0 to 1; by others too. */
  readonly busy: number
}

async function main(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'connect-bench-start-'))
  const file = path.join(folder, 'start.yaml')
  writeFileSync(file, PIPELINE)
  try {
    await once(file, path.join(folder, 'first'))
    const starts: Start[] = []
    for (let i = 0; i < RUNS; i++) starts.push(await once(file, path.join(folder, `data-${i}`)))
    const best = Math.min(...starts.map(s => s.first_row_ms))
    process.stdout.write(`${JSON.stringify({ bench: 'start', best_first_row_ms: best, starts })}\n`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Reads the log of a run until its first batch is in ClickHouse, then stops it. */
function once(file: string, data: string): Promise<Start> {
  const started = performance.now()
  const before = cpuTimes()
  const args = [
    MAIN,
    'run',
    file,
    '--embedded',
    '--data',
    data,
    '--listen',
    '127.0.0.1:0',
    '--log-format',
    'json',
    '--log-level',
    'debug',
  ]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const at = (): number => Math.round(performance.now() - started)
  let services_ms = 0
  let flows_ms = 0
  let start: Start | null = null
  let rest = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = `${rest}${chunk}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('{')) continue
      const { event, flow, rows } = JSON.parse(line) as { event: string; flow?: string; rows?: number }
      if (event === 'service_started') services_ms = at()
      if (event === 'flow_started') flows_ms = at()
      if (event === 'batch_written' && flow === 'ingest' && (rows ?? 0) > 0 && start === null) {
        const after = cpuTimes()
        start = {
          services_ms,
          flows_ms,
          first_row_ms: at(),
          busy: Number((1 - (after.idle - before.idle) / (after.all - before.all)).toFixed(2)),
        }
        child.kill('SIGTERM')
      }
    }
  })
  return new Promise((resolve, reject) => {
    child.once('close', code => (start ? resolve(start) : reject(new Error(`connect ended with ${code} before its first row`))))
  })
}

/** Of all processors, in milliseconds. */
function cpuTimes(): { readonly idle: number; readonly all: number } {
  const times = cpus().map(c => c.times)
  const sum = (of: (t: (typeof times)[number]) => number): number => times.reduce((n, t) => n + of(t), 0)
  return { idle: sum(t => t.idle), all: sum(t => t.user + t.nice + t.sys + t.irq + t.idle) }
}

runMain(main)
