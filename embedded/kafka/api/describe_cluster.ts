import { ErrorCode } from '../errors'
import type { Api } from './api'

/** Authorised operations were not asked for. */
const NOT_ASKED = -2_147_483_648

export const describeCluster: Api = {
  key: 60,
  name: 'DescribeCluster',
  versions: [0, 0],
  flexibleFrom: 0,
  handle: async ({ body, reply, broker }) => {
    body.boolean()
    body.tags()
    reply.int32(0)
    reply.int16(ErrorCode.NONE)
    reply.string(null)
    reply.string(broker.clusterId)
    reply.int32(broker.node.id)
    reply.array([broker.node], node => {
      reply.int32(node.id)
      reply.string(node.host)
      reply.int32(node.port)
      reply.string(null)
      reply.tags()
    })
    reply.int32(NOT_ASKED)
    reply.tags()
    return 'reply'
  },
}
