import { randomBytes } from 'node:crypto'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { connectionConfig, type KafkaConnection } from '../../connectors/kafka/connection'
import { KafkaSource } from '../../connectors/kafka/source'
import { type KafkaSourceConfig, sourceConfig } from '../../connectors/kafka/source_config'
import type { RawRecord, RecordBlock } from '../../runtime/batch'
import { systemClock } from '../../runtime/clock'
import { type Emitter, silent } from '../../runtime/events'
import { partitionKey } from '../../runtime/origin'
import type { Chunk, LaneReader, PluginContext, Session } from '../../runtime/plugin'

/** What tests of the Kafka connector share: a client that is not ours, and a source driven as the engine drives it. */

export const unique = (prefix: string): string => `${prefix}-${randomBytes(5).toString('hex')}`

/** kafkajs as users have it: the other side of every test. */
export const otherClient = (address: string): Kafka =>
  new Kafka({
    brokers: [address],
    clientId: 'other',
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 500, factor: 0.2, multiplier: 2, retries: 20 },
  })

export const javaPartitioner = Partitioners.DefaultPartitioner

export interface ContextOptions {
  readonly flow?: string
  readonly pipeline?: string
  readonly lanes?: number
  readonly events?: Emitter
  readonly connection?: Record<string, unknown>
}

export function contextFor(address: string, options: ContextOptions = {}): PluginContext<KafkaConnection> {
  return {
    pipeline: options.pipeline ?? 'test',
    flow: options.flow ?? unique('flow'),
    connection: connectionConfig.parse({ brokers: address, metadata_max_age: '2s', ...options.connection }),
    connectionName: 'kafka',
    lanes: options.lanes ?? 1,
    baseDir: process.cwd(),
    dataDir: process.cwd(),
    clock: systemClock,
    events: options.events ?? silent,
    memory: 64 * 1024 * 1024,
  }
}

export const sourceOptions = (options: Record<string, unknown>): KafkaSourceConfig =>
  sourceConfig.parse({ value: 'json', session_timeout: '6s', fetch: { max_wait: '50ms' }, ...options })

export const sourceFor = (context: PluginContext<KafkaConnection>, options: Record<string, unknown>): KafkaSource =>
  new KafkaSource(sourceOptions(options), context)

export const never = new AbortController().signal

/** Begins a lane at its committed offsets, or where `start:` says, as the engine does. */
export async function begin(lane: LaneReader, signal = never): Promise<ReadonlyMap<string, number>> {
  const committed = await lane.committed(signal)
  const start = await lane.startOffsets(lane.partitions, signal)
  const next = new Map(
    lane.partitions.map(p => {
      const key = partitionKey(p)
      const offset = committed.get(key)?.offset ?? -1
      return [key, offset >= 0 ? offset : (start.get(key) ?? 0)] as const
    }),
  )
  lane.begin(next)
  return next
}

/** Polls until `enough` says so of everything read so far. */
export async function readUntil(
  lane: LaneReader,
  enough: (chunks: readonly Chunk[]) => boolean,
  signal = never,
): Promise<Chunk[]> {
  const chunks: Chunk[] = []
  while (!enough(chunks)) {
    const polled = await lane.poll(signal)
    if (polled === null) break
    chunks.push(...polled)
  }
  return chunks
}

/** Polls until every partition has been read up to its end. */
export async function readToEnd(session: Session): Promise<Chunk[]> {
  const read: Chunk[] = []
  for (const lane of session.lanes) {
    const at = new Map(await begin(lane))
    const ends = await lane.ends(never)
    const chunks = await readUntil(lane, polled => {
      for (const c of polled) at.set(partitionKey(c), c.next)
      return [...ends].every(([key, end]) => (at.get(key) ?? 0) >= end)
    })
    read.push(...chunks)
  }
  return read
}

export const recordsOf = (chunks: readonly Chunk[]): RawRecord[] =>
  chunks.flatMap(c => (c.block?.kind === 'records' ? blockRecords(c.block) : []))

export function blockRecords(block: RecordBlock): RawRecord[] {
  const bytes = (start: Int32Array, end: Int32Array, i: number): Buffer | null =>
    start[i] < 0 ? null : block.buffer.subarray(start[i], end[i])
  return Array.from({ length: block.count }, (_, i) => ({
    topic: block.topic,
    partition: block.partition,
    offset: block.offset[i],
    timestamp: block.timestamp[i],
    key: bytes(block.keyStart, block.keyEnd, i),
    value: bytes(block.valueStart, block.valueEnd, i),
    headers: headersOf(block.buffer.subarray(block.headersStart[i], block.headersEnd[i])),
  }))
}

/** Kafka's encoded headers, read the plain way. */
export function headersOf(encoded: Buffer): (readonly [string, Buffer | null])[] {
  let p = 0
  const varint = (): number => {
    let value = 0
    let shift = 0
    let byte: number
    do {
      byte = encoded[p++]
      value |= (byte & 127) << shift
      shift += 7
    } while (byte > 127)
    return (value >>> 1) ^ -(value & 1)
  }
  if (encoded.length === 0) return []
  return Array.from({ length: varint() }, () => {
    const nameLength = varint()
    const name = encoded.toString('utf8', p, p + nameLength)
    p += nameLength
    const length = varint()
    if (length < 0) return [name, null] as const
    p += length
    return [name, encoded.subarray(p - length, p)] as const
  })
}

/** Chunks of each partition follow one another without gaps; returns where each ends. */
export function expectContiguous(chunks: readonly Chunk[], from: ReadonlyMap<string, number> = new Map()): Map<string, number> {
  const at = new Map(from)
  for (const c of chunks) {
    const key = partitionKey(c)
    const expected = at.get(key)
    if (expected !== undefined && c.from !== expected) throw new Error(`${key}: expected ${expected}, got ${c.from}`)
    at.set(key, c.next)
  }
  return at
}
