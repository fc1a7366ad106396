import { ConnectError } from './errors'
import { partitionKey, type TopicPartition } from './origin'
import type { Chunk, Committed, LaneReader, PluginContext, Position, Session, Source } from './plugin'
import { openFilePositions, type PositionStore } from './positions'
import type { Schema } from './schema'

/**
 * What a source that reads on this machine has to write itself: its rows by offset. Positions, the lock, the one session with
 * its one lane, pausing and waiting are the same for all of them and stand in `localSource`.
 */
export interface LocalInput {
  /** Reads or writes `positions.note()` as it needs. Called once, before everything else. */
  open(
    positions: PositionStore,
    signal: AbortSignal,
  ): Promise<{ readonly schema: Schema; readonly partitions: readonly TopicPartition[] }>
  /** Where to deliver from, for every partition. Called once for each session; rows at the same offsets must be the same again. */
  begin(next: ReadonlyMap<string, number>): void
  /**
   * The next chunks of partitions that are `wanted` (at least one is). Waits until there is something; rejects with the
   * signal's reason when it aborts; null once the input is bounded and all of it was delivered.
   */
  read(wanted: (p: TopicPartition) => boolean, signal: AbortSignal): Promise<readonly Chunk[] | null>
  ends(signal: AbortSignal): Promise<ReadonlyMap<string, number>>
  /** Closes what `begin` and `read` opened. Safe to call twice and without open. */
  close(): Promise<void>
}

/** A source of columns over a local input. Its positions stand in the data folder, one process per flow. */
export function localSource(input: LocalInput, context: PluginContext): Source {
  let positions: PositionStore | null = null
  let partitions: readonly TopicPartition[] = []
  let lane: LocalLane | null = null
  let sessions = 0
  const claim = async (): Promise<PositionStore> => {
    positions ??= await openFilePositions(context)
    return positions
  }
  return {
    async claim(): Promise<void> {
      await claim()
    },
    async open(signal): Promise<Schema> {
      const opened = await input.open(await claim(), signal)
      partitions = opened.partitions
      return opened.schema
    },
    async session(): Promise<Session> {
      if (!positions) throw new ConnectError('R001_INTERNAL', 'session() before open()')
      lane?.end('a new session began')
      lane = new LocalLane(input, positions, partitions)
      sessions += 1
      return { id: `local-${sessions}`, over: lane.over, lanes: [lane] }
    },
    async close(): Promise<void> {
      lane?.end('the source was closed')
      await input.close()
      await positions?.close()
      positions = null
    },
  }
}

class LocalLane implements LaneReader {
  readonly lane = 0
  readonly group = null
  readonly #over = new AbortController()
  readonly #paused = new Set<string>()
  #resumed: (() => void) | null = null
  #combined: { readonly of: AbortSignal; readonly either: AbortSignal } | null = null

  constructor(
    private readonly input: LocalInput,
    private readonly positions: PositionStore,
    readonly partitions: readonly TopicPartition[],
  ) {}

  get over(): AbortSignal {
    return this.#over.signal
  }

  end(reason: string): void {
    if (!this.#over.signal.aborted) this.#over.abort(new ConnectError('P005_SESSION_OVER', reason))
  }

  async committed(): Promise<ReadonlyMap<string, Committed>> {
    this.#over.signal.throwIfAborted()
    return this.positions.read(this.partitions.map(partitionKey))
  }

  async startOffsets(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>> {
    return new Map(partitions.map(p => [partitionKey(p), 0]))
  }

  begin(next: ReadonlyMap<string, number>): void {
    this.input.begin(next)
  }

  async poll(signal: AbortSignal): Promise<readonly Chunk[] | null> {
    const either = this.#withOver(signal)
    for (;;) {
      either.throwIfAborted()
      if (this.partitions.some(p => this.#isWanted(p))) return this.input.read(p => this.#isWanted(p), either)
      await this.#resumeOrAbort(either)
    }
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const p of partitions) this.#paused.add(partitionKey(p))
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const p of partitions) this.#paused.delete(partitionKey(p))
    this.#resumed?.()
  }

  async commit(positions: readonly Position[]): Promise<void> {
    this.#over.signal.throwIfAborted()
    await this.positions.write(positions)
  }

  ends(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    return this.input.ends(signal)
  }

  /** The engine passes the same signal each time; a new combination per call would pile up on it. */
  #withOver(signal: AbortSignal): AbortSignal {
    if (this.#combined?.of !== signal) this.#combined = { of: signal, either: AbortSignal.any([signal, this.#over.signal]) }
    return this.#combined.either
  }

  #isWanted(p: TopicPartition): boolean {
    return !this.#paused.has(partitionKey(p))
  }

  #resumeOrAbort(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        signal.removeEventListener('abort', done)
        this.#resumed = null
        resolve()
      }
      this.#resumed = done
      signal.addEventListener('abort', done, { once: true })
    })
  }
}
