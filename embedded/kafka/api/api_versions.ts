import { ErrorCode } from '../errors'
import type { Writer } from '../wire/writer'
import type { Api } from './api'

export const API_VERSIONS_KEY = 18

/** Version of the answer to a client that asked in a version unknown here (KIP-511): every client can read it. */
const FALLBACK_VERSION = 0

const write = (reply: Writer, apis: readonly Api[], version: number, error: ErrorCode): void => {
  reply.int16(error)
  reply.array(apis, ({ key, versions: [min, max] }) => {
    reply.int16(key)
    reply.int16(min)
    reply.int16(max)
    reply.tags()
  })
  if (version >= 1) reply.int32(0)
  reply.tags()
}

/** ApiVersions, which lists the table it stands in itself. */
export const apiVersions = (others: readonly Api[]): Api => {
  const own: Api = {
    key: API_VERSIONS_KEY,
    name: 'ApiVersions',
    versions: [0, 3],
    flexibleFrom: 3,
    handle: async ({ reply, version }) => {
      write(reply, [...others, own], version, ErrorCode.NONE)
      return 'reply'
    },
  }
  return own
}

/** The answer to an ApiVersions request of a version that is too new. */
export const writeVersionFallback = (reply: Writer, apis: readonly Api[]): void => {
  write(reply, apis, FALLBACK_VERSION, ErrorCode.UNSUPPORTED_VERSION)
}
