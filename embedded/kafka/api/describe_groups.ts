import { ErrorCode } from '../errors'
import type { Api } from './api'

const NO_BYTES = Buffer.alloc(0)
/** Authorised operations were not asked for. */
const NOT_ASKED = -2_147_483_648

export const describeGroups: Api = {
  key: 15,
  name: 'DescribeGroups',
  versions: [0, 5],
  flexibleFrom: 5,
  handle: async ({ body, reply, version, broker }) => {
    const ids = body.array(() => body.string())
    if (version >= 3) body.boolean()
    body.tags()
    if (version >= 1) reply.int32(0)
    reply.array(ids, id => {
      const group = broker.groups.get(id)
      const stable = group?.state === 'Stable'
      reply.int16(ErrorCode.NONE)
      reply.string(id)
      reply.string(group?.state ?? 'Dead')
      reply.string(group?.protocolType ?? '')
      reply.string(stable ? group.protocol : '')
      reply.array(group?.members ?? [], member => {
        reply.string(member.id)
        if (version >= 4) reply.string(member.instanceId)
        reply.string(member.clientId)
        reply.string(member.host)
        reply.bytes(stable ? member.metadata(group.protocol) : NO_BYTES)
        reply.bytes(stable ? member.assignment : NO_BYTES)
        reply.tags()
      })
      if (version >= 3) reply.int32(NOT_ASKED)
      reply.tags()
    })
    reply.tags()
    return 'reply'
  },
}
