import { ConnectError } from '../../runtime/errors'
import type { LocalInput } from '../../runtime/local_source'
import { partitionKey, type TopicPartition } from '../../runtime/origin'
import type { Chunk, PluginContext } from '../../runtime/plugin'
import type { PositionStore } from '../../runtime/positions'
import type { ClosingLog, WindowStore } from '../../runtime/views/contracts'
import type { StoreConfig } from '../../sql/client'
import { ClosedRows } from './closed_rows'
import { openView } from './open_view'

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
  readonly #log: () => Promise<ClosingLog>
  readonly #partition: TopicPartition
  #open: Open | null = null
  #next = 0
  #note: { readonly log: string } | null = null

  /** `log`: opens the closings, which the engine closes. */
  constructor(view: string, context: PluginContext<StoreConfig>, log: () => Promise<ClosingLog>) {
    this.#view = view
    this.#context = context
    this.#log = log
    this.#partition = { topic: view, partition: 0 }
  }

  async open(positions: PositionStore, signal: AbortSignal) {
    const log = await this.#log()
    this.#note = (await positions.note()) as { readonly log: string } | null
    if (this.#note && this.#note.log !== log.id) {
      throw new ConnectError(
        'P001_POSITION_STOP',
        `the closings of the view ${this.#view} were begun anew; the position is in another log`,
      )
    }
    const { windows, schema } = await openView(this.#view, this.#context, signal)
    this.#open = { log, windows, rows: new ClosedRows({ windows, schema, partition: this.#partition }), positions }
    return { schema, partitions: [this.#partition] }
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
    const last = chunks[chunks.length - 1]
    this.#next = last.next
    // the next window closes a slide later: an alarm must not wait for it
    return this.#next < log.end ? chunks : [...chunks.slice(0, -1), { ...last, urgent: true }]
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
