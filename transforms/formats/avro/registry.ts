import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { resolve } from 'node:path'
import { ConnectError } from '../../../runtime/errors'
import type { RegistryEndpoint } from '../../../runtime/plugin'

/** A schema as the registry keeps it. */
export interface RegisteredSchema {
  readonly id: number
  readonly schema: string
  /** AVRO where the registry does not say. */
  readonly schemaType: string
  readonly references: readonly SchemaReference[]
}

export interface SchemaReference {
  readonly name: string
  readonly subject: string
  readonly version: number
}

interface Answer {
  readonly status: number
  readonly body: unknown
}

const TIMEOUT_MS = 10_000
/** A schema is text that people write; more than this is not one. */
const MAX_ANSWER = 16 * 1024 * 1024
const TLS_ERROR = /CERT|TLS|SSL|EPROTO|UNABLE_TO_/

/**
 * Client of a Confluent-compatible schema registry: the four requests a format needs. Not found is null; a registry that is away,
 * busy or slow is E001 (retriable); a refusal is E003 or E007; anything else K008 with the registry's own words. Written here and
 * not taken from a library because those retry by themselves, do not tell these cases apart and bring their own codecs.
 */
export class RegistryClient {
  readonly #url: URL
  readonly #auth: string | undefined
  readonly #agent: http.Agent

  /** `baseDir`: folder that a relative `ca` path starts from. */
  constructor(endpoint: RegistryEndpoint, baseDir: string) {
    this.#url = new URL(endpoint.url)
    const user = endpoint.username ?? decodeURIComponent(this.#url.username)
    const password = endpoint.password ?? decodeURIComponent(this.#url.password)
    this.#auth = user ? `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` : undefined
    // never shown again: the address stands in error messages
    this.#url.username = ''
    this.#url.password = ''
    const options = { keepAlive: true, maxSockets: 4 }
    this.#agent =
      this.#url.protocol === 'https:'
        ? new https.Agent({ ...options, ...(endpoint.ca ? { ca: pem(endpoint.ca, baseDir) } : {}) })
        : new http.Agent(options)
  }

  /** Null: the registry knows no such id. */
  async byId(id: number, signal: AbortSignal): Promise<RegisteredSchema | null> {
    const answer = await this.#request('GET', `/schemas/ids/${id}`, undefined, signal)
    // ids are unsigned 31-bit numbers; a registry may answer 422 or 404 for others
    return answer.status === 404 || (id < 0 && answer.status < 500) ? null : this.#schema(answer, id)
  }

  /** Null: the subject has no such version. */
  async version(subject: string, version: number | 'latest', signal: AbortSignal): Promise<RegisteredSchema | null> {
    const answer = await this.#request('GET', `/subjects/${encodeURIComponent(subject)}/versions/${version}`, undefined, signal)
    return answer.status === 404 ? null : this.#schema(answer, 0)
  }

  /** Registers the schema, or finds it registered; the id. */
  async register(subject: string, schema: string, signal: AbortSignal): Promise<number> {
    const answer = await this.#request('POST', `/subjects/${encodeURIComponent(subject)}/versions`, { schema }, signal)
    return this.#id(answer)
  }

  /** The id of a schema registered under the subject; null if it is not. */
  async lookup(subject: string, schema: string, signal: AbortSignal): Promise<number | null> {
    const answer = await this.#request('POST', `/subjects/${encodeURIComponent(subject)}`, { schema }, signal)
    return answer.status === 404 ? null : this.#id(answer)
  }

  close(): void {
    this.#agent.destroy()
  }

  #schema({ status, body }: Answer, id: number): RegisteredSchema {
    if (status !== 200 || typeof body !== 'object' || body === null || !('schema' in body) || typeof body.schema !== 'string') {
      throw this.#refused(status, body)
    }
    return {
      id: 'id' in body && typeof body.id === 'number' ? body.id : id,
      schema: body.schema,
      schemaType: 'schemaType' in body && typeof body.schemaType === 'string' ? body.schemaType : 'AVRO',
      references: 'references' in body && Array.isArray(body.references) ? (body.references as SchemaReference[]) : [],
    }
  }

  #id({ status, body }: Answer): number {
    if (status === 200 && typeof body === 'object' && body !== null && 'id' in body && typeof body.id === 'number') return body.id
    throw this.#refused(status, body)
  }

  #refused(status: number, body: unknown): ConnectError {
    const message =
      typeof body === 'object' && body !== null && 'message' in body ? `: ${String(body.message).slice(0, 500)}` : ''
    return new ConnectError('K008_REGISTRY', `the schema registry ${this.#url.href} answered ${status}${message}`)
  }

  async #request(method: string, path: string, body: object | undefined, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted()
    const deadline = AbortSignal.timeout(TIMEOUT_MS)
    let answer: Answer
    try {
      answer = await this.#send(method, path, body, AbortSignal.any([signal, deadline]))
    } catch (cause) {
      signal.throwIfAborted()
      if (cause instanceof ConnectError) throw cause
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
      const why = deadline.aborted ? `no answer in ${TIMEOUT_MS / 1000} s` : code || String((cause as Error).message)
      const kind = TLS_ERROR.test(code) ? 'E009_TLS' : 'E001_UNREACHABLE'
      throw new ConnectError(kind, `the schema registry ${this.#url.href} cannot be reached: ${why}`, { cause })
    }
    const { status } = answer
    const at = `the schema registry ${this.#url.href}`
    if (status === 401) throw new ConnectError('E003_AUTHENTICATION', `${at} refuses this user or password`)
    if (status === 403) throw new ConnectError('E007_AUTHORIZATION', `${at} forbids ${method} ${path}`)
    if (status >= 500 || status === 429 || status === 408) throw new ConnectError('E001_UNREACHABLE', `${at} answered ${status}`)
    return answer
  }

  #send(method: string, path: string, body: object | undefined, signal: AbortSignal): Promise<Answer> {
    const url = new URL(this.#url.href.replace(/\/+$/, '') + path)
    const type = 'application/vnd.schemaregistry.v1+json'
    const headers: Record<string, string> = { accept: `${type}, application/json` }
    if (this.#auth) headers.authorization = this.#auth
    if (body) headers['content-type'] = type
    return new Promise((done, failed) => {
      const send = url.protocol === 'https:' ? https.request : http.request
      const request = send(url, { method, headers, agent: this.#agent, signal }, response => {
        const parts: Buffer[] = []
        let size = 0
        response.on('data', (part: Buffer) => {
          parts.push(part)
          size += part.length
          if (size > MAX_ANSWER)
            request.destroy(new ConnectError('K008_REGISTRY', 'the answer of the schema registry is too large'))
        })
        response.on('end', () => done({ status: response.statusCode ?? 0, body: parsed(Buffer.concat(parts).toString()) }))
        response.on('error', failed)
      })
      request.on('error', failed)
      request.end(body ? JSON.stringify(body) : undefined)
    })
  }
}

/** The certificate itself, or that of the file. */
const pem = (ca: string, baseDir: string): string => {
  if (ca.includes('-----BEGIN')) return ca
  try {
    return readFileSync(resolve(baseDir, ca), 'utf8')
  } catch (cause) {
    throw new ConnectError('C012_UNREADABLE_FILE', `the certificate ${ca} of the schema registry cannot be read`, { cause })
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
