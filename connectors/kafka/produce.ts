import { API, type Broker, requestDefinition } from './protocol'

export interface ProduceRequest {
  /** Null outside of transactions. */
  readonly transactionalId: string | null
  /** Longest wait of the broker for its replicas, ms. */
  readonly timeout: number
  readonly topic: string
  readonly partition: number
  /** One encoded record batch. */
  readonly set: Buffer
}

export interface ProduceAnswer {
  readonly errorCode: number
}

interface ProduceResponse {
  readonly topics: readonly { readonly partitions: readonly ProduceAnswer[] }[]
}

/** All in-sync replicas: the only setting under which an answer means anything for exactly once. */
const ACKS_ALL = -1

/**
 * One Produce request, versions 3 to 7 (https://kafka.apache.org/protocol#The_Messages_Produce), with a batch that is already
 * encoded. kafkajs decodes the answer; its own request would encode an object a record.
 */
export async function sendProduce(
  broker: Broker,
  { transactionalId, timeout, topic, partition, set }: ProduceRequest,
): Promise<ProduceAnswer> {
  const call = broker.lookupRequest(API.produce, requestDefinition('Produce'))({ acks: ACKS_ALL, timeout, topicData: [] })
  const payload = encode(transactionalId, timeout, topic, partition, set)
  const answer = (await broker.connectionPool.send({
    request: { ...call.request, encode: async () => ({ buf: payload, buffer: payload }) },
    response: { decode: call.response.decode, parse: async data => data },
  })) as ProduceResponse
  return answer.topics[0].partitions[0]
}

function encode(transactionalId: string | null, timeout: number, topic: string, partition: number, set: Buffer): Buffer {
  const id = Buffer.from(transactionalId ?? '')
  const name = Buffer.from(topic)
  const head = Buffer.alloc(2 + id.length + 2 + 4 + 4 + 2 + name.length + 4 + 4 + 4)
  let p = head.writeInt16BE(transactionalId === null ? -1 : id.length, 0)
  p += id.copy(head, p)
  p = head.writeInt16BE(ACKS_ALL, p)
  p = head.writeInt32BE(timeout, p)
  p = head.writeInt32BE(1, p) // topics
  p = head.writeInt16BE(name.length, p)
  p += name.copy(head, p)
  p = head.writeInt32BE(1, p) // partitions
  p = head.writeInt32BE(partition, p)
  head.writeInt32BE(set.length, p)
  return Buffer.concat([head, set])
}
