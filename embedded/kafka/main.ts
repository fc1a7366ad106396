import { parseArgs } from 'node:util'
import { watchLifetime } from '../lifetime'
import { announceReady, EXIT, failService, holdFolder, listenError, ServiceError } from '../service_main'
import { type BrokerOptions, DEFAULT_OPTIONS } from './options'
import { startBroker } from './start'

const USAGE = `usage: main.js --data DIR [--port N] [--default-partitions N] [--no-auto-create] [--min-session-timeout-ms N]
               [--retention-check-ms N] [--exit-with-parent] [--users FILE]`

const wholeNumber = (name: string, text: string | undefined, fallback: number): number => {
  if (text === undefined) return fallback
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name}: '${text}' is not a whole number`)
  return Number(text)
}

const readArguments = (
  argv: readonly string[],
): { readonly options: BrokerOptions; readonly exitWithParent: boolean; readonly users: string | undefined } => {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      data: { type: 'string' },
      port: { type: 'string' },
      'default-partitions': { type: 'string' },
      'no-auto-create': { type: 'boolean', default: false },
      'min-session-timeout-ms': { type: 'string' },
      'retention-check-ms': { type: 'string' },
      'exit-with-parent': { type: 'boolean', default: false },
      users: { type: 'string' },
    },
  })
  if (values.data === undefined) throw new Error('--data DIR is missing')
  const options: BrokerOptions = {
    ...DEFAULT_OPTIONS,
    dataFolder: values.data,
    port: wholeNumber('port', values.port, DEFAULT_OPTIONS.port),
    defaultPartitions: wholeNumber('default-partitions', values['default-partitions'], DEFAULT_OPTIONS.defaultPartitions),
    autoCreateTopics: !values['no-auto-create'],
    minSessionTimeoutMs: wholeNumber(
      'min-session-timeout-ms',
      values['min-session-timeout-ms'],
      DEFAULT_OPTIONS.minSessionTimeoutMs,
    ),
    retentionCheckMs: wholeNumber('retention-check-ms', values['retention-check-ms'], DEFAULT_OPTIONS.retentionCheckMs),
  }
  return { options, exitWithParent: values['exit-with-parent'], users: values.users }
}

const parsed = (argv: readonly string[]): ReturnType<typeof readArguments> => {
  try {
    return readArguments(argv)
  } catch (error) {
    throw new ServiceError(error instanceof Error ? error.message : String(error), USAGE, EXIT.usage)
  }
}

const log = (line: string): void => {
  process.stderr.write(`kafka: ${line}\n`)
}

const main = async (): Promise<void> => {
  const { options, exitWithParent, users } = parsed(process.argv.slice(2))
  await holdFolder(options.dataFolder, 'the broker')
  const broker = await startBroker(options, log).catch((error: NodeJS.ErrnoException) => {
    throw error.syscall === 'listen' ? listenError(error, options.port, 'the Kafka broker') : error
  })
  let stopping = false
  const stop = (): void => {
    if (stopping) return
    stopping = true
    broker.close().then(
      () => process.exit(EXIT.ok),
      error => {
        log(String(error))
        process.exit(EXIT.runtime)
      },
    )
  }
  watchLifetime({ service: 'kafka', exitWithParent, users }, stop)
  log('a development broker: one node, no replication, no TLS, no authentication, no fsync. Not for production.')
  announceReady('kafka', broker.address)
}

main().catch((error: unknown) => failService('kafka', error))
