import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { envelopeSchema } from '../../cli/envelope_schema'
import { announceWorker } from '../../cli/workers'
import { withLock } from '../../embedded/lock'
import { words } from '../support/command_lines'
import { temporaryFolder } from '../support/temporary_folder'
import { until } from '../support/until'

/** What a newcomer sees first: the demo as it is started, and what it says to look at, tried. */

const root = path.resolve(__dirname, '../..')
const dataDir = path.join(temporaryFolder().path, 'data')
const HANGS_MS = 110_000

/** Runs a command line of ours in the project's folder. */
async function run(words: readonly string[], onErr: (text: string, child: ChildProcess) => void = () => {}) {
  const child = spawn(words[0] === 'node' ? process.execPath : words[0], words.slice(1), {
    cwd: root,
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  // npm has a child of its own: the whole group is ended
  const timer = setTimeout(() => child.pid && process.kill(-child.pid, 'SIGKILL'), HANGS_MS)
  const text = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8')
    child[stream].on('data', (chunk: string) => {
      text[stream] += chunk
      if (stream === 'stderr') onErr(text.stderr, child)
    })
  }
  const [code] = await once(child, 'close')
  clearTimeout(timer)
  return { code, ...text }
}

interface DemoResult {
  readonly since: string
  readonly first: {
    readonly seconds: number
    readonly text: string
    readonly fault: string
    readonly id: string
    readonly detector: string
    readonly key: Readonly<Record<string, string>>
  }
  readonly false_alarms: number
  readonly faults: Readonly<Record<string, { readonly injected: number; readonly detected: number; readonly pending: number }>>
  readonly rows_total: Readonly<Record<string, number>>
  readonly anomalies: { readonly raised: number; readonly views: object }
}

test('the demo finds faults that it injected, and what it says to look at is there', async () => {
  const looked = { commands: [] as { line: string; code: unknown; stdout: string; stderr: string }[], page: '' }
  let looking: Promise<void> | null = null
  const lookAround = async (stderr: string): Promise<void> => {
    const lines = stderr.split('\n').map(line => line.trim())
    const page = lines.find(line => /^http:\S+ +the page/.test(line))
    looked.page = page ? await (await fetch(page.split(' ')[0])).text() : ''
    for (const line of lines.filter(l => l.startsWith('node dist/cli/main.js '))) {
      looked.commands.push({ line, ...(await run(words(line))) })
    }
  }
  const demo = await run(
    // the line of the README, with a folder and a port of its own
    words(`npm run --silent demo -- --for 45s --json --data ${dataDir} --listen 127.0.0.1:0`),
    stderr => {
      if (looking === null && stderr.includes('Ctrl-C stops it')) looking = lookAround(stderr)
    },
  )
  expect({ code: demo.code, stderr: demo.code === 0 ? '' : demo.stderr }).toEqual({ code: 0, stderr: '' })
  expect(demo.stdout.trimEnd().split('\n')).toHaveLength(1)
  const envelope = envelopeSchema.parse(JSON.parse(demo.stdout))
  const { first, faults, rows_total, anomalies } = envelope.result as DemoResult
  expect(envelope).toMatchObject({ command: 'demo', ok: true, error: null })

  // told in a sentence on the screen, with what had been done
  expect(first.text).toMatch(/^\S+.* between \d\d:\d\d:\d\d and \d\d:\d\d:\d\d.*\.$/)
  expect(demo.stderr.replace(/\s+/g, ' ')).toContain(first.text)
  const counts = Object.values(faults)
  expect(Object.keys(faults)).toEqual(['leaking', 'corrupt', 'silent'])
  for (const { injected, detected, pending } of counts) expect(detected + pending).toBeLessThanOrEqual(injected)
  const sum = (of: 'injected' | 'detected' | 'pending') => counts.reduce((n, c) => n + c[of], 0)
  expect(sum('detected')).toBeGreaterThan(0)
  // nothing is missed that had the time to be seen
  expect(sum('detected') + sum('pending')).toBe(sum('injected'))
  expect(anomalies.raised).toBeGreaterThanOrEqual(1)
  // views of several pipelines may have the same name
  expect(Object.keys(anomalies.views)).toContainEqual(expect.stringMatching(/^device-fleet\/\w+$/))
  for (const name of ['device-fleet', 'ec2-cpu']) expect(rows_total[name]).toBeGreaterThan(100_000)
  expect(rows_total['this-machine']).toBeGreaterThan(0)

  // what to look at next, as it stands there
  await looking
  // the page is there as soon as the services are
  expect(demo.stderr.slice(0, demo.stderr.indexOf(' s  '))).toMatch(/^ {2}page +http:\S+$/m)
  expect(looked.page).toContain('<html')
  expect(looked.commands).toHaveLength(5)
  for (const { line, code, stdout, stderr } of looked.commands) {
    expect({ line, code, stderr, empty: stdout.trim() === '' }).toMatchObject({ line, code: 0, empty: false })
  }
  // and each shows the very anomaly that was told
  const [tail, anomaly, windows, fault] = looked.commands.map(c => c.stdout.trim().split('\n'))
  const [key] = Object.values(first.key)
  expect(JSON.parse(tail[0])).toMatchObject({ id: first.id, detector: first.detector, key: first.key })
  expect([anomaly.length, anomaly[1].split('\t').slice(2, 4)]).toEqual([2, [first.detector, JSON.stringify(first.key)]])
  expect(windows.length).toBeGreaterThan(2)
  expect([fault.length, fault[1].split('\t')[0]]).toEqual([2, first.fault])
  expect(fault[1]).toContain(key)
  expect(envelope.summary).toMatch(
    /^faults injected since \d\d:\d\d:\d\d, when this run began to watch: found \d of \d .*; false alarms: \d+/,
  )
})

test('one Ctrl-C that arrives twice, as under npm, ends it gracefully', async () => {
  let sent = 0
  const { code, stderr } = await run(
    ['node', 'scripts/demo.mjs', '--data', dataDir, '--listen', '127.0.0.1:0'],
    (text, child) => {
      if (sent === 0 && /^ {2}page /m.test(text)) for (; sent < 2; sent++) setTimeout(() => child.kill('SIGINT'), sent * 50)
    },
  )
  expect({ code, stderr: stderr.trimEnd() }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/faults\s+injected since(.|\n)*false\s+alarms: \d+$/),
  })
  // the next one is let in
  expect(existsSync(path.join(dataDir, 'demo.lock'))).toBe(false)
})

describe('Ctrl-C before anything runs ends it well', () => {
  const outcome = async (args: readonly string[], folder: string, onErr?: (text: string, child: ChildProcess) => void) => {
    const data = path.join(path.dirname(dataDir), folder)
    const { code, stdout, stderr } = await run(
      ['node', ...args, 'scripts/demo.mjs', '--json', '--data', data, '--listen', '127.0.0.1:0'],
      onErr,
    )
    expect(envelopeSchema.parse(JSON.parse(stdout))).toMatchObject({
      ok: true,
      summary: 'ended before anything ran',
      error: null,
    })
    expect({
      code,
      errors: /^(error|warn) .*/m.exec(stderr)?.[0] ?? null,
      lock: existsSync(path.join(data, 'demo.lock')),
    }).toEqual({
      code: 0,
      errors: null,
      lock: false,
    })
  }

  test('as soon as there is who listens to it', async () => {
    const atOnce = `process.on('newListener', function listens(name) {
      if (name !== 'SIGINT') return
      process.off('newListener', listens)
      queueMicrotask(() => process.kill(process.pid, 'SIGINT'))
    })`
    await outcome(['--import', `data:text/javascript,${encodeURIComponent(atOnce)}`], 'at-once')
  })

  test('with its first words', async () => {
    let sent = false
    await outcome([], 'first-words', (_, child) => {
      if (!sent) sent = child.kill('SIGINT')
    })
  })

  test('while the services are started', async () => {
    const data = path.join(path.dirname(dataDir), 'starting')
    let watched: Promise<void> | null = null
    await outcome([], 'starting', (_, child) => {
      watched ??= until(
        'a service is started',
        () => existsSync(path.join(data, 'services.json')),
        there => there || child.exitCode !== null,
      ).then(() => void child.kill('SIGINT'))
    })
    await watched
  })
})

/** Judged by itself: the demo's own count of what was found must be able to fail. */
test('a fault that no alert tells is not counted as found', async () => {
  const script = `
    import { judge } from ${JSON.stringify(path.join(root, 'scripts/demo/verdict.mjs'))}
    const fault = { fault: 'leaking-1', device: 'dev-1', site: 'lima', start: 100_000, end: 120_000 }
    const alert = { id: 'a', database: 'fleet', detector: 'volume', key: { device: 'dev-1' }, start: 100_000, end: 120_000, status: 'raised' }
    const of = (alerts, closed = 200_000, since = 50_000) => judge(alerts, [fault], { devices: closed, sites: closed }, since)
    console.log(JSON.stringify([
      of([alert]),
      of([]),
      of([], 110_000),
      of([{ ...alert, key: { device: 'dev-2' } }]),
      of([{ ...alert, detector: 'values' }]),
      of([{ ...alert, status: 'retracted' }]),
      of([{ ...alert, start: 160_000, end: 180_000 }]),
      of([{ ...alert, start: 10_000, end: 30_000 }]),
      of([alert], 200_000, 110_000),
      of([{ ...alert, start: 160_000, end: 180_000 }], 200_000, 110_000),
    ].map(({ faults, false_alarms }) => [...Object.values(faults.leaking), false_alarms])))`
  const { stdout, stderr } = await run(['node', '--input-type=module', '-e', script])
  // injected, detected, pending, false alarms
  expect([stderr, JSON.parse(stdout)]).toEqual([
    '',
    [
      [1, 1, 0, 0],
      [1, 0, 0, 0],
      [1, 0, 1, 0],
      [1, 0, 0, 1],
      [1, 0, 0, 1],
      [1, 0, 0, 0],
      [1, 0, 0, 1],
      // before it watched
      [1, 0, 0, 0],
      // of a fault that began before it watched: neither counted nor a false alarm
      [0, 0, 0, 0],
      [0, 0, 0, 1],
    ],
  ])
})

test('what is known about an anomaly is told in words that differ', async () => {
  const script = `
    import { counted, told } from ${JSON.stringify(path.join(root, 'scripts/demo/words.mjs'))}
    const fault = { fault: 'leaking-1', device: 'dev-01', site: 'lima', start: 100_000, end: 120_000 }
    const alert = { database: 'fleet', detector: 'volume', key: { device: 'dev-01' }, start: 100_000, end: 120_000 }
    const leak = { name: 'bytes_out', value: 612_000, expected: 80_000, lower: null, upper: 95_000 }
    const idle = { name: 'disk', value: 2_100_000, expected: 0, lower: null, upper: 0 }
    const count = (injected, detected, pending) => ({ injected, detected, pending })
    const texts = [
      told(alert, leak, fault, { since: 50_000 }),
      told(alert, leak, fault, { since: 110_000 }),
      told(alert, leak),
      told({ ...alert, database: 'machine', detector: 'traffic', key: {} }, idle),
      told({ ...alert, database: 'ec2', detector: 'shape' }, { name: 'peak', value: 83, expected: null, lower: null, upper: null }),
      told({ ...alert, database: 'machine', detector: 'core', key: { host: 'secret' } }, { name: 'core', value: 100, expected: null, lower: null, upper: null }, null, { how: 'still' }),
      told({ ...alert, detector: 'heard', key: { site: 'lima' } }, { name: 'devices', value: 8, expected: 9, lower: 8.7, upper: null }),
      counted({ since: new Date(0).toISOString(), faults: { leaking: count(2, 1, 1), silent: count(0, 0, 0) }, false_alarms: 3, first: null }),
      counted({ since: new Date(0).toISOString(), faults: { leaking: count(0, 0, 0) }, false_alarms: 0, first: null }),
    ]
    console.log(JSON.stringify(texts.map(t => t.replace(/\\d\\d:\\d\\d:\\d\\d/g, 'TIME'))))`
  const { stdout, stderr } = await run(['node', '--input-type=module', '-e', script])
  expect([stderr, JSON.parse(stdout)]).toEqual([
    '',
    [
      'FOUND        dev-01 sent 612 kB between TIME and TIME; usual is about 80 kB, up to 95 kB. Injected: dev-01 leaking from TIME on.',
      'FOUND        dev-01 sent 612 kB between TIME and TIME; usual is about 80 kB, up to 95 kB. Injected: dev-01 leaking from TIME on (not counted: injected before TIME).',
      'FALSE ALARM  dev-01 sent 612 kB between TIME and TIME; usual is about 80 kB, up to 95 kB. Nothing was done to it.',
      'UNUSUAL      This machine moved 2.1 MB a second to and from disk between TIME and TIME; usual is 0 bytes. This machine is real and nothing is injected into it, so this counts neither as found nor as false: the `top` of the system shows what it does.',
      'UNUSUAL      dev-01 had a CPU of 83 % (peak) between TIME and TIME; nothing before was like it.',
      'UNUSUAL      Still: a core of this machine was busy 100 % of the time between TIME and TIME; the rule is more than 90 %.',
      'FALSE ALARM  lima heard from 8 of its devices between TIME and TIME; usual is 9. Nothing was done to it.',
      'faults injected since TIME, when this run began to watch: found 1 of 1 leaking; 1 more had just begun; false alarms: 3',
      'faults injected since TIME, when this run began to watch: none whose windows are closed; false alarms: 0',
    ],
  ])
})

test('what the demo tells of the rules for this machine is what they say', async () => {
  const { flows } = parse(readFileSync(path.join(root, 'config/examples/this-machine.yaml'), 'utf8'))
  const { core, full } = flows.detect.transforms[0].detectors
  const script = `import { LIMITS } from ${JSON.stringify(path.join(root, 'scripts/demo/words.mjs'))}; console.log(JSON.stringify(LIMITS))`
  const limits = JSON.parse((await run(['node', '--input-type=module', '-e', script])).stdout)
  expect([core.if, full.if]).toEqual([`core > ${limits.core}.0`, `memory > ${limits.full}.0`])
})

test('what is unusual is told once, again when it had stopped, and rarely while it goes on', async () => {
  const script = `
    import { Repeats } from ${JSON.stringify(path.join(root, 'scripts/demo/repeats.mjs'))}
    const repeats = new Repeats()
    const at = (end, more) => repeats.note({ database: 'machine', detector: 'core', key: { host: 'a' }, start: (end - 10) * 1000, end: end * 1000, status: 'raised', ...more })
    const busy = []
    // every minute, as its refractory period lets it through, and suppressed between
    for (let t = 0; t <= 600; t += 5) busy.push(at(t, { status: t % 60 === 0 ? 'raised' : 'suppressed' }))
    console.log(JSON.stringify([
      busy.map((how, i) => [i * 5, how]).filter(([, how]) => how),
      at(600),
      at(660),
      at(740),
      at(745, { key: { host: 'b' } }),
      at(745, { detector: 'full' }),
      // it had stopped, also if the first that showed it again was suppressed
      at(900, { status: 'suppressed' }),
      at(905),
    ]))`
  const { stdout, stderr } = await run(['node', '--input-type=module', '-e', script])
  expect([stderr, JSON.parse(stdout)]).toEqual([
    '',
    [
      [
        [0, 'new'],
        [300, 'still'],
        [600, 'still'],
      ],
      null,
      null,
      'again',
      'new',
      'new',
      null,
      'again',
    ],
  ])
})

test('sentences are cut between words, and go on indented', async () => {
  const script = `
    import { wrap } from ${JSON.stringify(path.join(root, 'scripts/demo/wrap.mjs'))}
    console.log(JSON.stringify([wrap('  5 s  one two three four', 16, 4), wrap('a\\n\\n  ' + 'x'.repeat(20) + ' b\\n', 10, 2)]))`
  const { stdout, stderr } = await run(['node', '--input-type=module', '-e', script])
  expect([stderr, JSON.parse(stdout)]).toEqual(['', ['  5 s  one two\n    three four', `a\n\n  ${'x'.repeat(20)}\n  b\n`]])
})

const demo = (...options: string[]) => run(['node', 'scripts/demo.mjs', ...options])

test('what is wrong with its options is said, before anything starts', async () => {
  const { stdout: usage, ...help } = await demo('--help')
  expect({ usage, ...help }).toEqual({ code: 0, stderr: '', usage: expect.stringContaining('--for DURATION') })
  const soon = await demo('--for', 'soon')
  expect(soon).toEqual({ code: 2, stdout: '', stderr: '--for soon: expected a duration such as 45s or 5m\n' })
  const slip = await demo('--fro', '45s')
  expect(slip).toEqual({
    code: 2,
    stdout: '',
    stderr: `--fro: there is no such option; did you mean --for?\n\n${usage}`,
  })
  const missing = await demo('--json', '--for')
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringMatching(/^--for: a value is missing\n/) })
  expect(envelopeSchema.parse(JSON.parse(missing.stdout))).toMatchObject({
    command: 'demo',
    ok: false,
    error: { code: 'C019_USAGE' },
  })
})

test('a second demo in the same folder is refused, and says where the first one is', async () => {
  const folder = path.join(path.dirname(dataDir), 'second')
  await withLock(path.join(folder, 'demo.lock'), async () => {
    const here = `the demo already runs here (process ${process.pid}): `
    const without = await demo('--data', folder)
    expect(without).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining(`${here}stop it there`) })
    const forget = await announceWorker(folder, { address: 'http://127.0.0.1:1', pipelines: ['device-fleet'] })
    const { code, stdout, stderr } = await demo('--data', folder, '--json')
    await forget()
    expect({ code, stderr }).toEqual({ code: 3, stderr: `${here}http://127.0.0.1:1; stop it there, or open that page\n` })
    expect(envelopeSchema.parse(JSON.parse(stdout))).toMatchObject({ ok: false, error: { code: 'E008_DATA_LOCKED' } })
  })
})

test('the README says how', () => {
  expect(readFileSync(path.join(root, 'README.md'), 'utf8')).toContain('npm run demo -- --for 45s --json')
})
