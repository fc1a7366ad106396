import type { ViewSpec } from '../runtime/spec'
import type { WindowStore } from '../runtime/views/contracts'
import { type ClickHouseStore, createStore } from '../sql/client'
import { tableName } from '../sql/quote'
import { compileView } from '../sql/windows/compile'
import { createStatements } from '../sql/windows/ddl'
import { createWindowStore } from '../sql/windows/window_store'
import { cpuSeconds } from './cpu'
import { withServices } from './services'

export interface FinaliseOptions {
  /** Devices with records in every slide. */
  readonly keys: readonly number[]
}

export interface FinaliseFigure {
  readonly name: string
  readonly keys: number
  /** Rows of panes in one window as they lie there, not merged yet. */
  readonly pane_rows: number
  readonly wall_ms: Steps
  /** Of the ClickHouse server, all threads. */
  readonly cpu_ms: Steps
}

/** Medians over the windows closed. `look`: which panes have grown; `close`: the window's rows; `read`: the rows as a view source. */
interface Steps {
  readonly look: number
  readonly close: number
  readonly read: number
}

const SLIDE = 60_000
const SIZE = 5 * SLIDE
const LATENESS = 2 * SLIDE
const T0 = Date.UTC(2026, 0, 1)
const WINDOWS = 15
/** Inserts into each pane: it is closed while its parts are not merged yet. */
const INSERTS = 4
const { signal } = new AbortController()

const PLAIN = { n: 'count()', mean: 'avg(cpu)', low: 'min(cpu)', high: 'max(cpu)' }
const DIGEST = { n: 'count()', mean: 'avg(cpu)', peak: 'max(cpu)', p99: 'quantileTDigest(0.99)(cpu)' }

/**
 * One finalisation as the finaliser does it, at many keys: windows of five minutes sliding by one, four aggregates. Each window
 * is closed right after the last insert into it, fifteen in a row, and its rows are counted.
 */
export async function finalise(
  options: FinaliseOptions,
  print: (figure: FinaliseFigure) => void,
  say: (text: string) => void,
): Promise<void> {
  await withServices(['clickhouse'], async services => {
    const config = { url: services.address('clickhouse'), username: 'default', password: '', request_timeout: 600_000 }
    const root = createStore({ ...config, database: 'default' })
    try {
      for (const keys of options.keys) {
        for (const [name, columns] of [
          ['count, avg, min, max', PLAIN],
          ['count, avg, max, quantileTDigest', DIGEST],
        ] as const) {
          say(`${keys} keys, ${name}`)
          await root.command('DROP DATABASE IF EXISTS bench SYNC')
          await root.command('CREATE DATABASE bench')
          const store = createStore({ ...config, database: 'bench' })
          print({ name, keys, ...(await measure(store, keys, columns, services.pid('clickhouse'))) })
        }
      }
    } finally {
      await root.close()
    }
  })
}

async function measure(store: ClickHouseStore, keys: number, columns: ViewSpec['columns'], pid: number) {
  const view = await createView(store, columns)
  const windows = createWindowStore(view, store)
  const found: { wall: Steps; cpu: Steps }[] = []
  let paneRows = 0
  try {
    for (let n = 0; n < WINDOWS; n++) {
      for (let i = 0; i < INSERTS; i++) await insert(store, keys, T0 + n * SLIDE + (i * SLIDE) / INSERTS)
      const end = T0 + (n + 1) * SLIDE
      const { steps, rows, inWindow } = await close(windows, end, pid)
      if (rows !== keys) throw new Error(`the window has ${rows} rows instead of ${keys}`)
      // the first ones have fewer panes
      if (n * SLIDE < SIZE) continue
      paneRows = inWindow
      found.push(steps)
    }
  } finally {
    await windows.close()
  }
  const median = (of: (s: (typeof found)[number]) => number): number => {
    const sorted = found.map(of).sort((a, b) => a - b)
    return Math.round(sorted[sorted.length >> 1])
  }
  const medians = (of: 'wall' | 'cpu'): Steps => ({
    look: median(s => s[of].look),
    close: median(s => s[of].close),
    read: median(s => s[of].read),
  })
  return { pane_rows: paneRows, wall_ms: medians('wall'), cpu_ms: medians('cpu') }
}

async function close(windows: WindowStore, end: number, pid: number) {
  const wall = { look: 0, close: 0, read: 0 }
  const cpu = { look: 0, close: 0, read: 0 }
  const timed = async <T>(step: keyof Steps, run: () => Promise<T>): Promise<T> => {
    const [started, used] = [performance.now(), cpuSeconds(pid) ?? 0]
    const result = await run()
    wall[step] = performance.now() - started
    cpu[step] = ((cpuSeconds(pid) ?? 0) - used) * 1000
    return result
  }
  const totals = await timed('look', () => windows.paneTotals(end - LATENESS - SIZE, signal))
  await timed('close', () => windows.finalise([end], signal))
  const { rows } = await timed('read', () => windows.read([end], null, signal))
  const inWindow = totals.filter(t => t.pane >= end - SIZE).reduce((sum, t) => sum + t.rows, 0)
  return { steps: { wall, cpu }, rows, inWindow }
}

async function createView(store: ClickHouseStore, columns: ViewSpec['columns']) {
  const input = { database: store.database, table: 'cpu__in' }
  await store.command(
    `CREATE TABLE ${tableName(input)} (device String, ts DateTime64(3, 'UTC'), cpu Float64, _source LowCardinality(String), _partition Int32, _offset Int64, _behind Int64) ENGINE = Null`,
  )
  const spec: ViewSpec = {
    name: 'cpu_5m',
    connection: 'clickhouse',
    from: 'cpu',
    time: 'ts',
    window: { size: SIZE, slide: SLIDE, offset: 0 },
    keys: ['device'],
    where: null,
    columns,
    delay: 2_000,
    lateness: LATENESS,
    retain: null,
    panesRetain: 172_800_000,
    at: 'bench',
  }
  const view = await compileView(spec, input, store.database, store)
  for (const { statement } of createStatements(view, 'bench', tableName(input))) await store.command(statement)
  return view
}

/** Two records of every device within a quarter of a slide. */
const insert = (store: ClickHouseStore, keys: number, from: number): Promise<void> =>
  store.command(
    `INSERT INTO cpu__in SELECT concat('device-', leftPad(toString(number % ${keys}), 7, '0')), fromUnixTimestamp64Milli(toInt64(${from} + rand(1) % ${SLIDE / INSERTS}), 'UTC'),
       rand(2) / 4294967296 * 100, 'bench', number % 12, number, 0 FROM numbers(${2 * keys})`,
    {
      settings: {
        max_block_size: 2 * keys,
        max_insert_block_size: 2 * keys,
        min_insert_block_size_rows: 2 * keys,
        max_insert_threads: 1,
      },
    },
  )
