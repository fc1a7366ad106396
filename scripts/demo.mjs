// `npm run demo [-- OPTIONS OF connect run]`: the example of EC2 CPU readings on embedded services. Says what happens and, once
// rows are in the table, what to look at from another terminal. Ends with Ctrl-C; what it wrote stays, the next demo continues.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const dist = path.join(root, 'dist/cli')
const FILE = 'config/examples/ec2-cpu.yaml'
/** Not `npx connect`: that would install this folder into npm's cache first. */
const CONNECT = 'node dist/cli/main.js'
const LOOK_EVERY_MS = 300

if (!existsSync(path.join(dist, 'program.js'))) {
  console.error('not built yet: run `npm ci` or `npm run build` first')
  process.exit(2)
}
process.chdir(root)
const require = createRequire(import.meta.url)
const { connect } = require(path.join(dist, 'program.js'))
const { processIo } = require(path.join(dist, 'process_io.js'))

const options = process.argv.slice(2)
const has = name => options.some(o => o === name || o.startsWith(`${name}=`))
const at = options.indexOf('--data')
const data = at >= 0 ? ` --data ${options[at + 1]}` : (options.filter(o => o.startsWith('--data=')).map(o => ` ${o}`)[0] ?? '')

const real = processIo()
const say = text => real.err(`${text}\n`)
const addresses = {}
/** Warnings before the first row: the reader waits for a topic that the writer is about to create. Shown if nothing comes of it. */
const early = []
let metrics = 'http://127.0.0.1:8083'
let rowsSeen = false

/** What `connect run` says on stderr: its log as JSON lines, for us to choose from, and everything else as it is. */
function onLine(line) {
  const taken = /metrics are at (\S+)\/metrics/.exec(line)
  if (taken) metrics = taken[1]
  if (!line.startsWith('{')) return say(line)
  const { level, event, text, service, address } = JSON.parse(line)
  if (event === 'service_started') {
    addresses[service] = address
    return say(`  ${service.padEnd(16)} ${address}`)
  }
  if (level === 'warn' && !rowsSeen) early.push(text)
  else if (level === 'warn' || level === 'error') return say(`${level} ${text}`)
}

const io = {
  ...real,
  // the demo is the same everywhere: addresses of real services in the environment are not for it
  env: Object.fromEntries(
    Object.entries(real.env).filter(([k]) => !/^(KAFKA_BROKERS|SCHEMA_REGISTRY_URL|CLICKHOUSE_URL)$/.test(k)),
  ),
  err: async text => {
    if (has('--log-format') || has('--log-level')) return real.err(text)
    for (const line of text.split('\n').filter(Boolean)) await onLine(line)
  },
}

/** Rows in the table; 0 while there is no table, or no ClickHouse. */
async function rows() {
  if (!addresses.clickhouse) return 0
  try {
    const answer = await fetch(`${addresses.clickhouse}/?query=SELECT+count()+FROM+ec2.cpu`, {
      signal: AbortSignal.timeout(5_000),
    })
    return answer.ok ? Number(await answer.text()) : 0
  } catch {
    return 0
  }
}

async function look() {
  const count = await rows()
  if (rowsSeen || count === 0) return
  rowsSeen = true
  clearInterval(watch)
  await say(`
${count.toLocaleString('en')} rows are in the table already: eight hours of history come first, then 200 readings a second.
While this runs, look at it from another terminal in this folder:

  ${CONNECT} tail ${FILE} cpu_data --from beginning --limit 5${data}
  ${CONNECT} sql ${FILE} "SELECT device, count(), round(avg(cpu), 1) FROM cpu GROUP BY device ORDER BY device"${data}
  curl -s ${metrics}/metrics

Ctrl-C stops it and loses nothing: everything is kept in ${data ? data.replace(/^ --data[= ]/, '') : '.connect'}, and the next \`npm run demo\` continues.
`)
}

await say(`connect run ${FILE} --embedded

Two flows of one file: \`simulate\` makes CPU readings of 20 machines and writes them as Avro into the Kafka topic cpu_data;
\`ingest\` moves them into the ClickHouse table ec2.cpu, each exactly once. Starting what they need (some seconds the first time):
`)
const watch = setInterval(look, LOOK_EVERY_MS)
const log = has('--log-format') || has('--log-level') ? [] : ['--log-format', 'json']
process.exitCode = await connect(['run', FILE, '--embedded', ...log, ...options], io)
clearInterval(watch)
if (!rowsSeen) for (const text of early) await say(`warn ${text}`)
