import { z } from 'zod'
import { I64Column } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import { rawSourceFields } from '../../runtime/fields'
import { partitionKey, type TopicPartition } from '../../runtime/origin'
import type {
  Batch,
  Chunk,
  Committed,
  Declaration,
  LaneReader,
  Position,
  Session,
  Sink,
  SinkLane,
  Source,
  TokenWrite,
  Transform,
  WriteResult,
} from '../../runtime/plugin'
import { defineFormat, defineSink, defineSource, defineTransform } from '../../runtime/plugin'
import type { Schema } from '../../runtime/schema'

/**
 * A log, a group and a store in memory, honouring the contracts, so that the engine can be crashed thousands of times at chosen
 * points. A commit can be torn into any subset; the store remembers tokens; what is in the three objects survives a "crash".
 */
export class MemoryWorld {
  /** topic|partition -> ids */
  readonly log = new Map<string, number[]>()
  readonly group = new Map<string, Committed>()
  readonly rows: { readonly id: number; readonly key: string; readonly offset: number; readonly extra: number | null }[] = []
  readonly tokens = new Set<string>()
  readonly letters: string[] = []
  generation = 0
  /** Asked at each commit: which of the positions get through; all if it gives null. */
  tear: (positions: readonly Position[]) => readonly Position[] | null = () => null
  /** Time of the record at an offset. */
  timestamp: (offset: number) => number = () => -1
  /** Awaited before each write, and by the transform `gate` for each batch. */
  beforeWrite: (signal: AbortSignal) => Promise<void> = async () => {}
  gate: () => Promise<void> = async () => {}
  session = new AbortController()
  partitions: readonly TopicPartition[]

  constructor(
    readonly topic: string,
    partitions: number,
    readonly lanes: number,
  ) {
    this.partitions = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
    for (const p of this.partitions) this.log.set(partitionKey(p), [])
  }

  endSession(): void {
    this.session.abort(new ConnectError('P005_SESSION_OVER', 'the group was rebalanced'))
  }
}

export class Crash extends Error {}

class MemoryLane implements LaneReader {
  readonly group = null
  #next = new Map<string, number>()
  readonly #paused = new Set<string>()

  constructor(
    readonly world: MemoryWorld,
    readonly lane: number,
    readonly partitions: readonly TopicPartition[],
    readonly step: () => number,
  ) {}

  async committed(): Promise<ReadonlyMap<string, Committed>> {
    return new Map(
      this.partitions.map(p => [partitionKey(p), this.world.group.get(partitionKey(p)) ?? { offset: -1, metadata: null }]),
    )
  }
  async startOffsets(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>> {
    return new Map(partitions.map(p => [partitionKey(p), 0]))
  }
  begin(next: ReadonlyMap<string, number>): void {
    this.#next = new Map(next)
  }
  async poll(signal: AbortSignal): Promise<readonly Chunk[]> {
    for (;;) {
      signal.throwIfAborted()
      for (const p of this.partitions) {
        const key = partitionKey(p)
        const from = this.#next.get(key) ?? 0
        const log = this.world.log.get(key) ?? []
        if (this.#paused.has(key) || from >= log.length) continue
        const next = Math.min(log.length, from + this.step())
        this.#next.set(key, next)
        return [
          {
            ...p,
            from,
            next,
            bytes: (next - from) * 8,
            block: { kind: 'records', ...this.#block(p, log.slice(from, next), from) },
          },
        ]
      }
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  #block(p: TopicPartition, ids: readonly number[], from: number) {
    const buffer = Buffer.alloc(ids.length * 8)
    for (const [i, id] of ids.entries()) buffer.writeDoubleLE(id, i * 8)
    const starts = Int32Array.from(ids, (_, i) => i * 8)
    const ends = Int32Array.from(ids, (_, i) => i * 8 + 8)
    const none = new Int32Array(ids.length).fill(-1)
    const zero = new Int32Array(ids.length)
    return {
      ...p,
      count: ids.length,
      buffer,
      keyStart: none,
      keyEnd: none,
      valueStart: starts,
      valueEnd: ends,
      headersStart: zero,
      headersEnd: zero,
      offset: Float64Array.from(ids, (_, i) => from + i),
      timestamp: Float64Array.from(ids, (_, i) => this.world.timestamp(from + i)),
    }
  }
  pause(partitions: readonly TopicPartition[]): void {
    for (const p of partitions) this.#paused.add(partitionKey(p))
  }
  resume(partitions: readonly TopicPartition[]): void {
    for (const p of partitions) this.#paused.delete(partitionKey(p))
  }
  async commit(positions: readonly Position[]): Promise<void> {
    const through = this.world.tear(positions)
    for (const p of through ?? positions) this.world.group.set(partitionKey(p), { offset: p.offset, metadata: p.metadata })
    if (through) throw new Crash('torn commit')
  }
  async ends(): Promise<ReadonlyMap<string, number>> {
    return new Map(this.partitions.map(p => [partitionKey(p), this.world.log.get(partitionKey(p))?.length ?? 0]))
  }
}

class MemorySource implements Source {
  constructor(
    readonly world: MemoryWorld,
    readonly step: () => number,
  ) {}
  async open(): Promise<null> {
    return null
  }
  async session(): Promise<Session> {
    const { world } = this
    const lanes = Array.from({ length: world.lanes }, (_, lane) => lane).filter(l =>
      world.partitions.some(p => p.partition % world.lanes === l),
    )
    world.session = new AbortController()
    return {
      id: `memory-${++world.generation}`,
      over: world.session.signal,
      lanes: lanes.map(
        l =>
          new MemoryLane(
            world,
            l,
            world.partitions.filter(p => p.partition % world.lanes === l),
            this.step,
          ),
      ),
    }
  }
  async close(): Promise<void> {}
}

class MemorySink implements Sink {
  constructor(readonly world: MemoryWorld) {}
  async open(): Promise<void> {}
  async lane(): Promise<SinkLane> {
    const { world } = this
    return {
      delivery: 'token',
      async write(batch: Batch, { token, signal }: TokenWrite): Promise<WriteResult> {
        await world.beforeWrite(signal)
        if (world.tokens.has(token)) return { written: 0, failed: [] }
        world.tokens.add(token)
        const ids = batch.columns[0] as I64Column
        const extra = batch.columns[1] as I64Column | undefined
        for (let i = 0; i < batch.length; i++) {
          const range = batch.origin.ranges[batch.rows.range[i]]
          world.rows.push({
            id: ids.number(i),
            key: partitionKey(range),
            offset: batch.rows.offset[i],
            extra: extra?.number(i) ?? null,
          })
        }
        return { written: batch.length, failed: [] }
      },
      async highest(partitions) {
        const highest = new Map(partitions.map(p => [partitionKey(p), -1]))
        for (const r of world.rows) if (highest.has(r.key)) highest.set(r.key, Math.max(highest.get(r.key) ?? -1, r.offset))
        return highest
      },
      async close() {},
    }
  }
  async close(): Promise<void> {}
}

/** Adds the sum of all ids of the row's partition so far: wrong at once if a row is learned twice or not at all. */
class RunningSum implements Transform {
  readonly #sums = new Map<number, Map<string, number>>()
  bind(schema: Schema): Schema {
    return { fields: [...schema.fields, { name: 'sum', type: { kind: 'i64' }, nullable: false }] }
  }
  apply(batch: Batch): Batch {
    const sums = this.#sums.get(batch.origin.lane) ?? new Map<string, number>()
    this.#sums.set(batch.origin.lane, sums)
    const ids = batch.columns[0] as I64Column
    const out = new I64Column({ kind: 'i64' }, false)
    out.reserve(batch.length)
    for (let i = 0; i < batch.length; i++) {
      const key = partitionKey(batch.origin.ranges[batch.rows.range[i]])
      sums.set(key, (sums.get(key) ?? 0) + ids.number(i))
      out.setNumber(i, sums.get(key) ?? 0)
    }
    out.length = batch.length
    return { ...batch, schema: this.bind(batch.schema), columns: [...batch.columns, out] }
  }
  snapshot(lane: number): Buffer {
    return Buffer.from(JSON.stringify([...(this.#sums.get(lane) ?? [])]))
  }
  restore(lane: number, bytes: Buffer | null): boolean {
    if (bytes?.toString() === 'other') return false
    this.#sums.set(lane, new Map(bytes ? (JSON.parse(bytes.toString()) as [string, number][]) : []))
    return true
  }
}

/** Gives what it is given, as late as the world wants. */
class Gate implements Transform {
  constructor(readonly world: MemoryWorld) {}
  bind(schema: Schema): Schema {
    return schema
  }
  async apply(batch: Batch): Promise<Batch> {
    await this.world.gate()
    return batch
  }
}

/** Plugins over one world: source `memory`, sink `memory`, format `double` (8 bytes a value; NaN is a bad value). */
export function memoryPlugins(world: MemoryWorld, step: () => number): readonly Declaration[] {
  const common = {
    status: 'experimental',
    since: '0.1.0',
    summary: 'test',
    description: 'test',
    examples: [],
    conformance: {},
  } as const
  return [
    defineSource({
      ...common,
      name: 'memory',
      config: z.strictObject({ ...rawSourceFields }),
      connection: null,
      capabilities: { delivers: 'records', exactly_once: true, groups: true },
      bounded: () => false,
      reads: () => [world.topic],
      create: () => new MemorySource(world, step),
    }),
    defineSink({
      ...common,
      name: 'memory',
      config: z.strictObject({}),
      connection: null,
      capabilities: { exactly_once: true, upsert: false, create_table: false, transactional: false },
      writes: () => ['memory-table'],
      create: () => new MemorySink(world),
    }),
    defineTransform({
      ...common,
      name: 'running_sum',
      config: z.strictObject({}),
      capabilities: { stateful: true },
      create: () => new RunningSum(),
    }),
    defineTransform({
      ...common,
      name: 'gate',
      config: z.strictObject({}),
      capabilities: { stateful: false },
      create: () => new Gate(world),
    }),
    defineFormat({
      ...common,
      name: 'double',
      config: z.strictObject({}),
      capabilities: { encodes: false, needs_registry: false },
      create: () => {
        const schema = { fields: [{ name: 'id', type: { kind: 'i64' as const }, nullable: false }] }
        return {
          open: async () => schema,
          infer: async () => schema,
          decoder: () => {
            const column = new I64Column({ kind: 'i64' }, false)
            return {
              columns: [column],
              decode(block, _part, reject) {
                column.reserve(block.count)
                for (let i = 0; i < block.count; i++) {
                  const value = block.valueStart[i] < 0 ? 0 : block.buffer.readDoubleLE(block.valueStart[i])
                  if (Number.isNaN(value)) reject(i, new ConnectError('D001_MALFORMED', 'not a number'))
                  column.setNumber(column.length, Number.isNaN(value) ? 0 : value)
                  column.length++
                }
              },
            }
          },
          close: async () => {},
        }
      },
    }),
  ]
}
