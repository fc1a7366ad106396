import { ErrorCode } from '../errors'
import type { JoinResult } from '../groups/member'
import { refusedJoin } from '../groups/requests'
import type { Api } from './api'

export const joinGroup: Api = {
  key: 11,
  name: 'JoinGroup',
  versions: [0, 7],
  flexibleFrom: 6,
  handle: async ({ body, reply, version, clientId, host, broker }) => {
    const groupId = body.string()
    const sessionTimeoutMs = body.int32()
    const rebalanceTimeoutMs = version >= 1 ? body.int32() : sessionTimeoutMs
    const memberId = body.string()
    const instanceId = version >= 5 ? body.nullableString() : null
    const protocolType = body.string()
    const protocols = body.array(() => {
      // copied: the group keeps it longer than the request lives
      const protocol = { name: body.string(), metadata: Buffer.from(body.bytes()) }
      body.tags()
      return protocol
    })
    body.tags()

    const { minSessionTimeoutMs, maxSessionTimeoutMs } = broker.groups.options
    const join = async (): Promise<JoinResult> => {
      if (groupId === '') return refusedJoin(ErrorCode.INVALID_GROUP_ID, memberId)
      if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
        return refusedJoin(ErrorCode.INVALID_SESSION_TIMEOUT, memberId)
      }
      const group = memberId === '' ? broker.groups.getOrCreate(groupId) : broker.groups.get(groupId)
      if (group === undefined) return refusedJoin(ErrorCode.UNKNOWN_MEMBER_ID, memberId)
      const identity = { memberId, instanceId, clientId, host, idFirst: version >= 4 }
      return group.join({ ...identity, sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols })
    }
    const result = await join()

    if (version >= 2) reply.int32(0)
    reply.int16(result.error)
    reply.int32(result.generation)
    if (version >= 7) reply.string(result.protocolType)
    reply.string(version >= 7 ? result.protocol : (result.protocol ?? ''))
    reply.string(result.leader)
    reply.string(result.memberId)
    reply.array(result.members, member => {
      reply.string(member.id)
      if (version >= 5) reply.string(member.instanceId)
      reply.bytes(member.metadata)
      reply.tags()
    })
    reply.tags()
    return 'reply'
  },
}
