import { connect } from 'node:net'
import type { ISocketFactory } from 'kafkajs'
import { ConnectError } from '../../runtime/errors'
import { type Frame, FramePool } from './frame_pool'
import { FrameReader, LENGTH_BYTES } from './frames'
import { API } from './protocol'

/**
 * kafkajs puts an answer together from pieces of 64 KB: fresh memory for each, and all of it copied into fresh memory again. For
 * the megabytes that a fetch brings this was a fifth of a worker's time. Here answers are read straight into their place. kafkajs
 * is given a ticket instead of the answer to a fetch, which `FetchAnswers.exchange` turns into the answer; it sees every other
 * answer unchanged.
 */

/** As kafkajs's own sockets do. */
const KEEP_ALIVE_MS = 60_000

/** Position of the request's kind and of its correlation id, counted from the length field, and how much holds both. */
const API_KEY_AT = 4
const REQUEST_ID_AT = 8
const REQUEST_HEAD = 12
/** Where the payload of an answer begins: after its length and correlation id. */
const PAYLOAD_AT = LENGTH_BYTES + 4

/** A ticket: length, correlation id, then these eight bytes and its number. No answer to a fetch is as short and not empty. */
const TICKET = Buffer.from('fetched:')
const TICKET_PAYLOAD = TICKET.length + 4

/** An answer (without length and correlation id) and the memory it lies in, to be released; null: its own. */
export interface Answer {
  readonly payload: Buffer
  readonly frame: Frame | null
}

/** Answers to fetches between their arrival and their decoding. */
export class FetchAnswers {
  readonly pool = new FramePool()
  readonly #held = new Map<number, Answer>()
  #next = 0

  /** Keeps an answer (without length and correlation id) until it is exchanged or dropped; returns the number of its ticket. */
  hold(answer: Answer): number {
    const number = this.#next
    this.#next = (number + 1) & 0x7fffffff
    this.#held.set(number, answer)
    return number
  }

  drop(number: number): void {
    this.#held.delete(number)
  }

  /** Answers that are held now. */
  get size(): number {
    return this.#held.size
  }

  /** What kafkajs gave out as the payload of a fetch: the answer that its ticket stands for, or itself if it is no ticket. */
  exchange(payload: Buffer): Answer {
    if (payload.length !== TICKET_PAYLOAD || !payload.subarray(0, TICKET.length).equals(TICKET)) return { payload, frame: null }
    const number = payload.readInt32BE(TICKET.length)
    const answer = this.#held.get(number)
    if (!answer) throw new ConnectError('K004_KAFKA_BUSY', 'the answer to a fetch came too late', { stage: 'read' })
    this.#held.delete(number)
    return answer
  }
}

/** Sockets for kafkajs's `socketFactory`; without TLS only. */
export const fetchSockets =
  (answers: FetchAnswers): ISocketFactory =>
  ({ host, port, onConnect }) => {
    const exchange = new Exchange(answers, data => socket.emit('data', data))
    const frames = new FrameReader((frame, lent) => exchange.answered(frame, lent), answers.pool)
    const onread = {
      buffer: () => frames.space(),
      callback: (bytes: number) => {
        try {
          frames.filled(bytes)
        } catch (error) {
          socket.destroy(error instanceof Error ? error : new Error(String(error)))
        }
        return true
      },
    }
    const socket = connect({ host, port, onread }, onConnect)
    const { write } = socket
    // kafkajs writes each request whole
    socket.write = (data: unknown, ...rest: readonly unknown[]): boolean => {
      if (Buffer.isBuffer(data)) exchange.asking(data)
      return Reflect.apply(write, socket, [data, ...rest])
    }
    socket.once('close', () => exchange.close())
    return socket.setKeepAlive(true, KEEP_ALIVE_MS)
  }

/** What is asked and answered over one socket. */
class Exchange {
  readonly #answers: FetchAnswers
  readonly #give: (data: Buffer) => void
  /** Correlation ids of fetches that were asked and not answered yet. */
  readonly #asked = new Set<number>()
  /** The ticket given out last. */
  #ticket: number | null = null

  constructor(answers: FetchAnswers, give: (data: Buffer) => void) {
    this.#answers = answers
    this.#give = give
  }

  asking(request: Buffer): void {
    if (request.length < REQUEST_HEAD || request.readInt16BE(API_KEY_AT) !== API.fetch) return
    // an answer that is still held was not waited for (its request had timed out): kafkajs fetches one after another
    this.close()
    this.#asked.add(request.readInt32BE(REQUEST_ID_AT))
  }

  answered(frame: Buffer, lent: Frame | null): void {
    const isFetch = frame.length >= PAYLOAD_AT && this.#asked.delete(frame.readInt32BE(LENGTH_BYTES))
    this.#give(isFetch ? this.#ticketFor(frame, lent) : frame)
  }

  close(): void {
    if (this.#ticket !== null) this.#answers.drop(this.#ticket)
    this.#ticket = null
  }

  #ticketFor(frame: Buffer, lent: Frame | null): Buffer {
    const number = this.#answers.hold({ payload: frame.subarray(PAYLOAD_AT), frame: lent })
    const ticket = Buffer.alloc(PAYLOAD_AT + TICKET_PAYLOAD)
    ticket.writeInt32BE(ticket.length - LENGTH_BYTES)
    frame.copy(ticket, LENGTH_BYTES, LENGTH_BYTES, PAYLOAD_AT)
    TICKET.copy(ticket, PAYLOAD_AT)
    ticket.writeInt32BE(number, PAYLOAD_AT + TICKET.length)
    this.#ticket = number
    return ticket
  }
}
