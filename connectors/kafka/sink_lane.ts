import type { Batch } from '../../runtime/batch'
import { asConnectError, ConnectError } from '../../runtime/errors'
import type { Committed, Position, SinkLaneInfo, TransactionLane, TransactionWrite, WriteResult } from '../../runtime/plugin'
import type { CodecName } from './codecs'
import { kafkaError } from './errors'
import type { RowEncoder, RowParcel } from './outgoing'
import type { Cluster } from './protocol'
import { encodeLanePositions, fetchLanePositions, type LanePositions, merged, positionsTopic } from './sink_positions'
import { type OffsetsGroup, TransactionalProducer } from './transactional_producer'

export interface SinkLaneOptions {
  readonly cluster: Cluster
  readonly clusterName: string
  readonly pipeline: string
  readonly groupId: string
  readonly transactionalId: string
  readonly info: SinkLaneInfo
  readonly encoder: RowEncoder
  readonly codec: CodecName
  readonly transactionTimeout: number
}

const ABORT_MS = 5_000
/** The broker refused the records themselves: too large (10, 18), invalid (87), a time it does not take (32). */
const REFUSED: ReadonlyMap<number, string> = new Map([
  [10, 'MESSAGE_TOO_LARGE'],
  [18, 'RECORD_LIST_TOO_LARGE'],
  [87, 'INVALID_RECORD'],
  [32, 'INVALID_TIMESTAMP'],
])
const TOO_LARGE: ReadonlySet<number> = new Set([10, 18])

/**
 * One transaction a batch, holding its records and its positions. Opening it fences the lane's last writer; positions are read
 * after that. After any error nothing is sent through it any more: the engine opens it again and reads the position.
 */
export class KafkaSinkLane implements TransactionLane {
  readonly delivery = 'transaction'
  readonly #o: SinkLaneOptions
  readonly #producer: TransactionalProducer
  /** True where the position belongs into the source's own group. */
  readonly #sameCluster: boolean
  #stored: LanePositions | null = null
  #broken = false

  private constructor(options: SinkLaneOptions) {
    this.#o = options
    this.#sameCluster = options.info.group?.cluster === options.clusterName
    this.#producer = new TransactionalProducer({
      cluster: options.cluster,
      transactionalId: options.transactionalId,
      timeout: options.transactionTimeout,
      codec: options.codec,
    })
  }

  static async open(options: SinkLaneOptions, signal: AbortSignal): Promise<KafkaSinkLane> {
    const lane = new KafkaSinkLane(options)
    await lane.#producer.fence(signal)
    return lane
  }

  async committed(signal: AbortSignal): Promise<ReadonlyMap<string, Committed> | null> {
    if (this.#sameCluster) return null
    signal.throwIfAborted()
    const { cluster, groupId, pipeline, info } = this.#o
    try {
      this.#stored = await fetchLanePositions(cluster, groupId, pipeline, info.lane)
    } catch (thrown) {
      throw kafkaError(thrown, 'fetch of positions', { stage: 'write' })
    }
    return this.#stored.positions
  }

  async write(batch: Batch, { positions, settle, signal }: TransactionWrite): Promise<WriteResult> {
    if (this.#broken) throw new ConnectError('P007_RESULT_UNKNOWN', 'this writer failed before; its position must be looked up')
    this.#broken = true
    const started = performance.now()
    let committing = false
    try {
      const { parcels, failed } = this.#o.encoder.encode(batch)
      for (const parcel of parcels) failed.push(...(await this.#send(parcel, signal)))
      failed.sort((a, b) => a.row - b.row)
      await settle(failed)
      const next = await this.#sendPositions(positions, signal)
      committing = true
      await this.#producer.commit(signal)
      this.#stored = next
      this.#broken = false
      return { written: batch.length - failed.length, failed }
    } catch (thrown) {
      throw await this.#failed(thrown, {
        unknown: committing || performance.now() - started >= this.#o.transactionTimeout,
        signal,
      })
    }
  }

  async close(): Promise<void> {
    this.#broken = true
  }

  /** Rows of the parcel that the broker refuses, found by halving it; all others are written. */
  async #send(parcel: RowParcel, signal: AbortSignal): Promise<WriteResult['failed']> {
    const code = await this.#producer.send(parcel, signal)
    if (code === 0) return []
    const { records, rows, topic, partition } = parcel
    const name = REFUSED.get(code)
    if (name === undefined)
      throw new ConnectError('K003_KAFKA_ERROR', `${topic}/${partition}: the broker refused a write with error ${code}`, {
        stage: 'write',
      })
    if (rows.length > 1) {
      const half = rows.length >> 1
      const first = await this.#send({ ...parcel, records: records.slice(0, half), rows: rows.slice(0, half) }, signal)
      return [...first, ...(await this.#send({ ...parcel, records: records.slice(half), rows: rows.slice(half) }, signal))]
    }
    const size = (records[0].value?.length ?? 0) + (records[0].key?.length ?? 0)
    const error = TOO_LARGE.has(code)
      ? new ConnectError('D011_TOO_LARGE', `the record has ${size} bytes, more than topic ${topic} takes (max.message.bytes)`, {
          stage: 'write',
        })
      : new ConnectError('D014_REFUSED_BY_STORE', `topic ${topic} refused the record: ${name}`, { stage: 'write' })
    return [{ row: rows[0], error }]
  }

  async #sendPositions(positions: readonly Position[], signal: AbortSignal): Promise<LanePositions | null> {
    const { info, groupId, pipeline } = this.#o
    if (this.#sameCluster && info.group) {
      if (positions.length > 0) await this.#producer.sendOffsets(info.group, positions, signal)
      return null
    }
    const stored = this.#stored ?? (await fetchLanePositions(this.#o.cluster, groupId, pipeline, info.lane))
    const next = { count: stored.count + 1, positions: merged(stored.positions, positions) }
    const metadata = encodeLanePositions(next.positions)
    const group: OffsetsGroup = { id: groupId, memberId: '', generation: -1 }
    const position = { topic: positionsTopic(pipeline), partition: info.lane, offset: next.count, metadata }
    await this.#producer.sendOffsets(group, [position], signal)
    return next
  }

  /**
   * What the engine is told. Where it cannot be said whether the transaction happened (the answer to the commit is missing, or
   * the broker may have ended a slow one and with it this writer), and where it has not happened but trying again needs a new
   * writer, that is P007: the lane is opened again and its position read. A lane whose group checks generations may be fenced by
   * a worker that has lost it and does not know yet; that one is refused at its next position, so this one is opened again too
   * instead of being given up (giving it up would leave the lane without a worker).
   */
  async #failed(thrown: unknown, { unknown, signal }: { unknown: boolean; signal: AbortSignal }): Promise<unknown> {
    const error = asConnectError(thrown, { stage: 'write' })
    // where a connection broke, the next fence aborts: whether everything sent has arrived cannot be told
    if (!unknown && error.code !== 'K006_FENCED' && error.code !== 'E001_UNREACHABLE') {
      await this.#producer.abort(AbortSignal.timeout(ABORT_MS)).catch(() => {})
    }
    if (signal.aborted) return signal.reason
    const again = unknown || error.retriable || (error.code === 'K006_FENCED' && this.#sameCluster)
    if (!again || error.code === 'P005_SESSION_OVER') return error
    return new ConnectError('P007_RESULT_UNKNOWN', `transaction ${this.#o.transactionalId}: ${error.message}`, {
      stage: 'write',
      cause: error,
    })
  }
}
