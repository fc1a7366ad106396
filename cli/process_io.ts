import { isatty } from 'node:tty'
import { EXIT } from './exit_codes'
import type { Io } from './io'

/** The real process. A reader of its output that goes away (`| head`) ends it, which is no error. */
export function processIo(): Io {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.runtime))
  return {
    env: process.env,
    cwd: process.cwd(),
    // opened only where it is read: an open standard input keeps a process
    get stdin() {
      return process.stdin
    },
    inIsTerminal: isatty(0) && process.stderr.isTTY === true,
    out: text => written(process.stdout, text),
    err: text => written(process.stderr, text),
    outIsTerminal: process.stdout.isTTY === true,
    errIsTerminal: process.stderr.isTTY === true,
    errSize: () => ({ columns: process.stderr.columns || 80, rows: process.stderr.rows || 24 }),
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
}

const written = (stream: NodeJS.WriteStream, text: string): Promise<void> =>
  new Promise(resolve => {
    stream.write(text, () => resolve())
  })
