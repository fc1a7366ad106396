// A command that uses embedded services: `node user.cjs DATA SERVICE,...`. Prints {pids, addresses}, then every change, as JSON
// lines; SIGTERM makes it leave.
const path = require('node:path')
const { startServices } = require(path.join(__dirname, '../../../dist/cli/services.js'))

const [data, names] = process.argv.slice(2)
const say = value => process.stdout.write(`${JSON.stringify(value)}\n`)

startServices({ data, need: new Set(names.split(',')), ports: { clickhouse: 0, kafka: 0, schema_registry: 0 } }).then(
  services => {
    services.onExit(say)
    const awake = setInterval(() => {}, 60_000)
    process.on('SIGTERM', () => services.stop().then(() => clearInterval(awake)))
    say({ pids: services.pids, addresses: services.addresses })
  },
  error => {
    process.stderr.write(`${error.code} ${error.message}\n`)
    process.exitCode = 3
  },
)
