import { isWhole, watchEnd } from './all_read'
import { ConnectError } from './errors'
import { bindToFirstBlock } from './first_block'
import type { FlowRun } from './flow'
import { measureLag } from './lag'
import { type Cut, LaneBuffer } from './lane_buffer'
import { LaneState, relearn } from './lane_state'
import { tokenLoop } from './lane_token'
import { transactionLoop } from './lane_transaction'
import { type BatchMemory, HEAP } from './memory'
import { partitionKey } from './origin'
import { type Prepared, prepare } from './pipeline'
import type { Chunk, Committed, LaneReader, Session, SinkLane } from './plugin'
import { decodeMetadata, encodeMetadata, type PendingRange, type PositionMetadata } from './position_metadata'
import { type PartitionState, type Recovery, recover } from './recover'
import { anySignal, retrying } from './retry'
import { newIncarnation } from './token'
import { watchIdle } from './views/idle'

/** Ranges without rows (control records, closings of other shards) get into the position after so long, where other workers look at it. */
const QUIET_MS = 500
/** The same where nobody waits for it: a restart need not read them again, and tools that look at the group see no lag. */
const QUIET_ALONE_MS = 30_000

/** Why a lane ended without an error. */
export type LaneEnd = 'done' | 'stopped' | 'over'

/** A cut that is prepared and can be named. */
export interface Ready {
  readonly cut: Cut
  readonly prepared: Prepared
  /** What the batch's columns lie in. */
  readonly memory: BatchMemory
  /** State of the transforms right after this batch, to be stored once it is settled; null if none is due. */
  readonly snapshot: Buffer | null
}

/** One lane in one session: what both delivery loops share. */
export class LaneRun {
  readonly keys: readonly string[]
  /** Largest settled event time per partition key. */
  watermarks: ReadonlyMap<string, number> = new Map()
  #incarnations = new Map<string, string>()
  #epoch = 0
  /** Batches cut and not yet settled, by their memory. */
  readonly #underWay = new Map<BatchMemory, Cut>()
  /** The batch that was last begun to be prepared. Never rejects. */
  #preparing: Promise<unknown> = Promise.resolve()

  constructor(
    readonly flow: FlowRun,
    readonly reader: LaneReader,
    readonly buffer: LaneBuffer,
    /** Aborts with the session, with a failure of the lane, or when the run is cut short. */
    readonly signal: AbortSignal,
    readonly start: Extract<Recovery, { kind: 'go' }>,
    states: ReadonlyMap<string, PartitionState>,
    /** Null where no transform of the flow has a state. */
    readonly state: LaneState | null,
  ) {
    this.keys = reader.partitions.map(partitionKey)
    const watermarks = new Map<string, number>()
    for (const key of this.keys) {
      const metadata = states.get(key)?.metadata
      this.#incarnations.set(key, metadata?.inc ?? newIncarnation())
      this.#epoch = Math.max(this.#epoch, metadata?.e ?? 0)
      const passed = metadata?.pending && metadata.pending.b <= start.acknowledged
      const wm = passed ? (metadata.pending?.wa ?? metadata.wm) : metadata?.wm
      if (wm !== undefined) watermarks.set(key, wm)
    }
    this.watermarks = watermarks
  }

  get epoch(): number {
    return this.#epoch
  }

  incarnation(key: string): string {
    return this.#incarnations.get(key) ?? ''
  }

  metadata(key: string, acknowledged: number, wm: number | undefined, pending?: PendingRange): string {
    const m: PositionMetadata = {
      v: 1,
      l: this.flow.lanes,
      d: acknowledged,
      inc: this.incarnation(key),
      e: this.#epoch,
      ...(wm === undefined ? {} : { wm }),
      ...(pending ? { pending } : {}),
    }
    return encodeMetadata(m)
  }

  /** Waits for the next batch, cuts and prepares it. Null: no more, because the input ended or a stop was asked for. */
  async next(): Promise<Ready | null> {
    const { signal, release } = anySignal(this.signal, this.flow.drain)
    try {
      if (!(await this.buffer.due(this.flow.flush, signal))) return null
    } catch (error) {
      if (this.flow.drain.aborted && !this.signal.aborted) return null
      throw error
    } finally {
      release()
    }
    return this.cutNow()
  }

  /** The next batch if it falls due before `writing` is over; prepared while the store works. */
  async ahead(writing: Promise<unknown>): Promise<Ready | null> {
    const done = new AbortController()
    const finish = (): void => done.abort()
    writing.then(finish, finish)
    const { signal, release } = anySignal(this.signal, this.flow.drain, done.signal)
    try {
      if (!(await this.buffer.due(this.flow.flush, signal))) return null
    } catch {
      return null
    } finally {
      release()
    }
    // the process computes one batch at a time: where other lanes have work for it, a second one of this lane only takes memory
    if (this.flow.memories.lent >= Math.max(2, this.flow.lanes)) return null
    return this.cutNow()
  }

  cutNow(): Promise<Ready> {
    return this.ready(this.buffer.cut(this.flow.flush.rows))
  }

  /** True while nothing that was read waits or is under way. */
  get atRest(): boolean {
    return this.buffer.rows === 0 && this.#underWay.size === 0
  }

  /** Records that were counted as read and are not settled. */
  get unsettled(): number {
    return [...this.#underWay.values()].reduce((rows, cut) => rows + cut.rows - cut.repeated, this.buffer.fresh)
  }

  /** Told by the delivery loops when a batch is durable. */
  delivered({ memory, cut }: Ready): void {
    this.#underWay.delete(memory)
    this.flow.memories.give(memory)
    for (const lease of cut.leases) lease.release()
  }

  ready(cut: Cut): Promise<Ready> {
    const ready = this.#prepare(cut)
    this.#preparing = ready.catch(() => {})
    return ready
  }

  async #prepare(cut: Cut): Promise<Ready> {
    const memory = this.flow.memories.take()
    this.#underWay.set(memory, cut)
    const prepared = await prepare(this.flow, cut, this.reader.lane, this.watermarks, memory, this.signal)
    this.watermarks = prepared.after
    return { cut, prepared, memory, snapshot: this.state?.take(this.buffer.positions()) ?? null }
  }

  /** Called once a batch is settled and its position stored. */
  async settled({ snapshot }: Ready): Promise<void> {
    if (snapshot) await this.state?.store(snapshot, this.signal)
  }

  /** Stores the state at the end of the lane, where it stands exactly at the position. */
  async ended(): Promise<void> {
    const snapshot = this.state?.take(this.buffer.positions(), true)
    if (snapshot) await this.state?.store(snapshot, this.signal)
  }

  /**
   * The lane is over, whatever was under way. A batch that is being prepared is waited for: the transforms belong to the flow, and
   * the lane's next session would find its rows in the state that it has just restored.
   */
  async close(): Promise<void> {
    await this.#preparing
    for (const _ of this.#underWay) this.flow.memories.abandon()
    this.#underWay.clear()
  }

  /** Passes a cut through the transforms for what they learn from it. */
  async relearn(cut: Cut): Promise<void> {
    await prepare(this.flow, cut, this.reader.lane, this.watermarks, HEAP, this.signal)
  }
}

/** Runs one lane until its session is over, the input ends, or a stop is asked for. Throws what must stop the flow. */
export async function runLane(flow: FlowRun, session: Session, reader: LaneReader): Promise<LaneEnd> {
  const failure = new AbortController()
  const { signal, release } = anySignal(session.over, flow.abort, failure.signal)
  let sinkLane: SinkLane | null = null
  /** What went wrong beside the main loop; the loop then fails with it or with a consequence of it. */
  let aside: unknown = null
  const fail = (error: unknown): void => {
    if (signal.aborted) return
    aside = error
    failure.abort(error)
  }
  try {
    let committed = await reader.committed(signal)
    let read: readonly Chunk[] = []
    let begun: ReadonlyMap<string, number> | null = null
    if (!flow.bound) {
      const { start } = findStart(flow, reader, committed)
      begun = await startingOffsets(reader, start, signal)
      reader.begin(begun)
      const first = await bindToFirstBlock(flow, reader, begun, signal)
      if (first === null) return flow.drain.aborted ? 'stopped' : 'done'
      read = first
    }
    const openSink = (): Promise<SinkLane> =>
      flow.sink.lane({ lane: reader.lane, partitions: reader.partitions, group: reader.group }, signal)
    sinkLane = await retrying(flow.retryContext('write', signal), openSink)
    if (sinkLane.delivery === 'transaction') committed = (await sinkLane.committed(signal)) ?? (await reader.committed(signal))
    const { states, start } = findStart(flow, reader, committed)
    if (sinkLane.delivery === 'token') await guard(flow, reader, sinkLane, start, signal)
    const next = await startingOffsets(reader, start, signal)
    const state = flow.stateful.length > 0 ? new LaneState(flow, reader.lane) : null
    const from = (await state?.restore(next, signal)) ?? next
    if (begun === null) reader.begin(from)
    else if ([...from].some(([key, offset]) => begun.get(key) !== offset)) {
      throw new ConnectError('P007_RESULT_UNKNOWN', 'the position moved while the schema was being learnt')
    }
    const buffer = new LaneBuffer(reader.partitions, from, flow.clock, isWhole(session) ? QUIET_ALONE_MS : QUIET_MS)
    for (const chunk of read) {
      buffer.add(chunk)
      flow.report.read(chunk)
    }
    const lane = new LaneRun(flow, reader, buffer, signal, start, states, state)
    flow.progress?.lane(lane.watermarks)
    const filling = fill(flow, reader, buffer, start, next, signal).catch(fail)
    const watching = watchEnd(flow, reader, buffer, signal).catch(fail)
    const measuring = measureLag(flow, reader, buffer, signal)
    const idling = watchIdle(flow, lane, flow.idle, signal)
    try {
      await relearn(flow, reader, buffer, next, cut => lane.relearn(cut), signal)
      if (sinkLane.delivery === 'token') await tokenLoop(lane, sinkLane)
      else {
        await transactionLoop(lane, sinkLane, async () => {
          await sinkLane?.close().catch(() => {})
          sinkLane = await openSink()
          return sinkLane
        })
      }
      await lane.ended()
    } finally {
      failure.abort(new ConnectError('R003_ABORTED', 'the lane has ended'))
      await Promise.all([filling, watching, measuring, idling])
      // a lane that failed says how far it had read, one that goes on later or elsewhere only what came of it
      const goesOn = aside === null && (flow.drain.aborted || session.over.aborted)
      if (goesOn && !buffer.holdsBefore(next)) flow.report.leftUnsettled(lane.unsettled)
      await lane.close()
      buffer.close()
    }
    if (flow.drain.aborted) return 'stopped'
    flow.report.measured(reader.lane, { records: 0, unread: 0, bytes: 0 })
    return 'done'
  } catch (error) {
    if (flow.abort.aborted) throw flow.abort.reason
    const own = aside ?? error
    if (session.over.aborted && !isFatal(own)) return 'over'
    if (own instanceof ConnectError && own.code === 'P005_SESSION_OVER') return 'over'
    throw own
  } finally {
    release()
    await sinkLane?.close().catch(() => {})
  }
}

/** Errors that say something is wrong with the data or the position; a lost session does not excuse them. */
const isFatal = (error: unknown): boolean => error instanceof ConnectError && /^(P001|P002|P003|K001|K002|D|C)/.test(error.code)

function findStart(flow: FlowRun, reader: LaneReader, committed: ReadonlyMap<string, Committed>) {
  const states = new Map<string, PartitionState>()
  for (const partition of reader.partitions) {
    const key = partitionKey(partition)
    const at = committed.get(key) ?? { offset: -1, metadata: null }
    states.set(key, { offset: at.offset, metadata: decodeMetadata(key, at) })
  }
  const start = recover(states, flow.lanes)
  if (start.kind === 'stop') throw new ConnectError('P001_POSITION_STOP', start.reason, { hint: start.hint, stage: 'read' })
  for (const what of start.notes) flow.emit('lane_recovered', { lane: reader.lane, what })
  return { states, start }
}

/** The group must not know less than the table: then it was reset or expired, and reading on would double rows. */
async function guard(
  flow: FlowRun,
  reader: LaneReader,
  sinkLane: Extract<SinkLane, { delivery: 'token' }>,
  start: Extract<Recovery, { kind: 'go' }>,
  signal: AbortSignal,
): Promise<void> {
  const replayed = new Map(start.replay?.ranges.map(r => [r.key, r.to]))
  const known = new Map(reader.partitions.map(partitionKey).map(k => [k, replayed.get(k) ?? (start.next.get(k) ?? 0) - 1]))
  const highest = await retrying(flow.retryContext('write', signal), () => sinkLane.highest(reader.partitions, signal, known))
  for (const [key, held] of highest ?? []) {
    const accounted = known.get(key) ?? -1
    if (held > accounted) {
      throw new ConnectError(
        'P002_BEHIND_TABLE',
        `${key}: the table holds offset ${held}, the position says ${accounted + 1} is next`,
        { stage: 'read' },
      )
    }
  }
}

async function startingOffsets(
  reader: LaneReader,
  start: Extract<Recovery, { kind: 'go' }>,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const fresh = reader.partitions.filter(p => start.next.get(partitionKey(p)) === null)
  const starts = fresh.length > 0 ? await reader.startOffsets(fresh, signal) : new Map<string, number>()
  const next = new Map<string, number>()
  for (const p of reader.partitions) {
    const key = partitionKey(p)
    next.set(key, start.next.get(key) ?? starts.get(key) ?? 0)
  }
  return next
}

/**
 * Reads into the buffer, no further than the lane's share of memory and a batch. What must be read again first (a pending batch,
 * what the state has yet to learn) waits for the slowest of its partitions: those that have reached the end of it are paused, and
 * the bound does not hold where nothing that waits could be taken out.
 */
async function fill(
  flow: FlowRun,
  reader: LaneReader,
  buffer: LaneBuffer,
  start: Extract<Recovery, { kind: 'go' }>,
  next: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<void> {
  const wanted = new Map(start.replay?.ranges.map(r => [r.key, r.to]))
  for (const [key, offset] of next) {
    if (buffer.position(key) < offset) wanted.set(key, Math.max(wanted.get(key) ?? 0, offset - 1))
  }
  const paused: { topic: string; partition: number }[] = []
  if (wanted.size > 0) paused.push(...reader.partitions.filter(p => !wanted.has(partitionKey(p))))
  if (paused.length > 0) reader.pause(paused)
  for (;;) {
    await buffer.room(flow.laneMemory, flow.flush, signal, () => wanted.size > 0 && !buffer.holdsBefore(next))
    const chunks = await reader.poll(signal)
    if (chunks === null) return buffer.end()
    for (const chunk of chunks) {
      buffer.add(chunk)
      const key = partitionKey(chunk)
      if (chunk.from >= (next.get(key) ?? 0)) flow.report.read(chunk)
      const to = wanted.get(key)
      if (to === undefined || chunk.next <= to) continue
      wanted.delete(key)
      paused.push(chunk)
      if (wanted.size > 0) reader.pause([chunk])
    }
    if (wanted.size === 0 && paused.length > 0) reader.resume(paused.splice(0))
  }
}
