import { ConnectError } from '../../runtime/errors'
import type { PluginContext, Session, Source } from '../../runtime/plugin'
import type { Schema } from '../../runtime/schema'
import type { SharedClosings, WindowStore } from '../../runtime/views/contracts'
import type { StoreConfig } from '../../sql/client'
import { openView } from './open_view'
import { ShardLane } from './shard_lane'
import { ShardReads } from './shard_reads'

/**
 * The windows of a view, shared out over the workers by key: the partitions of its closings are read as any topic is, with their
 * offsets as position, and each closing becomes the rows that its windows have in that shard now.
 */
export class ShardedView implements Source {
  readonly #view: string
  readonly #context: PluginContext<StoreConfig>
  readonly #shared: SharedClosings
  readonly #closings: Source
  #open: { readonly windows: WindowStore; readonly schema: Schema; readonly reads: ShardReads } | null = null

  constructor(view: string, context: PluginContext<StoreConfig>, shared: SharedClosings) {
    this.#view = view
    this.#context = context
    this.#shared = shared
    this.#closings = shared.source(context)
  }

  async open(signal: AbortSignal): Promise<Schema> {
    const { windows, schema, reads } = this.#open ?? (await this.#openWindows(signal))
    this.#open = { windows, schema, reads }
    await this.#shared.open(signal)
    await this.#closings.open(signal)
    return schema
  }

  async session(signal: AbortSignal): Promise<Session> {
    const opened = this.#open
    if (!opened) throw new ConnectError('R001_INTERNAL', 'the view source is not open')
    const inner = await this.#closings.session(signal)
    const { id, over, whole } = inner
    return {
      id,
      over,
      ...(whole === undefined ? {} : { whole }),
      ...(inner.survey ? { survey: (signal: AbortSignal) => inner.survey?.(signal) ?? Promise.resolve([]) } : {}),
      lanes: inner.lanes.map(lane => new ShardLane(lane, opened.schema, opened.reads)),
    }
  }

  async close(): Promise<void> {
    const opened = this.#open
    this.#open = null
    await this.#closings.close()
    await opened?.windows.close()
  }

  async #openWindows(signal: AbortSignal) {
    const { windows, schema } = await openView(this.#view, this.#context, signal)
    return { windows, schema, reads: new ShardReads(windows) }
  }
}
