import { ConnectError } from '../../runtime/errors'
import { partitionKey, type TopicPartition } from '../../runtime/origin'
import { kafkaError } from './errors'
import { byTopic } from './group_offsets'
import type { Cluster } from './protocol'
import { orAbort, pause } from './waiting'

const RETRY_WAIT_MS = 200

export interface ListOptions {
  readonly cluster: Cluster
  /** Ends the waiting, like the signal. */
  readonly over: AbortSignal
  readonly partitions: readonly TopicPartition[]
  /** `latest`: the last stable offset where the cluster reads committed records only. `end`: that of open transactions too. */
  readonly which: 'earliest' | 'latest' | 'end'
}

/** An offset of each partition, by its `partitionKey`. Tries again while leaders move. */
export async function listOffsets(
  { cluster, over, partitions, which }: ListOptions,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const asked = which === 'end' ? uncommitted(cluster) : cluster
  const fromBeginning = which === 'earliest'
  const topics = byTopic(partitions, p => ({ partition: p.partition })).map(t => ({ ...t, fromBeginning }))
  for (;;) {
    if (over.aborted) throw over.reason
    signal.throwIfAborted()
    try {
      const answer = await orAbort(asked.fetchTopicsOffset(topics), over, signal)
      const found = new Map(
        answer.flatMap(t =>
          t.partitions.map(p => [partitionKey({ topic: t.topic, partition: p.partition }), Number(p.offset)] as const),
        ),
      )
      const missing = partitions.find(p => !found.has(partitionKey(p)))
      if (!missing) return found
      throw new ConnectError('K005_UNKNOWN_TOPIC', `no leader is known for ${partitionKey(missing)}`, { retriable: true })
    } catch (thrown) {
      if (over.aborted) throw over.reason
      signal.throwIfAborted()
      const error = kafkaError(thrown, 'list of offsets', { stage: 'read' })
      if (!error.retriable) throw error
    }
    await pause(RETRY_WAIT_MS, over, signal)
    await orAbort(cluster.refreshMetadata(), over, signal).catch(() => {})
  }
}

/**
 * The same cluster, asked for the ends that also open transactions have reached. A broker acknowledges the end of a transaction
 * before its markers stand in the partitions, so that the last stable offset may still lie before records which are committed.
 */
const uncommitted = (cluster: Cluster): Cluster => Object.create(cluster, { isolationLevel: { value: 0 } })
