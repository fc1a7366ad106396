import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, refOf } from '../processes'
import { ServiceError } from '../service_main'
import { libraryPath, loadForeign } from './library'

/** Cold, the 540 MB library is read from disk first: about 4 s on a fast disk, far longer on a network drive. */
const READY_DEADLINE_MS = 120_000
const PROBE_MS = 20
/**
 * How long a stop waits for the engine. It ends in a few ms, but not before every idle client connection has timed out (30 s), and
 * those are not waited for: the data survives being cut off.
 */
const STOP_DEADLINE_MS = 1_000

/** The query that keeps the engine running; found and killed by this text when it should end. */
const KEEP_ALIVE =
  'SELECT sleepEachRow(1) FROM system.numbers SETTINGS max_block_size=1, function_sleep_max_microseconds_per_block=0 FORMAT Null'

/**
 * Settings that differ from the engine's own. A part is flushed to disk before its insert is acknowledged, which costs about 1 ms
 * an insert; without it a power cut (not a killed process) can lose acknowledged rows.
 */
const CONFIG = `<clickhouse>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
  </merge_tree>
</clickhouse>
`

export interface EngineOptions {
  /** Folder of the databases; made if it is missing. */
  readonly data: string
  readonly httpPort: number
  readonly tcpPort: number
}

export interface Engine {
  /** Settles when the engine has stopped, for whatever reason. */
  readonly ended: Promise<void>
  /** Asks the engine to end and gives it a moment; end the process with `exitNow` afterwards. */
  stop(): Promise<void>
}

/**
 * Starts ClickHouse on a thread of this process and returns once it answers.
 * @throws ServiceError when the package is missing, another process has the folder, or a port is taken
 */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const data = path.resolve(options.data)
  mkdirSync(data, { recursive: true })
  const config = path.join(data, 'embedded.xml')
  writeFileSync(config, CONFIG)
  let running = true
  const ended = runCommandLine([
    'clickhouse',
    `--config-file=${config}`,
    `--path=${data}`,
    `--http_port=${options.httpPort}`,
    `--tcp_port=${options.tcpPort}`,
    '--listen_host=127.0.0.1',
    '--multiquery',
    `--query=SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; ${KEEP_ALIVE}`,
  ]).then(() => {
    running = false
  })
  const url = `http://127.0.0.1:${options.httpPort}`
  const deadline = Date.now() + READY_DEADLINE_MS
  while (!(await answers(url, data))) {
    if (!running) throw whyEnded(data)
    if (Date.now() > deadline)
      throw new ServiceError(`ClickHouse did not answer at ${url} within ${READY_DEADLINE_MS / 1000} s`, 'see the messages above')
    await delay(PROBE_MS)
  }
  return { ended, stop: () => stopEngine(url, ended) }
}

/**
 * chdb_query_cmdline(argc, argv), which is what `clickhouse local` runs. It returns a handle with no error text in it: errors go to
 * standard error.
 */
async function runCommandLine(args: string[]): Promise<void> {
  const { open, load, DataType } = loadForeign()
  open({ library: 'chdb', path: libraryPath() })
  // The engine would otherwise take SIGTERM and SIGSEGV from Node.
  load({
    library: 'chdb',
    funcName: 'chdb_set_signal_handlers_enabled',
    retType: DataType.Void,
    paramsType: [DataType.I32],
    paramsValue: [0],
  })
  await load({
    library: 'chdb',
    funcName: 'chdb_query_cmdline',
    retType: DataType.External,
    paramsType: [DataType.I32, DataType.StringArray],
    paramsValue: [args.length, args],
    runInNewThread: true,
  })
}

/** True when the engine that has this folder answers: another server may have taken the port since it was found free. */
async function answers(url: string, data: string): Promise<boolean> {
  try {
    const ping = await fetch(`${url}/ping`, { signal: AbortSignal.timeout(1_000) })
    if ((await ping.text()) !== 'Ok.\n') return false
    const disk = await fetch(`${url}/?query=${encodeURIComponent("SELECT path FROM system.disks WHERE name = 'default'")}`)
    return path.resolve((await disk.text()).trim()) === data
  } catch {
    return false
  }
}

/** The engine tells its reason on standard error only; the likely ones are found again here. */
function whyEnded(data: string): ServiceError {
  const holder = lockHolder(data)
  if (holder !== undefined)
    return new ServiceError(
      `the ClickHouse folder ${data} is in use by process ${holder} (code 76: Cannot lock file)`,
      `use the ClickHouse that runs there, stop process ${holder}, or pass another --data`,
    )
  return new ServiceError('ClickHouse stopped while starting', `its reason stands above; the data is in ${data}`)
}

/** ClickHouse writes `PID: N` into the file `status` that it locks. */
function lockHolder(data: string): number | undefined {
  try {
    const pid = Number(/^PID: (\d+)/m.exec(readFileSync(path.join(data, 'status'), 'utf8'))?.[1])
    return Number.isInteger(pid) && pid !== process.pid && isAlive(refOf(pid)) ? pid : undefined
  } catch {
    return undefined
  }
}

async function stopEngine(url: string, ended: Promise<void>): Promise<void> {
  const deadline = AbortSignal.timeout(STOP_DEADLINE_MS)
  const kill = `KILL QUERY WHERE query = '${KEEP_ALIVE}' ASYNC`
  // An engine that no longer answers has ended or will be cut off by the deadline.
  await fetch(`${url}/`, { method: 'POST', body: kill, signal: deadline }).catch(() => undefined)
  await Promise.race([ended, new Promise<void>(resolve => deadline.addEventListener('abort', () => resolve(), { once: true }))])
}
