import { readFileSync } from 'node:fs'
import path from 'node:path'
import { ConnectError } from '../runtime/errors'
import type { Emitter } from '../runtime/events'
import type { Io } from './io'
import { isLoopback } from './page/access'
import type * as Server from './server'

export const DEFAULT_LISTEN = '127.0.0.1:8083'
/** Variable with the token that readers of the page and the metrics must show. */
export const TOKEN_VARIABLE = 'OLAP_CONNECT_TOKEN'
const LEAST_TOKEN = 16

export interface ListenOptions {
  /** `HOST:PORT` or `off`. */
  readonly listen: string
  /** File that holds the token; takes the place of the variable. */
  readonly tokenFile?: string
}

/**
 * Serves the page, metrics and health. The default address gives way to a free port, so that a second run beside the first just
 * works; a given one does not. Throws C019 for an address that other machines reach without a token, E004 for a port that is taken.
 */
export async function listen(
  { listen: text, tokenFile }: ListenOptions,
  pages: Omit<Server.StatusPages, 'access'>,
  io: Io,
  events: Emitter,
): Promise<Server.StatusServer | null> {
  if (text === 'off') return null
  const at = text.lastIndexOf(':')
  const port = Number(text.slice(at + 1))
  if (at < 1 || !Number.isInteger(port) || port < 0 || port > 65_535)
    throw new ConnectError('C019_USAGE', `--listen ${text}: expected HOST:PORT or off`)
  const host = text.slice(0, at).replace(/^\[(.*)\]$/, '$1')
  const token = tokenOf(tokenFile, io)
  if (token === null && !isLoopback(host)) {
    throw new ConnectError('C019_USAGE', `--listen ${text}: other machines reach this address, and there is no token`, {
      hint: `set ${TOKEN_VARIABLE} or --token-file to a secret of at least ${LEAST_TOKEN} characters, or listen on 127.0.0.1`,
    })
  }
  // its libraries take a fifth of the time that a start takes
  const { serveStatus }: typeof Server = require('./server')
  const serve = (on: number): Promise<Server.StatusServer> => serveStatus(host, on, { ...pages, access: { token, host } })
  try {
    return await serve(port)
  } catch (error) {
    if (text !== DEFAULT_LISTEN || !(error instanceof ConnectError) || error.code !== 'E004_PORT_TAKEN') throw error
    const server = await serve(0)
    events.emit('port_taken', { address: DEFAULT_LISTEN })
    return server
  }
}

/** The token of the file, else of the variable; null: none is set. Throws C019 for one that is too short. */
export function tokenOf(file: string | undefined, io: Io): string | null {
  const token = (file === undefined ? (io.env[TOKEN_VARIABLE] ?? '') : read(path.resolve(io.cwd, file))).trim()
  if (token === '' && file === undefined) return null
  if (token.length >= LEAST_TOKEN) return token
  const where = file === undefined ? TOKEN_VARIABLE : `--token-file ${file}`
  throw new ConnectError('C019_USAGE', `${where}: a token has at least ${LEAST_TOKEN} characters`)
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ConnectError('C012_UNREADABLE_FILE', `cannot read the token file ${file}`, { cause })
  }
}
