import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { envelopeSchema } from '../../cli/envelope_schema'
import { temporaryFolder } from '../support/temporary_folder'

/** What a newcomer sees first: the demo as it is started, and what it says to look at, tried. */

const root = path.resolve(__dirname, '../..')
const folder = temporaryFolder()
const dataDir = () => path.join(path.dirname(folder.file('marker', '')), 'data')
const HANGS_MS = 110_000

/** Runs a command line of ours in the project's folder. */
async function run(words: readonly string[], onErr: (text: string) => void = () => {}) {
  const child = spawn(words[0] === 'node' ? process.execPath : words[0], words.slice(1), {
    cwd: root,
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), HANGS_MS)
  const text = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8')
    child[stream].on('data', (chunk: string) => {
      text[stream] += chunk
      if (stream === 'stderr') onErr(text.stderr)
    })
  }
  const [code] = await once(child, 'close')
  clearTimeout(timer)
  return { code, ...text }
}

/** Words of a command line; quotes hold one together. */
const words = (line: string): readonly string[] => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(m => m[1] ?? m[2])

interface DemoResult {
  readonly first: { readonly seconds: number; readonly text: string; readonly fault: string; readonly id: string }
  readonly faults: Readonly<Record<string, { readonly injected: number; readonly detected: number; readonly pending: number }>>
  readonly rows: Readonly<Record<string, number>>
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
    ['node', 'scripts/demo.mjs', '--for', '45s', '--json', '--data', dataDir(), '--listen', '127.0.0.1:0'],
    stderr => {
      if (looking === null && stderr.includes('Ctrl-C stops it')) looking = lookAround(stderr)
    },
  )
  expect({ code: demo.code, stderr: demo.code === 0 ? '' : demo.stderr }).toEqual({ code: 0, stderr: '' })
  expect(demo.stdout.trimEnd().split('\n')).toHaveLength(1)
  const envelope = envelopeSchema.parse(JSON.parse(demo.stdout))
  const { first, faults, rows, anomalies } = envelope.result as DemoResult
  expect(envelope).toMatchObject({ command: 'demo', ok: true, error: null })

  // told in a sentence on the screen, with what had been done
  expect(first.text).toMatch(/^\S+.* between \d\d:\d\d:\d\d and \d\d:\d\d:\d\d.*\.$/)
  expect(demo.stderr).toContain(first.text)
  const counts = Object.values(faults)
  expect(Object.keys(faults)).toEqual(['leaking', 'corrupt', 'silent'])
  for (const { injected, detected, pending } of counts) expect(detected + pending).toBeLessThanOrEqual(injected)
  const sum = (of: 'injected' | 'detected' | 'pending') => counts.reduce((n, c) => n + c[of], 0)
  expect(sum('detected')).toBeGreaterThan(0)
  // nothing is missed that had the time to be seen
  expect(sum('detected') + sum('pending')).toBe(sum('injected'))
  expect(anomalies.raised).toBeGreaterThanOrEqual(1)
  // views of several pipelines may have the same name
  for (const view of Object.keys(anomalies.views)) expect(view).toMatch(/^[\w-]+\/\w+$/)
  for (const name of ['device-fleet', 'ec2-cpu']) expect(rows[name]).toBeGreaterThan(100_000)
  expect(rows['this-machine']).toBeGreaterThan(0)

  // what to look at next, as it stands there
  await looking
  expect(looked.page).toContain('<html')
  expect(looked.commands.length).toBeGreaterThanOrEqual(5)
  for (const { line, code, stdout, stderr } of looked.commands) {
    expect({ line, code, stderr, empty: stdout.trim() === '' }).toMatchObject({ line, code: 0, empty: false })
  }
  const tail = looked.commands.find(c => c.line.includes(' tail '))
  expect(tail?.stdout).toMatch(/"detector":"(volume|values|heard)"/)
})

/** Judged by itself: the demo's own count of what was found must be able to fail. */
test('a fault that no alert tells is not counted as found', async () => {
  const script = `
    import { judge } from ${JSON.stringify(path.join(root, 'scripts/demo/verdict.mjs'))}
    const fault = { fault: 'leaking-1', device: 'dev-1', site: 'lima', start: 100_000, end: 120_000 }
    const alert = { id: 'a', database: 'fleet', detector: 'volume', key: { device: 'dev-1' }, start: 100_000, end: 120_000, status: 'raised' }
    const of = (alerts, closed = 200_000) => judge(alerts, [fault], { devices: closed, sites: closed }, 50_000)
    console.log(JSON.stringify([
      of([alert]),
      of([]),
      of([], 110_000),
      of([{ ...alert, key: { device: 'dev-2' } }]),
      of([{ ...alert, detector: 'values' }]),
      of([{ ...alert, status: 'retracted' }]),
      of([{ ...alert, start: 160_000, end: 180_000 }]),
      of([{ ...alert, start: 10_000, end: 30_000 }]),
    ].map(({ faults, false_alarms }) => [...Object.values(faults.leaking), false_alarms.history, false_alarms.live])))`
  const { stdout, stderr } = await run(['node', '--input-type=module', '-e', script])
  // injected, detected, pending, false alarms in the history and live
  expect([stderr, JSON.parse(stdout)]).toEqual([
    '',
    [
      [1, 1, 0, 0, 0],
      [1, 0, 0, 0, 0],
      [1, 0, 1, 0, 0],
      [1, 0, 0, 0, 1],
      [1, 0, 0, 0, 1],
      [1, 0, 0, 0, 0],
      [1, 0, 0, 0, 1],
      [1, 0, 0, 1, 0],
    ],
  ])
})

test('what is wrong with its options is said', async () => {
  const { code, stderr } = await run(['node', 'scripts/demo.mjs', '--for', 'soon'])
  expect({ code, stderr }).toEqual({ code: 2, stderr: '--for soon: expected a duration such as 45s or 5m\n' })
})

test('the README says how', () => {
  expect(readFileSync(path.join(root, 'README.md'), 'utf8')).toContain('npm run demo -- --for 45s --json')
})
