import { ConnectError } from '../../runtime/errors'
import type { LocalInput } from '../../runtime/local_source'
import { partitionKey, type TopicPartition } from '../../runtime/origin'
import type { Chunk, PluginContext } from '../../runtime/plugin'
import type { PositionStore } from '../../runtime/positions'
import type { Schema } from '../../runtime/schema'
import type { ClosingLog, WindowStore } from '../../runtime/views/contracts'
import type { StoreConfig } from '../../sql/client'
import { openWindowStore } from '../../sql/windows/window_store'
import { ClosedRows, KIND } from './closed_rows'

interface Open {
  readonly log: ClosingLog
  readonly windows: WindowStore
  readonly rows: ClosedRows
  readonly positions: PositionStore
}

/**
 * Closings of one view as chunks: each closing at its offset, with the rows its windows have now. A closing is never split,
 * because on another read it may have more rows.
 */
export class ViewInput implements LocalInput {
  readonly #view: string
  readonly #context: PluginContext<StoreConfig>
  readonly #partition: TopicPartition
  #open: Open | null = null
  #next = 0
  #note: { readonly log: string } | null = null

  constructor(view: string, context: PluginContext<StoreConfig>) {
    this.#view = view
    this.#context = context
    this.#partition = { topic: view, partition: 0 }
  }

  async open(positions: PositionStore, signal: AbortSignal) {
    const { views = [], closings, connection, connectionName, baseDir } = this.#context
    const spec = views.find(v => v.name === this.#view && v.connection === connectionName && v.window)
    if (!spec || !closings) {
      throw new ConnectError('C010_UNKNOWN_REFERENCE', `there is no view ${this.#view} with windows on ${connectionName}`)
    }
    const log = await closings(this.#view)
    this.#note = (await positions.note()) as { readonly log: string } | null
    if (this.#note && this.#note.log !== log.id) {
      throw new ConnectError(
        'P001_POSITION_STOP',
        `the closings of the view ${this.#view} were begun anew; the position is in another log`,
      )
    }
    const windows = await openWindowStore(spec, connection, baseDir, signal)
    try {
      const { schema } = await windows.read([0], null, signal)
      const named: Schema = { ...schema, name: this.#view, key: spec.keys, fields: [...schema.fields, KIND] }
      this.#open = { log, windows, rows: new ClosedRows({ windows, schema: named, partition: this.#partition }), positions }
      return { schema: named, partitions: [this.#partition] }
    } catch (error) {
      await windows.close()
      throw error
    }
  }

  begin(next: ReadonlyMap<string, number>): void {
    const from = next.get(partitionKey(this.#partition)) ?? 0
    const { log } = this.#opened()
    if (from > log.end || (from > 0 && this.#note === null)) {
      throw new ConnectError(
        'P001_POSITION_STOP',
        `the position ${from} is not in the closings of ${this.#view}, which end at ${log.end}`,
      )
    }
    this.#next = from
  }

  async read(_wanted: (p: TopicPartition) => boolean, signal: AbortSignal): Promise<readonly Chunk[]> {
    const { log, rows, positions } = this.#opened()
    if (this.#note === null) {
      this.#note = { log: log.id }
      await positions.writeNote(this.#note)
    }
    while (log.end <= this.#next) await log.appended(signal)
    const chunks = await rows.read(await log.read(this.#next, rows.atOnce), signal)
    this.#next = chunks[chunks.length - 1].next
    return chunks
  }

  async ends(): Promise<ReadonlyMap<string, number>> {
    return new Map([[partitionKey(this.#partition), this.#opened().log.end]])
  }

  async close(): Promise<void> {
    await this.#open?.windows.close()
    this.#open = null
  }

  #opened(): Open {
    if (!this.#open) throw new ConnectError('R001_INTERNAL', 'the view source is not open')
    return this.#open
  }
}
