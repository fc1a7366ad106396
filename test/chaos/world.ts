import { setTimeout as delay } from 'node:timers/promises'
import { type Schema, Type } from 'avsc'
import type { Producer } from 'kafkajs'
import { type Bench, CONNECTIONS, type RunningConnect, wire } from '../support/connect'
import { amountOf } from './checker'

/** What the chaos tests share: a topic with numbered records, a pipeline that takes them into a table, and what a run has said. */

export const PARTITIONS = 12
const LANES = 4

const schemaWith = (...more: readonly object[]): Schema =>
  ({
    type: 'record',
    name: 'Payment',
    fields: [{ name: 'id', type: 'long' }, { name: 'device', type: 'string' }, { name: 'amount', type: 'long' }, ...more],
  }) as Schema

export interface World {
  readonly bench: Bench
  readonly topic: string
  readonly table: string
  /** The pipeline file. */
  readonly file: string
  /** How many records were produced so far: ids 0 to produced - 1. */
  readonly produced: () => number
  /** Produces the next ids, in requests of `PARTITIONS * 40` records at most. */
  produce(count: number): Promise<void>
  /** From now on records are written with a further schema, which the worker has not seen. */
  evolve(): Promise<void>
  close(): Promise<void>
}

export interface WorldOptions {
  readonly flushRows?: number
  /** Further lines of the file. */
  readonly more?: string
}

const CHUNK = PARTITIONS * 40

export async function createWorld(bench: Bench, name: string, options: WorldOptions = {}): Promise<World> {
  const topic = bench.unique(name)
  const table = name.replaceAll('-', '_')
  const admin = bench.client.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 1 }], waitForLeaders: true })
  await admin.disconnect()
  const register = async (schema: Schema): Promise<{ id: number; type: Type }> => {
    const text = { type: 'AVRO' as never, schema: JSON.stringify(schema) }
    const { id } = await bench.schemas.register(text, { subject: `${topic}-value` })
    return { id, type: Type.forSchema(schema) }
  }
  let written = await register(schemaWith())
  const file = bench.file(
    `${name}.yaml`,
    `name: ${bench.unique(name)}
shutdown_timeout: 20s
${CONNECTIONS}
flows:
  ingest:
    lanes: ${LANES}
    source:
      type: kafka
      topics: [${topic}]
      value: avro
      # a killed worker keeps its lanes so long
      session_timeout: 2s
    sink:
      type: clickhouse
      table: ${table}
      order_by: [id]
      flush: { rows: ${options.flushRows ?? 2000}, interval: 50ms }
${options.more ?? ''}`,
  )
  let produced = 0
  let producer: Producer | null = null
  const connected = async (): Promise<Producer> => {
    if (producer) return producer
    producer = bench.client.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    return producer
  }
  return {
    bench,
    topic,
    table: `${bench.database}.${table}`,
    file,
    produced: () => produced,
    async produce(count) {
      const to = await connected()
      for (let left = count; left > 0; ) {
        const n = Math.min(left, CHUNK)
        const first = produced
        await to.send({
          topic,
          messages: Array.from({ length: n }, (_, i) => {
            const id = first + i
            const value = wire(written.id, written.type.toBuffer({ id, device: `device-${id % 97}`, amount: amountOf(id) }))
            return { partition: id % PARTITIONS, key: String(id), value }
          }),
        })
        produced += n
        left -= n
      }
    },
    async evolve() {
      written = await register(schemaWith({ name: 'note', type: ['null', 'string'], default: null }))
    },
    async close() {
      await producer?.disconnect()
      producer = null
    },
  }
}

/** Arguments of a run whose every event can be read. */
export const TALKATIVE = ['--log-level', 'debug', '--log-format', 'json'] as const

export interface SaidEvent {
  readonly event: string
  readonly text: string
  readonly rows?: number
  readonly stage?: string
}

/** The events of a run so far. */
export function eventsOf(stderr: string, name: string): readonly SaidEvent[] {
  return stderr
    .split('\n')
    .filter(line => line.includes(`"event":"${name}"`) && line.endsWith('}'))
    .map(line => JSON.parse(line) as SaidEvent)
}

/** Waits until a condition outside of a process holds. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, ms = 60_000): Promise<void> {
  const deadline = Date.now() + ms
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${ms / 1000} s: ${what}`)
    await delay(50)
  }
}

/** Resolves once a run says so, or has ended. */
export const saidOrEnded = (run: RunningConnect, pattern: RegExp): Promise<unknown> => run.says(pattern).catch(() => {})

/** Mulberry32 by Tommy Ettinger, public domain. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
