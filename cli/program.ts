import { Argument, Command, type CommanderError, Option } from 'commander'
import { asConnectError, ConnectError, ERRORS } from '../runtime/errors'
import { didYouMean } from '../runtime/registry'
import type * as Completion from './commands/completion'
import type * as Dev from './commands/dev'
import type * as Graph from './commands/graph'
import type * as Init from './commands/init'
import type * as Plugins from './commands/plugins'
import type * as Run from './commands/run'
import type * as Schema from './commands/schema'
import type * as Sql from './commands/sql'
import type * as Status from './commands/status'
import type * as Tail from './commands/tail'
import type * as Tap from './commands/tap'
import type * as Top from './commands/top'
import type * as Validate from './commands/validate'
import { ASK, SHELLS, visibleCommands } from './completion/model'
import { errorPart, printEnvelope } from './envelope'
import { EXIT } from './exit_codes'
import { GRAPH_FORMATS } from './graph_text'
import { InvalidFiles } from './invalid_files'
import type { Io } from './io'
import { DEFAULT_LISTEN, TOKEN_VARIABLE } from './listen'
import { legendText } from './live/lines'
import { SCAFFOLD_SOURCES, SCAFFOLD_VALUES } from './scaffold'
import { usageError } from './usage'
import { version } from './version'

/** Loaded when asked for: most of a start is loading code, and what asks a worker or completes a word needs little of it. */
const commands = {
  completion: (): typeof Completion => require('./commands/completion'),
  dev: (): typeof Dev => require('./commands/dev'),
  graph: (): typeof Graph => require('./commands/graph'),
  init: (): typeof Init => require('./commands/init'),
  plugins: (): typeof Plugins => require('./commands/plugins'),
  run: (): typeof Run => require('./commands/run'),
  schema: (): typeof Schema => require('./commands/schema'),
  sql: (): typeof Sql => require('./commands/sql'),
  status: (): typeof Status => require('./commands/status'),
  tail: (): typeof Tail => require('./commands/tail'),
  tap: (): typeof Tap => require('./commands/tap'),
  top: (): typeof Top => require('./commands/top'),
  validate: (): typeof Validate => require('./commands/validate'),
}

/** Runs `connect ARGUMENTS` and returns the exit code. Nothing is thrown: every error is printed, as the envelope under --json. */
export async function connect(args: readonly string[], io: Io): Promise<number> {
  let code: number = EXIT.ok
  const program = createProgram(io, async (name, json, command) => {
    code = await reported(name, json, command, io)
  })
  try {
    await program.parseAsync([...args], { from: 'user' })
    return code
  } catch (thrown) {
    // help and version are no errors; help because there was no command is
    if (isCommanderError(thrown) && thrown.exitCode === 0) return EXIT.ok
    if (isCommanderError(thrown) && thrown.code === 'commander.help') return EXIT.invalidInput
    const { command, error } = usageError(args, program, thrown)
    return reported(command, args.includes('--json'), () => Promise.reject(error), io)
  }
}

const isCommanderError = (thrown: unknown): thrown is CommanderError =>
  thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('commander.')

/** Runs a command and turns what it throws into a message and an exit code. */
async function reported(name: string, json: boolean, command: () => Promise<number>, io: Io): Promise<number> {
  try {
    return await command()
  } catch (thrown) {
    const error = withUsage(name, asConnectError(thrown))
    await report(name, json, error, io)
    return error.exitCode
  }
}

/** Where nothing better is known, the help of the command that was given. */
function withUsage(name: string, error: ConnectError): ConnectError {
  const { code, message, hint, cause } = error
  if (code !== 'C019_USAGE' || hint !== ERRORS.C019_USAGE.hint) return error
  return new ConnectError(code, message, { cause, hint: `\`connect ${name} --help\` shows its options` })
}

async function report(name: string, json: boolean, error: ConnectError, io: Io): Promise<void> {
  if (json) await printEnvelope(io, { command: name, ok: false, summary: error.message, result: null, error: errorPart(error) })
  else if (error instanceof InvalidFiles) await io.err(`${error.text()}\n${error.message}\n`)
  else await io.err(`${error.code}: ${error.message}\n  ${error.hint}\n`)
  if (error.code === 'R001_INTERNAL' && io.env.OLAP_CONNECT_DEBUG)
    await io.err(`${error.cause instanceof Error ? error.cause.stack : error.stack}\n`)
}

/** Runs one command of the program: its name, whether --json was given, and the command itself. */
type Perform = (name: string, json: boolean, command: () => Promise<number>) => Promise<void>

const json = (): Option => new Option('--json', 'print one JSON object instead of text')
const data = (): Option => new Option('--data <dir>', 'folder for embedded services and positions').default('.connect')

const url = (): Option => new Option('--url <url>', 'address of the worker, e.g. http://127.0.0.1:8083')

const tokenFile = (): Option =>
  new Option('--token-file <file>', `secret that the worker asks for, where it does; else the variable ${TOKEN_VARIABLE}`)

const EXIT_CODES = `
Exit codes: ${EXIT.ok} ok, ${EXIT.runtime} failed while running, ${EXIT.invalidInput} invalid file or option, ${EXIT.environment} service missing or refusing,
            ${EXIT.SIGINT} and ${EXIT.SIGTERM} cut short by a second signal.`

const RUN_EXAMPLES = `
Examples:
  connect run pipeline.yaml                      until Ctrl-C
  connect run pipeline.yaml --until-caught-up    what is there, then end
  connect run pipelines/ --for 10m --json        every file of a folder, with a report`

const LEGEND = `
Columns of the live table (- is not known yet):
${legendText()}`

/** The commands and their options; `perform` is called with the one that was asked for. Usage errors are thrown, not printed. */
export function createProgram(io: Io, perform: Perform): Command {
  const program = new Command('connect')
    .description('Moves events from Kafka into ClickHouse, exactly once and columnar, from one YAML file.')
    .version(version())
    .exitOverride()
    .configureOutput({ writeOut: text => void io.out(text), writeErr: text => void io.err(text), outputError: () => {} })
    .addHelpText('after', `${EXIT_CODES}\n\nconnect help COMMAND shows the options of a command.`)

  program
    .command('run')
    .description('Run every flow of the given files or folders until it is stopped.')
    .argument('<file...>', 'pipeline files or folders')
    .option('--for <duration>', 'stop after this time, e.g. 30s')
    .option('--until-caught-up', 'stop once everything that is there has been read')
    .option('--embedded', 'start embedded services also where there is no terminal')
    .addOption(data())
    .addOption(
      new Option('--listen <host:port>', 'address of the page, /metrics, /health and /api/status; off: none').default(
        DEFAULT_LISTEN,
      ),
    )
    .option('--token-file <file>', `secret that readers of that address must show; else the variable ${TOKEN_VARIABLE}`)
    .addOption(
      new Option('--log-level <level>', 'least level that is logged').choices(['debug', 'info', 'warn', 'error']).default('info'),
    )
    .addOption(
      new Option('--log-format <format>', 'text for people, json for collectors').choices(['text', 'json']).default('text'),
    )
    .addOption(json())
    .addHelpText('after', `${RUN_EXAMPLES}\n${LEGEND}`)
    .action((files, options) => perform('run', options.json === true, () => commands.run().run(files, options, io)))

  program
    .command('init')
    .description('Write a pipeline file that is valid and explained. Asks on a terminal for what no option says.')
    .addOption(new Option('--source <type>', 'where records come from').choices([...SCAFFOLD_SOURCES]))
    .option('--topic <topic>', 'Kafka topic to read')
    .addOption(new Option('--value <format>', 'format of its values').choices([...SCAFFOLD_VALUES]))
    .option('--from-topic <topic>', 'read the topic: its schema from the registry, and some records')
    .option('--brokers <addresses>', 'HOST:PORT, or embedded')
    .option('--registry <url>', 'schema registry, or embedded')
    .option('--path <pattern>', 'files to read, e.g. data/*.csv')
    .option('--table <name>', 'table in ClickHouse')
    .option('--name <name>', 'name of the pipeline')
    .option('--out <file>', 'file to write; its name and .yaml if absent')
    .option('--force', 'replace the file if it is there')
    .addOption(data())
    .addOption(json())
    .action(options => perform('init', options.json === true, () => commands.init().init(options, io)))

  program
    .command('validate')
    .description('Check pipeline files and show every problem with its position. Opens no socket.')
    .argument('<file...>', 'pipeline files or folders')
    .addOption(json())
    .action((files, options) =>
      perform('validate', options.json === true, () => commands.validate().validate(files, options, io)),
    )

  program
    .command('plugins')
    .description('List the plugins, or print the reference page of one.')
    .argument('[name]', 'name of a plugin, as after `type:` in a pipeline file')
    .addOption(json())
    .action((name, options) => perform('plugins', options.json === true, () => commands.plugins().plugins(name, options, io)))

  program
    .command('schema')
    .description('Print the JSON Schema of pipeline files, or the columns at each stage of the flows of a file. Opens no socket.')
    .argument('[file]', 'pipeline file')
    .argument('[flow]', 'one flow of it')
    .addOption(json())
    .action((file, flow, options) =>
      perform('schema', options.json === true, () => commands.schema().schema(file, flow, options, io)),
    )

  program
    .command('graph')
    .description('Draw what a pipeline file connects, with the columns on the edges as far as the file says. Opens no socket.')
    .argument('<file...>', 'pipeline files or folders')
    .addOption(new Option('--format <format>', 'how it is written').choices([...GRAPH_FORMATS]).default('text'))
    .addOption(json())
    .action((files, options) => perform('graph', options.json === true, () => commands.graph().graph(files, options, io)))

  program
    .command('sql')
    .description("Ask the pipeline's ClickHouse, embedded or not.")
    .argument('<file>', 'pipeline file')
    .argument('<statement>', 'SQL; several statements, of which one may give rows, stand between semicolons')
    .option('--connection <name>', 'which ClickHouse, where the file has several')
    .addOption(data())
    .addOption(json())
    .action((file, statement, options) =>
      perform('sql', options.json === true, () => commands.sql().sql(file, statement, options, io)),
    )

  program
    .command('tail')
    .description('Print the records of a topic, decoded with the format the pipeline gives it, one JSON object a line.')
    .argument('<file>', 'pipeline file')
    .argument('<topic>', 'topic of its Kafka cluster')
    .addOption(new Option('--from <where>', 'where to begin').choices(['beginning', 'end']).default('end'))
    .option('--limit <n>', 'stop after so many records; with --from beginning also at the end of the topic')
    .option('--key <text>', 'only records whose key contains this text')
    .option('--connection <name>', 'which cluster, where the file has several')
    .option('--value <format>', 'format of the values, where the file does not say')
    .addOption(data())
    .addOption(json())
    .action((file, topic, options) =>
      perform('tail', options.json === true, () => commands.tail().tail(file, topic, options, io)),
    )

  program
    .command('status')
    .description('Show what the running workers do: flows, views, detectors, services. Ends with 1 if a flow has failed.')
    .addOption(url())
    .addOption(tokenFile())
    .addOption(data())
    .addOption(json())
    .addHelpText('after', LEGEND)
    .action(options => perform('status', options.json === true, () => commands.status().status(options, io)))

  program
    .command('top')
    .description('Show the live table of a running worker, until Ctrl-C.')
    .addOption(url())
    .addOption(tokenFile())
    .addOption(new Option('--every <duration>', 'how often the worker is asked').default('500ms'))
    .option('--count <n>', 'stop after so many looks')
    .addOption(data())
    .addHelpText('after', LEGEND)
    .action(options => perform('top', false, () => commands.top().top(options, io)))

  program
    .command('tap')
    .description(
      'Print rows as they pass a stage of a running flow, one JSON object a line. Values of fields with secret names are hidden.',
    )
    .argument('<flow.stage>', 'such as ingest.source, ingest.1, ingest.rename, ingest.sink; with several files shop/ingest.sink')
    .addOption(new Option('--limit <n>', 'stop after so many rows, at most 10000').default('10'))
    .option('--mask <fields>', 'hide the values of these fields too, separated by commas')
    .option('--for <duration>', 'stop after this time, e.g. 30s')
    .addOption(url())
    .addOption(tokenFile())
    .addOption(data())
    .addOption(json())
    .action((place, options) => perform('tap', options.json === true, () => commands.tap().tap(place, options, io)))

  program
    .command('dev')
    .description('Run the embedded ClickHouse, Kafka broker and schema registry in the foreground and print their addresses.')
    .addOption(data())
    .addOption(json())
    .action(options => perform('dev', options.json === true, () => commands.dev().dev(options, io)))

  program
    .command('completion')
    .description('Print the completions of a shell: source <(connect completion bash), or connect completion fish | source.')
    .addArgument(new Argument('<shell>', 'bash, zsh or fish').choices([...SHELLS]))
    .action(shell => perform('completion', false, () => commands.completion().completion(shell, program, io)))

  program
    .command(ASK, { hidden: true })
    .argument('[words...]', 'what stands on the command line up to the cursor')
    .action(words => perform(ASK, false, () => commands.completion().complete(words, program, io)))

  program
    .helpCommand(false)
    .command('help')
    .description('Show what there is, or the options of a command.')
    .argument('[command]', 'name of a command')
    .action((name?: string) => help(program, name))

  return program
}

/** Prints the help, and throws as commander does after it; for a command that is not there its usage error. */
function help(program: Command, name: string | undefined): never {
  if (name === undefined) program.help()
  const known = visibleCommands(program)
  const command = known.find(c => c.name() === name)
  if (command) command.help()
  const names = known.map(c => c.name())
  const near = didYouMean(name, names)
  program.error(
    `error: unknown command '${name}'\n${near ? `(did you mean ${near}?)` : `(the commands are ${names.join(', ')})`}`,
  )
}
