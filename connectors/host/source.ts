import { hostname } from 'node:os'
import path from 'node:path'
import { createColumn } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import type { LocalInput } from '../../runtime/local_source'
import { partitionKey, type TopicPartition } from '../../runtime/origin'
import type { Chunk, PluginContext } from '../../runtime/plugin'
import type { PositionStore } from '../../runtime/positions'
import { rowJson } from '../../runtime/row_json'
import { field, type Schema, timestamp } from '../../runtime/schema'
import { appendValue } from '../../runtime/value'
import { type Counters, readCounters } from './counters'
import { Journal } from './journal'
import type { HostOptions } from './plugin'
import { type Reading, readingOf } from './reading'

const PARTITION: TopicPartition = { topic: 'host', partition: 0 }
const KEY = partitionKey(PARTITION)

/** Kept readings in one chunk; while live a chunk is one reading. */
const CHUNK_ROWS = 1_024

const SCHEMA: Schema = {
  fields: [
    field('ts', timestamp('ms')),
    { ...field('host', 'utf8'), doc: 'name of the machine' },
    { ...field('cpu', 'f64'), doc: 'percent of all cores that was busy since the last reading' },
    { ...field('core', 'f64', true), doc: 'percent of the busiest core that was' },
    { ...field('memory', 'f64'), doc: 'percent that is used' },
    { ...field('net_in', 'f64', true), doc: 'bytes received per second, without loopback' },
    { ...field('net_out', 'f64', true), doc: 'bytes sent per second, without loopback' },
    { ...field('disk_read', 'f64', true), doc: 'bytes read per second' },
    { ...field('disk_write', 'f64', true), doc: 'bytes written per second' },
  ],
}

/** Readings of this machine as rows: from the journal what was not delivered for good, then one at each whole interval. */
export class HostInput implements LocalInput {
  readonly #options: HostOptions
  readonly #context: PluginContext
  #open: { readonly journal: Journal; readonly positions: PositionStore } | null = null
  #next = 0
  #before: { readonly counters: Counters; readonly at: number } | null = null

  constructor(options: HostOptions, context: PluginContext) {
    this.#options = options
    this.#context = context
  }

  async open(positions: PositionStore) {
    const { dataDir, pipeline, flow } = this.#context
    const file = path.join(dataDir, 'host', encodeURIComponent(pipeline), `${encodeURIComponent(flow)}.ndjson`)
    this.#open = { journal: await Journal.open(file), positions }
    return { schema: SCHEMA, partitions: [PARTITION] }
  }

  begin(next: ReadonlyMap<string, number>): void {
    const { journal } = this.#opened()
    const from = next.get(KEY) ?? 0
    // a journal that is gone or shorter (a disk restored, power lost) holds nothing that is still to be delivered
    if (from < journal.first) {
      throw new ConnectError('P001_POSITION_STOP', `readings from ${from} on are wanted, those before ${journal.first} are gone`)
    }
    this.#next = from
    this.#before = null
  }

  async read(_wanted: (p: TopicPartition) => boolean, signal: AbortSignal): Promise<readonly Chunk[] | null> {
    const { journal, positions } = this.#opened()
    const { count = Number.POSITIVE_INFINITY } = this.#options
    if (this.#next >= count) return null
    if (journal.end < this.#next) await journal.begin(this.#next)
    if (journal.end === this.#next) {
      const reading = await this.#look(signal)
      await journal.append(reading, Math.max(0, positions.read([KEY]).get(KEY)?.offset ?? 0))
    }
    const chunk = chunkOf(this.#next, journal.read(this.#next, Math.min(CHUNK_ROWS, count - this.#next)))
    this.#next = chunk.next
    return [chunk]
  }

  async ends(): Promise<ReadonlyMap<string, number>> {
    return new Map([[KEY, this.#options.count ?? this.#opened().journal.end]])
  }

  async close(): Promise<void> {
    this.#open = null
  }

  /** Waits for the next whole interval. The first time it looks twice, an interval apart. */
  async #look(signal: AbortSignal): Promise<Reading> {
    const { clock } = this.#context
    const { interval } = this.#options
    this.#before ??= { counters: await readCounters(), at: clock.now() }
    const before = this.#before
    const ts = (Math.floor(before.at / interval) + 1) * interval
    await clock.sleep(Math.max(0, ts - clock.now()), signal)
    const at = Math.max(clock.now(), ts)
    const counters = await readCounters()
    this.#before = { counters, at }
    // after a stop of the machine, or of the reader, the time that passed counts, not the interval
    return readingOf(before.counters, counters, Math.floor(at / interval) * interval, Math.max(1, at - before.at) / 1000)
  }

  #opened() {
    if (!this.#open) throw new ConnectError('R001_INTERNAL', 'the host source is not open')
    return this.#open
  }
}

const HOST = hostname()

function chunkOf(from: number, readings: readonly Reading[]): Chunk {
  const columns = SCHEMA.fields.map(f => createColumn(f))
  for (const r of readings) {
    const cells = [r.ts, HOST, r.cpu, r.core ?? null, r.memory, r.net_in, r.net_out, r.disk_read, r.disk_write]
    columns.forEach((column, i) => {
      appendValue(column, cells[i])
    })
  }
  const next = from + readings.length
  const timestamps = Float64Array.from(readings, r => r.ts)
  return {
    ...PARTITION,
    from,
    next,
    bytes: 100 * readings.length,
    block: {
      kind: 'columns',
      ...PARTITION,
      count: readings.length,
      schema: SCHEMA,
      columns,
      offset: Float64Array.from(readings, (_, i) => from + i),
      timestamp: timestamps,
      rejected: [],
      raw: row => ({
        ...PARTITION,
        offset: from + row,
        timestamp: timestamps[row],
        key: null,
        value: Buffer.from(rowJson(SCHEMA, columns, row)),
        headers: [],
      }),
    },
  }
}
