import { ErrorCode } from '../errors'
import type { Api } from './api'

/** The coordinator of everything is the one node there is. */
export const findCoordinator: Api = {
  key: 10,
  name: 'FindCoordinator',
  versions: [0, 4],
  flexibleFrom: 3,
  handle: async ({ body, reply, version, broker }) => {
    const { id, host, port } = broker.node
    const single = version < 4 ? body.string() : undefined
    const type = version >= 1 ? body.int8() : 0
    const keys = version >= 4 ? body.array(() => body.string()) : []
    body.tags()
    // 0 is a group, 1 a transactional id
    const error = type === 0 || type === 1 ? ErrorCode.NONE : ErrorCode.INVALID_REQUEST
    if (version >= 1) reply.int32(0)
    if (single !== undefined) {
      reply.int16(error)
      if (version >= 1) reply.string(null)
      reply.int32(id)
      reply.string(host)
      reply.int32(port)
    } else {
      reply.array(keys, key => {
        reply.string(key)
        reply.int32(id)
        reply.string(host)
        reply.int32(port)
        reply.int16(error)
        reply.string(null)
        reply.tags()
      })
    }
    reply.tags()
    return 'reply'
  },
}
