#!/usr/bin/env node
import { Command, Option } from 'commander'
import { asConnectError, ConnectError } from '../runtime/errors'
import { dev } from './commands/dev'
import { plugins } from './commands/plugins'
import { run } from './commands/run'
import { schema } from './commands/schema'
import { sql } from './commands/sql'
import { tail } from './commands/tail'
import { validate } from './commands/validate'
import { errorPart, printEnvelope } from './envelope'
import { EXIT } from './exit_codes'
import type { Io } from './io'
import { InvalidFiles } from './load'

const written = (stream: NodeJS.WriteStream, text: string): Promise<void> =>
  new Promise(resolve => {
    // a reader that went away (`| head`) is no error of ours
    stream.write(text, () => resolve())
  })

const io: Io = {
  env: process.env,
  cwd: process.cwd(),
  stdin: process.stdin,
  out: text => written(process.stdout, text),
  err: text => written(process.stderr, text),
  outIsTerminal: process.stdout.isTTY === true,
  errIsTerminal: process.stderr.isTTY === true,
  onSignal(callback) {
    process.on('SIGINT', callback)
    process.on('SIGTERM', callback)
    return () => {
      process.off('SIGINT', callback)
      process.off('SIGTERM', callback)
    }
  },
  exit: code => process.exit(code),
}
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.runtime))

/** Runs a command and turns what it throws into a message and an exit code. */
function action<A extends unknown[]>(name: string, command: (...args: A) => Promise<number>): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      process.exitCode = await command(...args)
    } catch (thrown) {
      const error = asConnectError(thrown)
      const json = args.some(a => typeof a === 'object' && a !== null && 'json' in a && a.json === true)
      if (json)
        await printEnvelope(io, { command: name, ok: false, summary: error.message, result: null, error: errorPart(error) })
      else if (error instanceof InvalidFiles) await io.err(`${error.text()}\n${error.message}\n`)
      else await io.err(`${error.code}: ${error.message}\n  ${error.hint}\n`)
      if (error.code === 'R001_INTERNAL' && io.env.OLAP_CONNECT_DEBUG)
        await io.err(`${error.cause instanceof Error ? error.cause.stack : error.stack}\n`)
      process.exitCode = error.exitCode
    }
  }
}

const json = (): Option => new Option('--json', 'print one JSON object instead of text')
const data = (): Option => new Option('--data <dir>', 'folder for embedded services and positions').default('.connect')

const program = new Command('connect')
  .description('Moves events from Kafka into ClickHouse, exactly once and columnar, from one YAML file.')
  .version((require('../../package.json') as { version: string }).version)
  .exitOverride()
  .showHelpAfterError()

program
  .command('run')
  .description('run every flow of the given files or folders')
  .argument('<file...>', 'pipeline files or folders')
  .option('--for <duration>', 'stop after this time, e.g. 30s')
  .option('--until-caught-up', 'stop once everything that is there has been read')
  .option('--embedded', 'start embedded services also where there is no terminal')
  .addOption(data())
  .addOption(new Option('--listen <host:port>', 'address of /metrics, /health and /status; off: none').default('127.0.0.1:8083'))
  .addOption(new Option('--log-level <level>').choices(['debug', 'info', 'warn', 'error']).default('info'))
  .addOption(new Option('--log-format <format>').choices(['text', 'json']).default('text'))
  .addOption(json())
  .action(action('run', (files, options) => run(files, options, io)))

program
  .command('validate')
  .description('check pipeline files and show every problem with its position; opens no socket')
  .argument('<file...>', 'pipeline files or folders')
  .addOption(json())
  .action(action('validate', (files, options) => validate(files, options, io)))

program
  .command('plugins')
  .description('list the plugins, or print the reference page of one')
  .argument('[name]', 'name of a plugin')
  .addOption(json())
  .action(action('plugins', (name, options) => plugins(name, options, io)))

program
  .command('schema')
  .description('print the JSON Schema of pipeline files, or the columns at each stage of the flows of a file; opens no socket')
  .argument('[file]', 'pipeline file')
  .argument('[flow]', 'one flow of it')
  .addOption(json())
  .action(action('schema', (file, flow, options) => schema(file, flow, options, io)))

program
  .command('sql')
  .description("ask the pipeline's ClickHouse, embedded or not")
  .argument('<file>', 'pipeline file')
  .argument('<statement>', 'SQL')
  .option('--connection <name>', 'which ClickHouse, where the file has several')
  .addOption(data())
  .addOption(json())
  .action(action('sql', (file, statement, options) => sql(file, statement, options, io)))

program
  .command('tail')
  .description('print the records of a topic, decoded with the format the pipeline gives it')
  .argument('<file>', 'pipeline file')
  .argument('<topic>')
  .addOption(new Option('--from <where>', 'where to begin').choices(['beginning', 'end']).default('end'))
  .option('--limit <n>', 'stop after so many records; with --from beginning also at the end of the topic')
  .option('--connection <name>', 'which cluster, where the file has several')
  .option('--value <format>', 'format of the values, where the file does not say')
  .addOption(data())
  .addOption(json())
  .action(action('tail', (file, topic, options) => tail(file, topic, options, io)))

program
  .command('dev')
  .description('run the embedded ClickHouse, Kafka broker and schema registry in the foreground and print their addresses')
  .addOption(data())
  .addOption(json())
  .action(action('dev', options => dev(options, io)))

program.parseAsync(process.argv).catch(async (error: { code?: string; exitCode?: number }) => {
  // commander has printed its message; help and version are no errors
  const shown = error.code === 'commander.helpDisplayed' || error.code === 'commander.help' || error.code === 'commander.version'
  process.exitCode = shown ? EXIT.ok : error instanceof ConnectError ? error.exitCode : EXIT.invalidInput
})
