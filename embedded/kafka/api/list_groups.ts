import { ErrorCode } from '../errors'
import type { Api } from './api'

export const listGroups: Api = {
  key: 16,
  name: 'ListGroups',
  versions: [0, 4],
  flexibleFrom: 3,
  handle: async ({ body, reply, version, broker }) => {
    const states = version >= 4 ? body.array(() => body.string()) : []
    body.tags()
    const groups = broker.groups.all().filter(group => states.length === 0 || states.includes(group.state))
    if (version >= 1) reply.int32(0)
    reply.int16(ErrorCode.NONE)
    reply.array(groups, group => {
      reply.string(group.id)
      reply.string(group.protocolType ?? '')
      if (version >= 4) reply.string(group.state)
      reply.tags()
    })
    reply.tags()
    return 'reply'
  },
}
