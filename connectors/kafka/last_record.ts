import { ConnectError } from '../../runtime/errors'
import { partitionKey, type TopicPartition } from '../../runtime/origin'
import { FetchAnswers } from './fetch_socket'
import { listOffsets } from './list_offsets'
import type { Cluster } from './protocol'
import { fetchOnce } from './raw_fetch'
import { readRecordSet } from './record_set'
import { orAbort, pause } from './waiting'

/** How far before the end it looks first: a transaction takes an offset beside its records, and some were aborted. */
const FIRST_LOOK = 64
const FURTHER = 8
const MAX_BYTES = 1024 * 1024
const WAIT_MS = 50

export interface LastRecordOptions {
  readonly cluster: Cluster
  readonly partition: TopicPartition
  readonly requestTimeout: number
}

/** The last committed record of a partition (null: it has none) and the offset of the next. Nobody may be writing. */
export async function lastRecord(
  o: LastRecordOptions,
  signal: AbortSignal,
): Promise<{ readonly value: Buffer | null; readonly next: number }> {
  const { cluster, partition } = o
  const at = async (which: 'earliest' | 'end'): Promise<number> =>
    (await listOffsets({ cluster, over: signal, partitions: [partition], which }, signal)).get(partitionKey(partition)) ?? 0
  const start = await at('earliest')
  const next = await at('end')
  for (let look = FIRST_LOOK; ; look *= FURTHER) {
    const from = Math.max(start, next - look)
    const value = await lastBetween(o, from, next, signal)
    if (value || from === start) return { value, next }
  }
}

async function lastBetween(o: LastRecordOptions, from: number, to: number, signal: AbortSignal): Promise<Buffer | null> {
  const { cluster, partition, requestTimeout } = o
  const deadline = performance.now() + requestTimeout
  const answers = new FetchAnswers()
  let last: Buffer | null = null
  for (let offset = from; offset < to; ) {
    const leader = cluster.findTopicPartitionMetadata(partition.topic).find(p => p.partitionId === partition.partition)?.leader
    const fetching = cluster
      .findBroker({ nodeId: leader ?? -1 })
      .then(broker =>
        fetchOnce(broker, { ...partition, offset, maxBytes: MAX_BYTES, maxWaitTime: WAIT_MS }, { requestTimeout, answers }),
      )
    const { chunks, error } = readRecordSet(await orAbort(fetching, signal))
    if (error) throw error
    for (const { block, damaged, next } of chunks) {
      if (damaged) throw damaged.error
      const row = (block?.count ?? 0) - 1
      if (block?.kind === 'records' && row >= 0)
        last = Buffer.from(block.buffer.subarray(block.valueStart[row], block.valueEnd[row]))
      offset = next
    }
    if (chunks.length > 0) continue
    if (performance.now() > deadline)
      throw new ConnectError('K004_KAFKA_BUSY', `${partitionKey(partition)}: nothing is given out between ${offset} and ${to}`)
    await pause(WAIT_MS, signal)
  }
  return last
}
