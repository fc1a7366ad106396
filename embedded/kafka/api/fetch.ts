import { ErrorCode, ProtocolError } from '../errors'
import type { AbortedTransaction } from '../log/producers'
import type { Api, Call } from './api'

/** `fetch.max.bytes` of Apache Kafka's broker: an upper bound whatever the client asks for. */
const MAX_RESPONSE_BYTES = 55 * 1024 * 1024
const READ_COMMITTED = 1

interface Wanted {
  readonly partition: number
  readonly offset: number
  readonly maxBytes: number
}

interface WantedTopic {
  readonly name: string
  readonly partitions: readonly Wanted[]
}

interface Fetched {
  readonly partition: number
  readonly error: ErrorCode
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly startOffset: number
  readonly aborted: readonly AbortedTransaction[]
  readonly records: Buffer
}

interface Round {
  readonly topics: readonly { readonly name: string; readonly partitions: readonly Fetched[] }[]
  readonly bytes: number
  readonly failed: boolean
}

const NO_BYTES = Buffer.alloc(0)

const failure = (partition: number, error: ErrorCode): Fetched => {
  return { partition, error, highWatermark: -1, lastStableOffset: -1, startOffset: -1, aborted: [], records: NO_BYTES }
}

/** Reads what is there now, in the order asked for, until `maxBytes` are full; the first batch found comes whole. */
const readOnce = (call: Call, wanted: readonly WantedTopic[], maxBytes: number, committedOnly: boolean): Round => {
  let bytes = 0
  let failed = false
  const readPartition = (name: string, { partition, offset, maxBytes: partitionMax }: Wanted): Fetched => {
    const log = call.broker.topics.partition(name, partition)
    if (log === undefined) {
      failed = true
      return failure(partition, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    }
    try {
      const room = Math.max(0, Math.min(partitionMax, maxBytes - bytes))
      const { records, aborted } = log.read({ offset, maxBytes: room, atLeastOneBatch: bytes === 0, committedOnly })
      bytes += records.length
      const { endOffset: highWatermark, lastStableOffset, startOffset } = log
      return { partition, error: ErrorCode.NONE, highWatermark, lastStableOffset, startOffset, aborted, records }
    } catch (error) {
      failed = true
      if (error instanceof ProtocolError) return failure(partition, error.code)
      call.broker.log(`read of ${name}-${partition} failed: ${String(error)}`)
      return failure(partition, ErrorCode.KAFKA_STORAGE_ERROR)
    }
  }
  const topics = wanted.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(partition => readPartition(name, partition)),
  }))
  return { topics, bytes, failed }
}

/** Waits until one of the wanted partitions changes, the deadline passes or the client is gone. */
const changed = (call: Call, wanted: readonly WantedTopic[], ms: number): Promise<void> => {
  return new Promise(resolve => {
    const stops: (() => void)[] = []
    const done = (): void => {
      clearTimeout(timer)
      call.gone.removeEventListener('abort', done)
      for (const stop of stops) stop()
      resolve()
    }
    const timer = setTimeout(done, ms)
    call.gone.addEventListener('abort', done)
    for (const { name, partitions } of wanted) {
      for (const { partition } of partitions) {
        const log = call.broker.topics.partition(name, partition)
        if (log !== undefined) stops.push(log.onceChanged(done))
      }
    }
  })
}

export const fetch: Api = {
  key: 1,
  name: 'Fetch',
  versions: [4, 12],
  flexibleFrom: 12,
  handle: async call => {
    const { body, reply, version } = call
    body.int32() // replica id
    const maxWaitMs = body.int32()
    const minBytes = body.int32()
    const maxBytes = Math.min(body.int32(), MAX_RESPONSE_BYTES)
    const committedOnly = body.int8() === READ_COMMITTED
    const sessionId = version >= 7 ? body.int32() : 0
    if (version >= 7) body.int32() // session epoch: every fetch is a full one, see below
    const wanted = body.array((): WantedTopic => {
      const name = body.string()
      const partitions = body.array((): Wanted => {
        const partition = body.int32()
        if (version >= 9) body.int32() // current leader epoch
        const offset = body.int64()
        if (version >= 12) body.int32() // last fetched epoch
        if (version >= 5) body.int64() // the follower's log start
        const partitionMax = body.int32()
        body.tags()
        return { partition, offset, maxBytes: partitionMax }
      })
      body.tags()
      return { name, partitions }
    })

    // KIP-227: answering with session 0 tells the client that there is no session; naming another one is an error
    const sessionError = sessionId === 0 ? ErrorCode.NONE : ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    let round: Round = { topics: [], bytes: 0, failed: false }
    if (sessionError === ErrorCode.NONE) {
      const deadline = Date.now() + maxWaitMs
      for (;;) {
        round = readOnce(call, wanted, maxBytes, committedOnly)
        const left = deadline - Date.now()
        if (round.failed || round.bytes >= minBytes || left <= 0 || wanted.length === 0) break
        await changed(call, wanted, left)
        if (call.gone.aborted) return 'close'
      }
    }

    reply.int32(0)
    if (version >= 7) {
      reply.int16(sessionError)
      reply.int32(0)
    }
    reply.array(round.topics, topic => {
      reply.string(topic.name)
      reply.array(topic.partitions, fetched => {
        reply.int32(fetched.partition)
        reply.int16(fetched.error)
        reply.int64(fetched.highWatermark)
        reply.int64(fetched.lastStableOffset)
        if (version >= 5) reply.int64(fetched.startOffset)
        if (committedOnly) {
          reply.array(fetched.aborted, aborted => {
            reply.int64(aborted.producerId)
            reply.int64(aborted.firstOffset)
            reply.tags()
          })
        } else reply.nullArray()
        if (version >= 11) reply.int32(-1) // preferred read replica
        reply.bytes(fetched.records)
        reply.tags()
      })
      reply.tags()
    })
    reply.tags()
    return 'reply'
  },
}
