import type { Broker } from '../broker'
import type { Reader } from '../wire/reader'
import type { Writer } from '../wire/writer'

/** One request being answered. */
export interface Call {
  readonly version: number
  readonly clientId: string
  /** Address of the client, as DescribeGroups shows it. */
  readonly host: string
  readonly body: Reader
  readonly reply: Writer
  readonly broker: Broker
  /** Aborted when the connection is gone: a held-back request stops waiting. */
  readonly gone: AbortSignal
}

/** `no reply` is for Produce with acks=0, the only request that has none. `close` ends the connection instead of answering. */
export type Outcome = 'reply' | 'no reply' | 'close'

/**
 * One API of the protocol. `handle` reads the whole body, then writes the reply's body; the server does both headers. It answers
 * refusals with error codes; a MalformedRequest or any other error it throws closes the connection.
 */
export interface Api {
  readonly key: number
  readonly name: string
  /** First and last version served. */
  readonly versions: readonly [number, number]
  /** First version in the compact form of KIP-482; Infinity if none of those served is. */
  readonly flexibleFrom: number
  readonly handle: (call: Call) => Promise<Outcome>
}
