import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { errors, RegistryError } from './errors'
import { answer, type Request } from './routes'
import type { RegistryStore } from './store'

const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json'
/** Schemas of real topics are below 1 MB. */
const MAX_BODY = 16 * 1024 * 1024

/** The registry's HTTP server, not listening yet. */
export function createRegistryServer(store: RegistryStore): Server {
  return createServer((message, response) => void respond(message, response, store))
}

async function respond(message: IncomingMessage, response: ServerResponse, store: RegistryStore): Promise<void> {
  let status = 200
  let content: unknown
  try {
    content = answer(await readRequest(message), store)
  } catch (error) {
    const known =
      error instanceof RegistryError ? error : new RegistryError(500, 50001, `Error in the backend datastore: ${String(error)}`)
    status = known.status
    content = { error_code: known.code, message: known.message }
  }
  // The rest of a request that was refused early is not read, so the connection cannot be used again.
  const close = message.complete ? {} : { Connection: 'close' }
  response.writeHead(status, { 'Content-Type': CONTENT_TYPE, ...close })
  response.end(JSON.stringify(content))
}

async function readRequest(message: IncomingMessage): Promise<Request> {
  const { pathname, searchParams } = new URL(message.url ?? '/', 'http://127.0.0.1')
  return {
    method: message.method ?? 'GET',
    path: pathname
      .split('/')
      .filter(part => part !== '')
      .map(decode),
    query: searchParams,
    body: await readBody(message),
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw errors.badRequest(`the path part ${part} is not URL-encoded`)
  }
}

async function readBody(message: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY) throw errors.tooLarge(MAX_BODY)
    chunks.push(chunk)
  }
  if (size === 0) return {}
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>
  } catch {
    // The same answer as for JSON of another kind.
  }
  throw errors.badRequest('The body is not a JSON object')
}
