import { ConnectError } from '../../runtime/errors'
import type { TopicPartition } from '../../runtime/origin'
import type { FetchAnswers } from './fetch_socket'
import type { Frame } from './frame_pool'
import { API, type Broker, type FetchRequest, type ProtocolCall, requestDefinition } from './protocol'
import type { AbortedTransaction, FetchedSet } from './record_set'

/** Where fetched record sets go; what kafkajs thinks of positions plays no part. */
export interface FetchTarget {
  /** Next offset to fetch of a partition, or null while nothing of it is wanted. */
  position(partition: TopicPartition): number | null
  deliver(fetched: FetchedSet): void
  /** Ends the session with an error that fetching again would not cure. */
  fail(error: ConnectError): void
  /** Waits until a partition may be wanted again, at most `ms`. */
  idle(ms: number): Promise<void>
}

/**
 * Replaces a broker's `fetch`: the answer is cut into record sets and handed over undecoded, and kafkajs is told that nothing
 * came. So its loop keeps fetching, heartbeating and recovering from lost connections, while records never pass through its
 * objects (13 times the CPU), nor through its pausing (which throws fetched data away) and seeking.
 */
export async function fetchRaw(broker: Broker, asked: FetchRequest, options: FetchOptions, target: FetchTarget): Promise<void> {
  const wanted = wantedPartitions(asked, target)
  if (wanted.length === 0) return target.idle(asked.maxWaitTime)
  const call = broker.lookupRequest(
    API.fetch,
    requestDefinition('Fetch'),
  )({ ...asked, topics: rotate(wanted, options.turn.next()) })
  const { partitions: answer, frame } = await send(broker, call, asked.maxWaitTime + options.requestTimeout, options.answers)
  const positions = new Map(wanted.map(w => [`${w.topic}|${w.partitions[0].partition}`, Number(w.partitions[0].fetchOffset)]))
  let stale = false
  for (const part of answer) {
    const fetchOffset = positions.get(`${part.topic}|${part.partition}`)
    if (fetchOffset === undefined) continue
    if (part.errorCode === 0) {
      if (part.records.length > 0) target.deliver({ ...part, fetchOffset, frame })
    } else if (RETRIABLE.has(part.errorCode)) stale = true
    else target.fail(fetchError(part, fetchOffset))
  }
  frame?.release()
  // a leader moved or is not there yet: kafkajs itself would join the group again for this, and so stop every worker
  if (stale) {
    await options.refreshMetadata()
    await target.idle(asked.maxWaitTime)
  }
}

/** One fetch of one partition, committed records only, for a reader without a session. */
export async function fetchOnce(
  broker: Broker,
  what: TopicPartition & { readonly offset: number; readonly maxBytes: number; readonly maxWaitTime: number },
  options: Pick<FetchOptions, 'requestTimeout' | 'answers'>,
): Promise<FetchedSet> {
  const { topic, partition, offset, maxBytes, maxWaitTime } = what
  const partitions = [{ partition, fetchOffset: String(offset), maxBytes }]
  const asked = {
    maxWaitTime,
    minBytes: 1,
    maxBytes,
    isolationLevel: READ_COMMITTED,
    rackId: '',
    topics: [{ topic, partitions }],
  }
  const call = broker.lookupRequest(API.fetch, requestDefinition('Fetch'))(asked)
  // the frame, if it has one, is left to the garbage collector: this is asked seldom
  const { partitions: found } = await send(broker, call, maxWaitTime + options.requestTimeout, options.answers)
  const [part] = found
  if (!part || RETRIABLE.has(part.errorCode))
    throw new ConnectError('K004_KAFKA_BUSY', `${topic}/${partition}: no leader gives records`)
  if (part.errorCode !== 0) throw fetchError(part, offset)
  return { ...part, fetchOffset: offset }
}

const READ_COMMITTED = 1

export interface FetchOptions {
  readonly requestTimeout: number
  readonly turn: Turn
  /** What the client's sockets hold. */
  readonly answers: FetchAnswers
  refreshMetadata(): Promise<void>
}

/** Which partition comes first in the next request: the broker fills an answer in request order (KIP-74). */
export class Turn {
  #n = 0
  next(): number {
    return this.#n++
  }
}

type Wanted = FetchRequest['topics'][number]

function wantedPartitions(asked: FetchRequest, target: FetchTarget): readonly Wanted[] {
  const wanted: Wanted[] = []
  for (const { topic, partitions } of asked.topics) {
    for (const { partition, maxBytes } of partitions) {
      const position = target.position({ topic, partition })
      if (position !== null) wanted.push({ topic, partitions: [{ partition, fetchOffset: String(position), maxBytes }] })
    }
  }
  return wanted
}

const rotate = (list: readonly Wanted[], turn: number): readonly Wanted[] => {
  const first = turn % list.length
  return [...list.slice(first), ...list.slice(0, first)]
}

interface FetchedPartition extends Omit<FetchedSet, 'fetchOffset' | 'frame'> {
  readonly errorCode: number
}

async function send(broker: Broker, call: ProtocolCall, requestTimeout: number, answers: FetchAnswers) {
  const { apiVersion } = call.request
  let partitions: readonly FetchedPartition[] = []
  let frame = null as Frame | null
  try {
    await broker.connectionPool.send({
      request: call.request,
      requestTimeout,
      response: {
        async decode(raw) {
          const held = answers.exchange(raw)
          frame = held.frame
          const answer = decodeFetch(held.payload, apiVersion)
          partitions = answer.partitions
          return { clientSideThrottleTime: answer.throttleTime }
        },
        parse: async data => data,
      },
    })
  } catch (error) {
    // as kafkajs's own requests do: a closed connection is not kept in the pool
    if (error instanceof Error && error.name === 'KafkaJSConnectionClosedError') await broker.disconnect()
    throw error
  }
  return { partitions, frame }
}

/** A leader that moved, starts or is not known yet; a replica or disk that is away (numbers of the protocol guide). */
const RETRIABLE: ReadonlySet<number> = new Set([3, 5, 6, 7, 9, 13, 56, 74, 75, 78])
const OFFSET_OUT_OF_RANGE = 1
const TOPIC_AUTHORIZATION_FAILED = 29

function fetchError(part: FetchedPartition, fetchOffset: number): ConnectError {
  const where = `${part.topic}/${part.partition}`
  switch (part.errorCode) {
    case OFFSET_OUT_OF_RANGE:
      return new ConnectError('K001_OFFSET_OUT_OF_RANGE', `${where}: offset ${fetchOffset} is not in the topic any more`, {
        stage: 'read',
      })
    case TOPIC_AUTHORIZATION_FAILED:
      return new ConnectError('E007_AUTHORIZATION', `${where}: this user may not read the topic`, { stage: 'read' })
    default:
      return new ConnectError(
        'K003_KAFKA_ERROR',
        `${where}: the broker answered a fetch at ${fetchOffset} with error ${part.errorCode}`,
        {
          stage: 'read',
        },
      )
  }
}

/** First version whose batches are of format 2 and which can leave out aborted transactions (Kafka 0.11). */
const OLDEST_VERSION = 4

/** A Fetch response, versions 4 to 11 (https://kafka.apache.org/protocol#The_Messages_Fetch). Record sets stay views of `raw`. */
export function decodeFetch(
  raw: Buffer,
  version: number,
): { readonly throttleTime: number; readonly partitions: readonly FetchedPartition[] } {
  if (version < OLDEST_VERSION)
    throw new ConnectError('K003_KAFKA_ERROR', 'the broker is older than Kafka 0.11, which cannot be read')
  let p = 0
  const int16 = (): number => {
    p += 2
    return raw.readInt16BE(p - 2)
  }
  const int32 = (): number => {
    p += 4
    return raw.readInt32BE(p - 4)
  }
  const int64 = (): bigint => {
    p += 8
    return raw.readBigInt64BE(p - 8)
  }
  const throttleTime = int32()
  if (version >= 7) {
    int16() // error code of a fetch session, which we do not use
    int32()
  }
  const partitions: FetchedPartition[] = []
  for (let topics = int32(); topics > 0; topics--) {
    const length = int16()
    const topic = raw.toString('utf8', p, p + length)
    p += length
    for (let n = int32(); n > 0; n--) {
      const partition = int32()
      const errorCode = int16()
      const highWatermark = Number(int64())
      p += version >= 5 ? 16 : 8 // last stable offset, log start offset
      const aborted: AbortedTransaction[] = []
      for (let a = int32(); a > 0; a--) aborted.push({ producerId: int64(), firstOffset: Number(int64()) })
      if (version >= 11) p += 4 // preferred read replica
      const size = Math.max(0, int32())
      partitions.push({ topic, partition, errorCode, highWatermark, aborted, records: raw.subarray(p, p + size) })
      p += size
    }
  }
  return { throttleTime, partitions }
}
