import { ErrorCode, ProtocolError } from '../errors'
import type { Api } from './api'
import { readOffsets, writeOffsetResults } from './offset_commit'
import { refusal } from './refusal'

export const txnOffsetCommit: Api = {
  key: 28,
  name: 'TxnOffsetCommit',
  versions: [0, 3],
  flexibleFrom: 3,
  handle: async call => {
    const { body, reply, version, broker } = call
    const transactionalId = body.string()
    const groupId = body.string()
    const producerId = body.int64()
    const epoch = body.int16()
    // KIP-447: the consumer's identity, so that a member that lost its partitions cannot commit for them
    const generation = version >= 3 ? body.int32() : -1
    const memberId = version >= 3 ? body.string() : ''
    const instanceId = version >= 3 ? body.nullableString() : null
    const topics = readOffsets(call, version >= 2)
    body.tags()

    const { groups, transactions } = broker
    const refused = refusal(false, () => {
      transactions.checkGroup(transactionalId, { producerId, epoch }, groupId)
      const group = generation < 0 ? groups.getOrCreate(groupId) : groups.get(groupId)
      const code = group?.checkCommit({ memberId, instanceId, generation, transactional: true }) ?? ErrorCode.ILLEGAL_GENERATION
      if (code !== ErrorCode.NONE) throw new ProtocolError(code, `commit refused to ${memberId || transactionalId}`)
    })
    reply.int32(0)
    writeOffsetResults(call, topics, refused, offsets => groups.offsets.addPending(groupId, producerId, offsets))
    reply.tags()
    return 'reply'
  },
}
