import { ErrorCode } from '../errors'
import { refusedSync } from '../groups/requests'
import type { Api } from './api'

export const syncGroup: Api = {
  key: 14,
  name: 'SyncGroup',
  versions: [0, 5],
  flexibleFrom: 4,
  handle: async ({ body, reply, version, broker }) => {
    const groupId = body.string()
    const generation = body.int32()
    const memberId = body.string()
    const instanceId = version >= 3 ? body.nullableString() : null
    const protocolType = version >= 5 ? body.nullableString() : null
    const protocol = version >= 5 ? body.nullableString() : null
    const assignments = new Map<string, Buffer>()
    body.array(() => {
      assignments.set(body.string(), Buffer.from(body.bytes()))
      body.tags()
    })
    body.tags()

    const group = broker.groups.get(groupId)
    const request = { memberId, instanceId, generation, protocolType, protocol, assignments }
    const unknown = groupId === '' ? ErrorCode.INVALID_GROUP_ID : ErrorCode.UNKNOWN_MEMBER_ID
    const result = group === undefined ? refusedSync(unknown) : await group.sync(request)

    if (version >= 1) reply.int32(0)
    reply.int16(result.error)
    if (version >= 5) {
      reply.string(result.protocolType)
      reply.string(result.protocol)
    }
    reply.bytes(result.assignment)
    reply.tags()
    return 'reply'
  },
}
