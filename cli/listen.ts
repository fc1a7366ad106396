import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
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

/** Where to serve, and what readers must show; the token is null where they need none. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
  readonly token: string | null
  /** Nobody asked for this one: a free port will do as well. */
  readonly standard: boolean
}

/**
 * The address that the options name; null: none. Throws C019 for what is none, and for one that other machines reach without a token.
 */
export function listenAddress({ listen: text, tokenFile }: ListenOptions, io: Io): ListenAddress | null {
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
  return { host, port, token, standard: text === DEFAULT_LISTEN }
}

/** Before anything is started. Throws E004 for a port that is taken, C019 for an address that this machine cannot listen on. */
export async function requireFree(address: ListenAddress | null): Promise<void> {
  if (address === null || address.standard) return
  const { host, port } = address
  const server = createServer()
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') throw new ConnectError('E004_PORT_TAKEN', `${host}:${port} is taken`, { cause })
    throw new ConnectError('C019_USAGE', `--listen ${host}:${port}: ${message}`, {
      hint: 'give an address of this machine and a port that this user may use',
      cause,
    })
  } finally {
    await new Promise(resolve => server.close(resolve))
  }
}

/**
 * Serves the page, metrics and health. The default address gives way to a free port, so that a second run beside the first just
 * works; a given one does not. Throws E004 for a port that is taken.
 */
export async function listen(
  address: ListenAddress | null,
  pages: Omit<Server.StatusPages, 'access'>,
  events: Emitter,
): Promise<Server.StatusServer | null> {
  if (address === null) return null
  const { host, port, token, standard } = address
  // its libraries take a fifth of the time that a start takes
  const { serveStatus }: typeof Server = require('./server')
  const serve = (on: number): Promise<Server.StatusServer> => serveStatus(host, on, { ...pages, access: { token, host } })
  try {
    return await serve(port)
  } catch (error) {
    if (!standard || !(error instanceof ConnectError) || error.code !== 'E004_PORT_TAKEN') throw error
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
