// `connect dev` without the rest of the command line: `node dev.cjs dev --data DIR --json`.
const path = require('node:path')
const { Command } = require('commander')
const { registerDev } = require(path.join(__dirname, '../../../dist/cli/commands/dev.js'))

const abort = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => abort.abort())
const write = stream => line => stream.write(`${line}\n`)
const program = new Command()
registerDev(program, { out: write(process.stdout), err: write(process.stderr), signal: abort.signal })
program.parseAsync()
