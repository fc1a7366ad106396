import { type Schema, Type } from 'avsc'
import type { Producer } from 'kafkajs'
import { type Bench, CONNECTIONS, type RunningConnect } from '../support/connect'
import { wire } from '../support/wire'
import { amountOf } from './checker'

/** What the chaos tests share: a topic with numbered records, a pipeline that takes them into a table, and what a run has said. */

export const PARTITIONS = 12
const LANES = 4

const schemaWith = (...more: readonly object[]): object => ({
  type: 'record',
  name: 'Payment',
  fields: [{ name: 'id', type: 'long' }, { name: 'device', type: 'string' }, { name: 'amount', type: 'long' }, ...more],
})

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
  await bench.createTopic(topic, PARTITIONS)
  const register = async (schema: object): Promise<{ id: number; type: Type }> => ({
    id: await bench.registerValues(topic, schema),
    type: Type.forSchema(schema as Schema),
  })
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

/** Resolves once a run says so, or has ended. */
export const saidOrEnded = (run: RunningConnect, pattern: RegExp): Promise<unknown> => run.says(pattern).catch(() => {})
