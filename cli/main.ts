#!/usr/bin/env node
import { EXIT } from './exit_codes'
import type { Io } from './io'
import { connect } from './program'

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

/** By now everything is closed and said; a connection that a client library forgot must not keep the process. */
const LINGER_MS = 5_000

void connect(process.argv.slice(2), io).then(code => {
  process.exitCode = code
  setTimeout(() => process.exit(), LINGER_MS).unref()
})
