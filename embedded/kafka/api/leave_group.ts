import { ErrorCode } from '../errors'
import type { Api } from './api'

export const leaveGroup: Api = {
  key: 13,
  name: 'LeaveGroup',
  versions: [0, 4],
  flexibleFrom: 4,
  handle: async ({ body, reply, version, broker }) => {
    const groupId = body.string()
    const readMember = (): { memberId: string; instanceId: string | null } => {
      const member = { memberId: body.string(), instanceId: version >= 3 ? body.nullableString() : null }
      body.tags()
      return member
    }
    const members = version >= 3 ? body.array(readMember) : [readMember()]
    body.tags()
    const group = broker.groups.get(groupId)
    const left = members.map(member => {
      return { ...member, error: group?.leave(member.memberId, member.instanceId) ?? ErrorCode.UNKNOWN_MEMBER_ID }
    })
    if (version >= 1) reply.int32(0)
    reply.int16(version >= 3 ? ErrorCode.NONE : (left[0]?.error ?? ErrorCode.NONE))
    if (version >= 3) {
      reply.array(left, member => {
        reply.string(member.memberId)
        reply.string(member.instanceId)
        reply.int16(member.error)
        reply.tags()
      })
    }
    reply.tags()
    return 'reply'
  },
}
