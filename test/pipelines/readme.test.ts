import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { words } from '../support/command_lines'
import { type Bench, connect, type Outcome, type RunningConnect, start, startBench } from '../support/connect'
import { inProcess } from '../support/in_process'
import { until } from '../support/until'

/**
 * Every command of the README is run: those of its blocks and those of its table of commands. One without a case fails. Two things
 * stand elsewhere: the demo takes 45 s and has a test of its own that runs its line, and cloning needs a network.
 */

const root = path.resolve(__dirname, '../..')
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')
const readme = read('README.md')
const lines = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(m => m[1].split('\n')).filter(l => l.trim() !== '')
const table = [...readme.matchAll(/^\| `connect (\w+)[^`]*` *\|(.*)\|$/gm)].map(m => m[1])

const EXAMPLE = 'config/examples/ec2-cpu.yaml'
const NAB = 'config/examples/nab.yaml'
/** Where embedded services are used, and where those of the environment are. */
let cwd: string
let elsewhere: string
let bench: Bench
/** `connect run` of the README with addresses from the environment; the commands that look at a worker look at it. */
let worker: RunningConnect | null = null
/** `connect dev`: so that not each command starts the services for itself. */
let services: RunningConnect | null = null

beforeAll(async () => {
  cwd = place()
  elsewhere = place()
  bench = await startBench()
})

/** The files are where the README says, and the data folder is not the clone's own. */
function place(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'olap-connect-readme-'))
  symlinkSync(path.join(root, 'config'), path.join(folder, 'config'))
  return folder
}

afterAll(async () => {
  for (const running of [worker, services]) running?.child.kill('SIGTERM')
  await Promise.all([worker?.ended, services?.ended])
  await bench?.stop()
  for (const folder of [cwd, elsewhere]) rmSync(folder, { recursive: true, force: true })
})

const run = (line: string, env: Readonly<Record<string, string>> = {}): Promise<Outcome> =>
  connect(words(line).slice(1), { cwd, env })
/** What opens no socket needs no process. */
const offline = (line: string): Promise<unknown> => inProcess(words(line).slice(1))
/** Beside the worker that runs with addresses from the environment. */
const beside = (line: string): Promise<Outcome> => connect(words(line).slice(1), { cwd: elsewhere, env: bench.env })
const endOf = ({ code, stderr }: Outcome) => ({ code, stderr: code === 0 ? '' : stderr.slice(-1_000) })
const WELL = { code: 0, stderr: '' }

/** What a shell says to it in the project's folder. */
const shell = (script: string, program = 'sh'): string =>
  execFileSync(program, ['-c', script], { cwd: root, encoding: 'utf8', timeout: 60_000 })

/** `npm ci` takes this package.json and lock file; it would replace the folder that the tests run in. */
let tried = false
function npmCi(): void {
  if (!tried) shell('npm ci --dry-run --ignore-scripts --no-audit --no-fund --offline')
  tried = true
}
const scriptOf = (name: string): string => (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts[name]
/** The line with these words is run by that test. */
const runBy = (file: string, line: string): void => expect(read(file)).toContain(line)

const DEMO = 'npm run --silent demo -- --for 45s --json'

/** In the order of the README, because what one leaves the next one looks at. */
const CASES: Readonly<Record<string, (line: string) => Promise<void> | void>> = {
  'npm ci && npm run demo': () => {
    npmCi()
    runBy('test/pipelines/demo.test.ts', DEMO)
  },
  'npm ci && npm test': () => {
    npmCi()
    // this is part of it
    expect(scriptOf('test')).toContain('test:services')
    expect(scriptOf('test:services')).toContain('pipelines')
  },
  'npm run demo -- --for 45s --json': () => runBy('test/pipelines/demo.test.ts', DEMO),
  'alias connect="node $PWD/dist/cli/main.js"': line =>
    expect(shell(`${line}\nconnect --version`).trim()).toBe((JSON.parse(read('package.json')) as { version: string }).version),
  [`connect validate ${EXAMPLE}`]: async line => {
    expect(await offline(line)).toMatchObject({ code: 0, err: '' })
  },
  [`connect run ${EXAMPLE} --embedded --for 30s`]: async line => {
    // until there are anomalies, for the next one to look at
    const running = start([...words(line.replace('30s', '80s')).slice(1), '--log-level', 'debug', '--log-format', 'json'], {
      cwd,
    })
    await running.says(/"event":"anomalies_written"/)
    running.child.kill('SIGTERM')
    expect(endOf(await running.ended)).toEqual(WELL)
  },
  [`connect tail ${EXAMPLE} ec2.anomalies --from beginning --limit 3`]: async line => {
    const outcome = await run(line)
    expect(outcome.code).toBe(0)
    const records = outcome.stdout.trim().split('\n')
    expect(records.length).toBeLessThanOrEqual(3)
    for (const record of records) expect(JSON.parse(record)).toHaveProperty('score')
    services = start(['dev'], { cwd })
    while (!services.stdout().includes('Ctrl-C')) await once(services.child.stdout as Readable, 'data')
  },
  [`connect sql ${EXAMPLE} "SELECT device, count(), round(avg(cpu), 1) FROM cpu GROUP BY device ORDER BY device"`]:
    async line => {
      const { code, stdout } = await run(line)
      expect([code, stdout.trim().split('\n').length]).toEqual([0, 21])
    },
  'connect run config/examples/tour.yaml --embedded --until-caught-up': async line => {
    expect(endOf(await run(line))).toEqual(WELL)
  },
  'connect sql config/examples/tour.yaml "SELECT * FROM readings ORDER BY id LIMIT 5"': async line => {
    const { stdout } = await run(line)
    const [columns, ...rows] = stdout
      .trim()
      .split('\n')
      .map(l => l.split('\t'))
    expect(columns).toEqual(expect.arrayContaining(['id', 'device', 'temperature', 'frost', 'fahrenheit']))
    expect(rows).toHaveLength(5)
  },
  // the clone is not made here: a folder with the same places stands in for it
  'git clone --depth 1 https://github.com/numenta/NAB && export NAB_DIR=$PWD/NAB/data': () => {
    const folder = path.join(cwd, 'NAB/data/realAWSCloudwatch')
    mkdirSync(folder, { recursive: true })
    const rows = Array.from({ length: 600 }, (_, i) => `${time(Date.UTC(2014, 1, 14) + i * 300_000)},${i % 7}`)
    writeFileSync(path.join(folder, 'ec2_cpu_utilization_1.csv'), `timestamp,value\n${rows.join('\n')}\n`)
  },
  [`connect run ${NAB} --embedded --until-caught-up`]: async line => {
    expect(await offline(`connect validate ${NAB}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining('C011_UNSET_VARIABLE'),
    })
    const env = { NAB_DIR: path.join(cwd, 'NAB/data') }
    expect(endOf(await run(line, env))).toEqual(WELL)
    const { stdout } = await run(`connect sql ${NAB} "SELECT count() FROM metrics"`, env)
    expect(stdout.trim().split('\n')[1]).toBe('600')
  },
  'export KAFKA_BROKERS=kafka-1:9092,kafka-2:9092 SCHEMA_REGISTRY_URL=http://registry:8081 CLICKHOUSE_URL=http://clickhouse:8123':
    line => {
      const names = words(line)
        .slice(1)
        .map(word => word.split('=')[0])
      for (const name of names) expect(bench.env).toHaveProperty(name)
    },
  [`connect run ${EXAMPLE}`]: async line => {
    worker = start(words(line).slice(1), { cwd: elsewhere, env: bench.env })
    const ended = worker.ended.then(outcome => {
      throw new Error(`it ended: ${outcome.stderr.slice(-1_000)}`)
    })
    ended.catch(() => {})
    const rows = async (): Promise<number> => {
      const [{ n }] = await bench.sql('SELECT count() AS n FROM ec2.cpu').catch(() => [{ n: 0 }])
      return Number(n)
    }
    await until(
      '100,000 rows',
      () => Promise.race([rows(), ended]),
      n => n >= 100_000,
    )
  },
}

const time = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')

test('there are commands', () => expect([lines.length > 5, table.length > 10]).toEqual([true, true]))

test('no case is left over', () => {
  expect(Object.keys(CASES).filter(c => !lines.includes(c))).toEqual([])
  expect(Object.keys(COMMANDS).filter(c => !table.includes(c))).toEqual([])
})

test.each(lines)('%s', async line => {
  const known = CASES[line]
  if (!known) throw new Error('no case runs this command: add one here')
  await known(line)
})

const says = async (line: string, text: string): Promise<void> =>
  expect(await offline(line)).toMatchObject({ code: 0, err: '', out: expect.stringContaining(text) })

/** The table of commands; with the options that it names. */
const COMMANDS: Readonly<Record<string, () => Promise<void>>> = {
  init: async () => {
    expect(endOf(await run('connect init --topic orders --out orders.yaml'))).toEqual(WELL)
    expect(endOf(await run('connect init --path NAB/data/realAWSCloudwatch/*.csv --out files.yaml'))).toEqual(WELL)
    const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL } = bench.env
    const addresses = `--brokers ${KAFKA_BROKERS} --registry ${SCHEMA_REGISTRY_URL}`
    expect(endOf(await run(`connect init --from-topic cpu_data --out cpu.yaml ${addresses}`))).toEqual(WELL)
    for (const file of ['orders', 'files', 'cpu'])
      expect(await offline(`connect validate ${cwd}/${file}.yaml`)).toMatchObject({ code: 0, err: '' })
  },
  validate: () => says(`connect validate config/examples/tour.yaml ${EXAMPLE}`, 'valid'),
  schema: async () => {
    await says('connect schema', '"$schema"')
    await says(`connect schema ${EXAMPLE}`, 'instance')
    await says(`connect schema ${EXAMPLE} simulate`, 'instance')
  },
  graph: () => says(`connect graph ${EXAMPLE} --format mermaid`, 'flowchart'),
  plugins: async () => {
    await says('connect plugins', 'clickhouse')
    await says('connect plugins novelty', 'warmup')
  },
  sql: async () => expect((await beside(`connect sql ${EXAMPLE} "SELECT 1 AS one"`)).stdout).toBe('one\n1\n'),
  tail: async () => {
    const { stdout } = await beside(`connect tail ${EXAMPLE} cpu_data --from beginning --limit 5 --key i-07`)
    expect(
      stdout
        .trim()
        .split('\n')
        .map(line => (JSON.parse(line) as { _key: string })._key),
    ).toEqual(Array(5).fill('i-07'))
  },
  status: async () =>
    expect(await beside('connect status')).toMatchObject({ code: 0, stdout: expect.stringContaining('ingest') }),
  top: async () =>
    expect(await beside('connect top --every 1s --count 1')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('ingest'),
    }),
  tap: async () => {
    const { stdout } = await beside('connect tap ingest.sink --limit 5 --mask region')
    const rows = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
    expect(rows).toHaveLength(5)
    for (const row of rows) expect([typeof row.cpu, row.region]).toEqual(['number', '***'])
  },
  completion: async () => {
    const script = `source <(node dist/cli/main.js completion bash); complete -p connect`
    expect(shell(script, 'bash')).toContain('connect')
  },
  dev: async () => {
    services?.child.kill('SIGTERM')
    expect(await services?.ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/^kafka +\d|^clickhouse +http/m) })
    services = null
  },
  run: async () => {
    worker?.child.kill('SIGTERM')
    const outcome = await worker?.ended
    worker = null
    expect(outcome && endOf(outcome)).toEqual(WELL)
  },
}

test.each([...table.filter(name => name !== 'run'), 'run'])('connect %s', async name => {
  const known = COMMANDS[name]
  if (!known) throw new Error('no case runs this command: add one here')
  await known()
})
