// `npm run demo [-- OPTIONS]`, see demo/arguments.mjs: three pipelines on embedded services. Tells each anomaly
// in a sentence, and what to look at from another terminal. Ends with Ctrl-C or after --for; what it wrote stays, the next demo goes
// on from there. With --json one object on stdout says what was injected while it watched and what was found of that: faults that
// began before it started, in an earlier demo or in the gap since, are told where they show, but not counted.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { read, USAGE } from './demo/arguments.mjs'
import { Ending } from './demo/ending.mjs'
import { News } from './demo/news.mjs'
import { anomalies, faults, progress } from './demo/store.mjs'
import { judge } from './demo/verdict.mjs'
import { counted, sentence, timeOf, told } from './demo/words.mjs'
import { widthOf, wrap } from './demo/wrap.mjs'

const began = Date.now()
/** Before all that takes time: a Ctrl-C that comes first is not lost. */
const ending = new Ending()
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const dist = path.join(root, 'dist/cli')
const [FLEET, EC2, MACHINE] = ['device-fleet', 'ec2-cpu', 'this-machine'].map(name => `config/examples/${name}.yaml`)
const TOPIC = 'fleet.anomalies'
/** Not `npx connect`: that would install this folder into npm's cache first. */
const CONNECT = 'node dist/cli/main.js'
const LOOK_EVERY_MS = 700

if (process.argv.slice(2).some(arg => arg === '--help' || arg === '-h')) {
  console.log(USAGE)
  process.exit(0)
}
if (!existsSync(path.join(dist, 'program.js'))) {
  console.error('not built yet: run `npm ci` or `npm run build` first')
  process.exit(2)
}
process.chdir(root)
const require = createRequire(import.meta.url)
const { connect } = require(path.join(dist, 'program.js'))
const { processIo } = require(path.join(dist, 'process_io.js'))
const { runningWorkers } = require(path.join(dist, 'workers.js'))
const { strangest } = require(path.join(dist, 'page/anomaly_text.js'))
const { parseDuration } = require(path.join(root, 'dist/runtime/fields.js'))

const { didYouMean } = require(path.join(root, 'dist/runtime/registry.js'))
const { LockTimeout, withLock } = require(path.join(root, 'dist/embedded/lock.js'))

const real = processIo()
const say = text => real.err(`${text}\n`)
/** For sentences; lines that are there to be copied are said as they are. */
const tellWrapped = (text, indent = 0) => say(wrap(text, widthOf(process.stderr), indent))
const seconds = () => (Date.now() - began) / 1000
/** What follows the first line stands under its text, behind `FOUND` and its like where there is one. */
const stamp = text =>
  tellWrapped(`${seconds().toFixed(0).padStart(4)} s  ${text}`, 8 + (/^[A-Z ]+ {2,}/.exec(text)?.[0].length ?? 0))

const { json, length, dataDir, options, wrong } = read(process.argv.slice(2), { parseDuration, didYouMean })
if (wrong) await refuse(2, 'C019_USAGE', wrong.text, wrong.usage ? `\n\n${USAGE}` : '')
const release = await takeFolder()
/** It was here before, so nothing is new but what comes now. */
const continued = existsSync(path.join(dataDir, 'positions'))
const data = dataDir === '.connect' ? '' : ` --data ${dataDir}`

/** Ends before anything has started. */
async function refuse(exit, code, text, more = '') {
  await say(`${text}${more}`)
  if (json) {
    const error = { code, message: text, hint: '`npm run demo -- --help` shows the options' }
    await real.out(`${JSON.stringify({ command: 'demo', ok: false, summary: text, result: null, error })}\n`)
  }
  process.exit(exit)
}

/** One demo at a time in a folder: two would tell each other's faults. The returned function lets the next one in. */
async function takeFolder() {
  let done = () => {}
  const ended = new Promise(resolve => {
    done = resolve
  })
  try {
    await new Promise((resolve, reject) => {
      const held = () => {
        resolve()
        return ended
      }
      withLock(path.join(dataDir, 'demo.lock'), held, { timeoutMs: 0 }).catch(reject)
    })
  } catch (error) {
    if (!(error instanceof LockTimeout)) throw error
    const pid = error.holder?.pid
    const page = runningWorkers(path.resolve(dataDir)).find(w => w.process.pid === pid)?.address
    const text = page
      ? `the demo already runs here (process ${pid}): ${page}; stop it there, or open that page`
      : `the demo already runs here (process ${pid}): stop it there with Ctrl-C, or give this one a folder of its own with --data DIR`
    await refuse(3, 'E008_DATA_LOCKED', text)
  }
  return done
}

// ---------------------------------------------------------------------------------------------------------- what it does

const addresses = {}
/** Where the page is; null with --listen off. */
let page = null
/** Warnings before the first row: readers wait for topics that writers are about to create. Shown if nothing comes of it. */
const early = []
/** Null until history is in; then that moment. */
let live = null
let first = null
/** Null until services run; then the moment from which on this run watches. What began before is told, but not counted. */
let since = null
/** How far the views were at each look. */
const looks = []
/**
 * From the closing of a window to its anomaly in the table this passes at most, also on a busy machine: scores, topic, table. The
 * label of a fault may take as long.
 */
const ARRIVES_MS = 6_000
const news = new News(ARRIVES_MS)

/** What `connect run` says on stderr: its log as JSON lines, for us to choose from, and everything else as it is. */
function onLine(line) {
  if (!line.startsWith('{')) return say(line)
  const { level, event, text, service, address } = JSON.parse(line)
  if (event === 'listening') {
    page = address
    return say(`  ${'page'.padEnd(16)} ${address}\n`)
  }
  if (event === 'service_started') {
    if (addresses[service] !== undefined) return
    addresses[service] = address
    since ??= Date.now()
    return say(`  ${service.padEnd(16)} ${address}`)
  }
  if (level === 'warn' && live === null) early.push(text)
  else if (level === 'error' || (level === 'warn' && event !== 'client_log')) return say(`${level} ${text}`)
}

let output = ''
const io = {
  ...real,
  // the demo is the same everywhere: addresses of real services in the environment are not for it
  env: Object.fromEntries(
    Object.entries(real.env).filter(([k]) => !/^(KAFKA_BROKERS|SCHEMA_REGISTRY_URL|CLICKHOUSE_URL|CLICKHOUSE_DATABASE)$/.test(k)),
  ),
  out: async text => {
    output += text
  },
  err: async text => {
    for (const line of text.split('\n').filter(Boolean)) await onLine(line)
  },
  onSignal: stop => ending.onStop(stop),
}

/** One look at the tables: tells what is new. */
async function look() {
  const { clickhouse } = addresses
  if (!clickhouse) return
  const { rows, closed } = await progress(clickhouse)
  looks.push({ at: Date.now(), closed })
  if (looks.length > 100) looks.shift()
  if (live === null) {
    if (closed.devices < since - 60_000) return
    live = Date.now()
    const there = `${rows['device-fleet'].toLocaleString('en')} readings of 40 devices, ${rows['ec2-cpu'].toLocaleString('en')} of 20 machines`
    await stamp(
      continued
        ? `It goes on where it was: ${there}. What was injected before ${timeOf(since)} is not counted.`
        : `Eight hours of history are in: ${there}. Detectors know what is normal; from here on it is live.`,
    )
  }
  const [found, injected] = await Promise.all([anomalies(clickhouse), faults(clickhouse)])
  for (const one of news.of(found, injected, { since, live, now: Date.now() })) await tell(one)
}

async function tell({ anomaly, fault, how }) {
  const feature = featureOf(anomaly)
  await stamp(told(anomaly, feature, fault, { since, how }))
  if (!fault || fault.start < since || first) return
  const { id, view, detector, key } = anomaly
  const text = sentence(anomaly, feature)
  first = { seconds: Number(seconds().toFixed(1)), text, fault: fault.fault, topic: TOPIC, id, view, detector, key }
  await next(anomaly, feature.name, fault)
}

/** The feature that says most, with its name. */
function featureOf({ features }) {
  const [name, values] = strangest(features) ?? ['', {}]
  return { name, ...values }
}

/** What to look at of the first fault that was found: lines to copy, each about this very anomaly. */
async function next({ id, view, key }, feature, fault) {
  const [[column, value]] = Object.entries(key)
  const query = statement => `${CONNECT} sql ${FLEET} "${statement}"${data}`
  await tellWrapped('\nThat fault was injected, and found. While this runs, look further from another terminal in this folder:')
  await say(`
${page ? `  ${page}   the page: what runs, series with what is expected of them, anomalies\n` : ''}
the anomaly in its topic, in its table, the windows around it, what had been done, and what runs:
  ${CONNECT} tail ${FLEET} ${TOPIC} --from beginning --key "${id}" --limit 1${data}
  ${query(`SELECT window_end, score, detector, key, features FROM anomalies FINAL WHERE id = '${id}'`)}
  ${query(`SELECT window_end, ${feature} FROM ${view} WHERE ${column} = '${value}' ORDER BY window_end DESC LIMIT 10`)}
  ${query(`SELECT fault, device, site, min(ts), max(ts) FROM faults WHERE fault = '${fault.fault}' GROUP BY ALL`)}
  ${CONNECT} status${data}
`)
  await tellWrapped(
    `This machine is watched as well: keep a core busy for twenty seconds (\`yes > /dev/null\`) and it says so; what is usual it has learned after some minutes.
Ctrl-C stops it and loses nothing: everything is kept in ${dataDir}, and the next \`npm run demo\` continues.
`,
  )
}

/** What was injected since `since` and what was found of it, as the tables say now; null before there is a ClickHouse. */
async function summarise() {
  const { clickhouse } = addresses
  if (!clickhouse) return null
  const signal = AbortSignal.timeout(5_000)
  const { closed } = looks.findLast(l => l.at < Date.now() - ARRIVES_MS) ?? { closed: { devices: 0, sites: 0 } }
  const [found, injected, { rows }] = await Promise.all([
    anomalies(clickhouse, signal),
    faults(clickhouse, signal),
    progress(clickhouse, signal),
  ])
  return { since: new Date(since).toISOString(), first, ...judge(found, injected, closed, since), rows_total: rows }
}

// ------------------------------------------------------------------------------------------------------------- the run

await say(`connect run ${FLEET} ${EC2} ${MACHINE} --embedded\n`)
await tellWrapped(`Three pipelines. device-fleet: 40 devices, of which one after the other is made leaking (sends too much), corrupt (reports garbage) or silent; ec2-cpu: CPU of 20 machines with bursts; this-machine: this one. Readings go through Kafka into ClickHouse, each exactly once, windows slide over them, windows unlike those before become anomalies in a topic and a table. Starting what they need (some seconds the first time):
`)

let summary = null
ending.before = async () => {
  clearInterval(watch)
  // while everything still runs
  summary = await summarise().catch(() => null)
}
let looking = false
const watch = setInterval(async () => {
  if (looking) return
  looking = true
  await look().catch(error => say(`warn ${error.message}`))
  looking = false
}, LOOK_EVERY_MS)
const timer = length === null ? null : setTimeout(() => void ending.ask('SIGINT'), length)
const args = ['run', FLEET, EC2, MACHINE, '--embedded', '--json', '--data', dataDir, '--log-format', 'json', ...options]
const ended = ending.asked ? 0 : await connect(args, io)
clearInterval(watch)
if (timer) clearTimeout(timer)
ending.close()
release()

const envelope = output === '' ? null : JSON.parse(output)
/** It was asked to end while services were started: to the run that is an error, to who asked it is not. */
const cutShort = ending.asked && (envelope === null || envelope.error?.code === 'R003_ABORTED')
const code = cutShort ? 0 : ended
process.exitCode = code
if (live === null && !cutShort) for (const text of early) await say(`warn ${text}`)
const result = summary && {
  seconds: Number(seconds().toFixed(1)),
  ...summary,
  anomalies: envelope?.result?.anomalies ?? null,
  services: envelope?.result?.services ?? {},
}
const words = summary
  ? counted(summary)
  : cutShort
    ? 'ended before anything ran'
    : (envelope?.summary ?? 'ended without a result')
if (json)
  await real.out(
    `${JSON.stringify({ command: 'demo', ok: code === 0, summary: words, result, error: cutShort ? null : (envelope?.error ?? null) })}\n`,
  )
else await tellWrapped(words)
