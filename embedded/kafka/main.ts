import { parseArgs } from 'node:util'
import { watchLifetime } from '../lifetime'
import { FolderInUse } from './folder_lock'
import { type BrokerOptions, DEFAULT_OPTIONS } from './options'
import { startBroker } from './start'

const USAGE = `usage: main.js --data DIR [--port N] [--default-partitions N] [--no-auto-create] [--min-session-timeout-ms N]
               [--retention-check-ms N] [--exit-with-parent] [--users FILE]`

const INVALID_INPUT = 2
const ENVIRONMENT = 3

class Invalid extends Error {}

const wholeNumber = (name: string, text: string | undefined, fallback: number): number => {
  if (text === undefined) return fallback
  if (!/^\d{1,9}$/.test(text)) throw new Invalid(`--${name}: '${text}' is not a whole number`)
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
  if (values.data === undefined) throw new Invalid('--data DIR is missing')
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

const log = (line: string): void => {
  process.stderr.write(`kafka: ${line}\n`)
}

const main = async (): Promise<void> => {
  const { options, exitWithParent, users } = readArguments(process.argv.slice(2))
  const broker = await startBroker(options, log)
  let stopping = false
  const stop = (): void => {
    if (stopping) return
    stopping = true
    broker.close().then(
      () => process.exit(0),
      error => {
        log(String(error))
        process.exit(1)
      },
    )
  }
  watchLifetime({ service: 'kafka', exitWithParent, users }, stop)
  log('a development broker: one node, no replication, no TLS, no authentication, no fsync. Not for production.')
  process.stdout.write(`${JSON.stringify({ event: 'ready', service: 'kafka', address: broker.address, pid: process.pid })}\n`)
}

const isUsage = (error: unknown): boolean => {
  return error instanceof Invalid || String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS')
}

main().catch((error: unknown) => {
  log(error instanceof Error ? error.message : String(error))
  if (isUsage(error)) process.stderr.write(`${USAGE}\n`)
  const environment = error instanceof FolderInUse || (error as NodeJS.ErrnoException).syscall === 'listen'
  process.exit(isUsage(error) ? INVALID_INPUT : environment ? ENVIRONMENT : 1)
})
