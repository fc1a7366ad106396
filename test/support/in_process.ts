import { Readable } from 'node:stream'
import type { Io } from '../../cli/io'
import { connect } from '../../cli/program'

export interface InProcess {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** An Io that collects what is written. Without signals, without a terminal. */
export function collectingIo(env: Readonly<Record<string, string>> = {}): { io: Io; out: () => string; err: () => string } {
  const text = { out: '', err: '' }
  const io: Io = {
    env,
    cwd: process.cwd(),
    stdin: Readable.from([]),
    inIsTerminal: false,
    async out(more) {
      text.out += more
    },
    async err(more) {
      text.err += more
    },
    outIsTerminal: false,
    errIsTerminal: false,
    errSize: () => ({ columns: 80, rows: 24 }),
    onSignal: () => () => {},
    exit: code => {
      throw new Error(`exit ${code}`)
    },
  }
  return { io, out: () => text.out, err: () => text.err }
}

/** A command that needs no process of its own: one that opens no socket, or is refused. */
export async function inProcess(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<InProcess> {
  const { io, out, err } = collectingIo(env)
  const code = await connect(args, io)
  return { code, out: out(), err: err() }
}
