import type { Socket } from 'node:net'
import { apis } from './api'
import type { Api, Outcome } from './api/api'
import { API_VERSIONS_KEY, writeVersionFallback } from './api/api_versions'
import type { Broker } from './broker'
import { FrameReader } from './wire/frames'
import { MalformedRequest, Reader } from './wire/reader'
import { Writer } from './wire/writer'

const byKey: ReadonlyMap<number, Api> = new Map(apis.map(api => [api.key, api]))

/** Requests read ahead of the one being answered: beyond this many bytes the socket is not read. */
const READ_AHEAD_BYTES = 1_048_576

/**
 * One client. Requests are answered one after the other in the order they came, as in Kafka: a Fetch that waits for data or a
 * JoinGroup that waits for others holds up what was sent after it on the same connection.
 */
export class Connection {
  readonly #socket: Socket
  readonly #broker: Broker
  readonly #frames = new FrameReader()
  readonly #queue: Buffer[] = []
  readonly #gone = new AbortController()
  readonly #host: string
  #queuedBytes = 0
  #answering = false

  constructor(socket: Socket, broker: Broker) {
    this.#socket = socket
    this.#broker = broker
    this.#host = `/${socket.remoteAddress ?? 'unknown'}`
  }

  start(): void {
    this.#socket.on('data', chunk => this.#received(chunk))
    // a reset by the peer; 'close' follows
    this.#socket.on('error', () => {})
    this.#socket.once('close', () => this.#gone.abort())
  }

  #received(chunk: Buffer): void {
    try {
      for (const frame of this.#frames.push(chunk)) {
        this.#queue.push(frame)
        this.#queuedBytes += frame.length
      }
    } catch (error) {
      this.#drop(error)
      return
    }
    if (this.#queuedBytes > READ_AHEAD_BYTES) this.#socket.pause()
    if (!this.#answering) void this.#answerAll()
  }

  async #answerAll(): Promise<void> {
    this.#answering = true
    try {
      for (let frame = this.#queue.shift(); frame !== undefined && !this.#gone.signal.aborted; frame = this.#queue.shift()) {
        this.#queuedBytes -= frame.length
        if (this.#socket.isPaused() && this.#queuedBytes <= READ_AHEAD_BYTES) this.#socket.resume()
        await this.#answer(frame)
      }
    } catch (error) {
      this.#drop(error)
    }
    this.#answering = false
  }

  #drop(error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error))
    this.#broker.log(
      `closing a connection: ${reason instanceof MalformedRequest ? reason.message : (reason.stack ?? reason.message)}`,
    )
    this.#socket.destroy()
  }

  async #answer(frame: Buffer): Promise<void> {
    const body = new Reader(frame)
    const key = body.int16()
    const version = body.int16()
    const correlation = body.int32()
    const clientId = body.nullableString() ?? ''
    const reply = new Writer()
    reply.int32(correlation)
    const api = byKey.get(key)
    const outcome = await this.#dispatch(api, { key, version, clientId, body, reply })
    if (outcome === 'close') this.#socket.destroy()
    if (outcome === 'reply') await this.#send(reply)
  }

  async #dispatch(
    api: Api | undefined,
    request: {
      readonly key: number
      readonly version: number
      readonly clientId: string
      readonly body: Reader
      readonly reply: Writer
    },
  ): Promise<Outcome> {
    const { key, version, clientId, body, reply } = request
    if (api === undefined || version < api.versions[0] || version > api.versions[1]) {
      if (key !== API_VERSIONS_KEY) {
        throw new MalformedRequest(
          `${api?.name ?? `API ${key}`} v${version} of client '${clientId}' is not served (UNSUPPORTED_VERSION)`,
        )
      }
      writeVersionFallback(reply, apis)
      return 'reply'
    }
    body.flexible = version >= api.flexibleFrom
    body.tags()
    reply.flexible = body.flexible
    // the header of ApiVersions has no tags in any version, so that a client can read it before it knows the broker's versions
    if (key !== API_VERSIONS_KEY) reply.tags()
    return await api.handle({ version, clientId, host: this.#host, body, reply, broker: this.#broker, gone: this.#gone.signal })
  }

  /** Resolves when the client has taken enough of it: a slow reader holds up its own connection, not memory. */
  #send(reply: Writer): Promise<void> {
    const size = Buffer.allocUnsafe(4)
    size.writeInt32BE(reply.length)
    this.#socket.cork()
    let room = this.#socket.write(size)
    for (const chunk of reply.finish()) room = this.#socket.write(chunk)
    this.#socket.uncork()
    if (room || this.#gone.signal.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const done = (): void => {
        this.#socket.off('drain', done)
        this.#gone.signal.removeEventListener('abort', done)
        resolve()
      }
      this.#socket.once('drain', done)
      this.#gone.signal.addEventListener('abort', done)
    })
  }
}
