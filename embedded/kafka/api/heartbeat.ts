import { ErrorCode } from '../errors'
import type { Api } from './api'

export const heartbeat: Api = {
  key: 12,
  name: 'Heartbeat',
  versions: [0, 4],
  flexibleFrom: 4,
  handle: async ({ body, reply, version, broker }) => {
    const groupId = body.string()
    const generation = body.int32()
    const memberId = body.string()
    const instanceId = version >= 3 ? body.nullableString() : null
    body.tags()
    const error = broker.groups.get(groupId)?.heartbeat({ memberId, instanceId, generation }) ?? ErrorCode.UNKNOWN_MEMBER_ID
    if (version >= 1) reply.int32(0)
    reply.int16(error)
    reply.tags()
    return 'reply'
  },
}
