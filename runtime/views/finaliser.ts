import type { Clock } from '../clock'
import { ConnectError } from '../errors'
import type { Emitter } from '../events'
import { anySignal, type RetryContext, retrying } from '../retry'
import type { ViewSpec } from '../spec'
import type { ClosingWriter, PaneTotal, WindowStore } from './contracts'
import { DueWindows } from './due_windows'
import { LateNews } from './late_news'
import { closingsInOrder, endAtOrBefore, paneOf, pieces, type Windows, windowEnds, windowRecords } from './plan'
import type { TableProgress } from './progress'

export interface FinaliserOptions {
  readonly pipeline: string
  readonly view: ViewSpec & { readonly window: Windows }
  readonly progress: TableProgress
  /** Called once the table is there. */
  readonly open: (signal: AbortSignal) => Promise<WindowStore>
  readonly clock: Clock
  readonly events: Emitter
  readonly drain: AbortSignal
  readonly abort: AbortSignal
  /** Awaited at named points, for tests. */
  readonly at?: (point: 'windows_written' | 'windows_told') => Promise<void> | void
}

/** What a view has done in this run. */
export interface ViewCounts {
  /** Windows closed. */
  readonly windows: number
  /** Windows revised after they were closed, those that were final included. */
  readonly revisions: number
  /** Records of the table that came too late to count, whether or not the view's `where` would take them; each once in a run. */
  readonly late: number
  /** Final windows that were revised all the same. */
  readonly reopened: number
}

/** Rows of panes that one statement reads; bounds memory and time of a statement. */
const MOST_ROWS = 2_000_000
const LONGEST_TICK_MS = 1_000
const NEVER = Number.NEGATIVE_INFINITY

/** `over`: another worker finalises the view now. */
export type FinaliserEnd = 'ended' | 'over'

/**
 * Closes, revises and ends the windows of one view, whenever this worker is the one to do it. One finaliser works on a view at a
 * time.
 *
 * All it knows is in the log of closings and in the tables: a window whose rows were written and whose closing was not is written
 * again, which changes nothing, and then told. The order is always rows first, then the closing.
 */
export class Finaliser {
  readonly #o: FinaliserOptions
  readonly #windows: Windows
  /** Windows up to here are closed, or final. */
  #closedTo = NEVER
  #finalTo = NEVER
  #watermark = NEVER
  /** Records of each pane when its windows were last looked at, from the first pane of a window that is not final. */
  #known: ReadonlyMap<number, number> = new Map()
  /** Earliest event time written since the last pass; -Infinity: not known. */
  #earliest = Number.POSITIVE_INFINITY
  #wake: (() => void) | null = null
  #changed = false
  /** Windows whose revision another worker, or this one before a crash, may have written and not told. */
  #untold: ReadonlySet<number> = new Set()
  readonly #lateNews: LateNews
  #counts = { windows: 0, revisions: 0, late: 0, reopened: 0 }
  #pruned = NEVER
  #dueWindows: DueWindows

  constructor(options: FinaliserOptions) {
    this.#o = options
    this.#windows = options.view.window
    this.#dueWindows = new DueWindows(options.clock)
    this.#lateNews = new LateNews(options.view.from, options.clock)
    options.progress.listen({
      changed: () => {
        this.#dueWindows.passed(endAtOrBefore(this.#reached(), this.#windows))
        this.#notify()
      },
      written: (earliest, behind) => this.#written(earliest, behind),
    })
  }

  get counts(): ViewCounts {
    return { ...this.#counts }
  }

  /**
   * Runs until every flow that writes the table has ended, a stop is asked for, or the log is another worker's (`over`). It goes
   * on from what the log says was done before.
   */
  async run(log: ClosingWriter, over: AbortSignal | null = null): Promise<FinaliserEnd> {
    const { progress, drain, abort } = this.#o
    const stop = anySignal(drain, abort, ...(over ? [over] : []))
    const unwatch = progress.watch()
    try {
      while (!progress.started) {
        this.#changed = false
        if (progress.ended) return 'ended'
        await this.#change(stop.signal)
      }
      const store = await retrying(this.#retry(stop.signal), () => this.#o.open(stop.signal))
      try {
        const { closed, final, watermark, revising } = log.reached
        this.#untold = new Set(revising)
        this.#closedTo = closed
        this.#finalTo = final
        this.#watermark = watermark
        this.#known = new Map()
        // what was due before was for another worker to close
        this.#dueWindows = new DueWindows(this.#o.clock)
        await this.#loop(store, log, stop.signal)
      } finally {
        await store.close()
      }
      return 'ended'
    } catch (error) {
      if (abort.aborted) throw error
      if (!drain.aborted) {
        if (over?.aborted) return 'over'
        throw error
      }
      if (error !== drain.reason && !(error instanceof ConnectError && error.code === 'R003_ABORTED')) throw error
      return 'ended'
    } finally {
      unwatch()
      stop.release()
    }
  }

  async #loop(store: WindowStore, log: ClosingWriter, signal: AbortSignal): Promise<void> {
    const { progress } = this.#o
    for (let first = true; ; first = false) {
      this.#changed = false
      const { ended } = progress
      const watermark = this.#reached()
      this.#dueWindows.passed(endAtOrBefore(watermark, this.#windows))
      if (ended ? progress.complete : first || this.#due(watermark)) {
        await retrying(this.#retry(signal), () =>
          this.#pass(store, log, { reached: ended ? Number.POSITIVE_INFINITY : watermark, all: first || ended }, signal),
        )
      }
      if (ended) return
      await this.#change(signal)
    }
  }

  /** The watermark of the view: that of its table less the delay. */
  #reached(): number {
    const known = this.#o.progress.watermark()
    return known === null ? NEVER : known - this.#o.view.delay
  }

  #due(watermark: number): boolean {
    const reached = endAtOrBefore(watermark, this.#windows)
    return (
      reached > this.#closedTo ||
      endAtOrBefore(watermark - this.#o.view.lateness, this.#windows) > this.#finalTo ||
      this.#earliest < this.#closedTo
    )
  }

  /** `all`: compares everything that is kept, not only what may have changed since the last pass. */
  async #pass(
    store: WindowStore,
    log: ClosingWriter,
    { reached, all }: { readonly reached: number; readonly all: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const { view } = this.#o
    const { size, slide } = this.#windows
    const started = this.#o.clock.monotonic()
    const earliest = this.#earliest
    this.#earliest = Number.POSITIVE_INFINITY
    try {
      const horizon = this.#finalTo + slide - size
      const reopened = Number.isFinite(earliest) && paneOf(earliest, this.#windows) < horizon
      const everything = all || earliest === NEVER || horizon === NEVER
      const compare = all || earliest === NEVER || reopened
      const from = everything ? null : reopened ? paneOf(earliest, this.#windows) : horizon
      const totals = await store.paneTotals(from, signal)
      const panes = new Map(totals.map(t => [t.pane, t]))
      const ends = windowEnds(panes.keys(), this.#windows)

      const grown = new Set(compare ? await this.#differing(ends, totals, panes, store, signal) : this.#grown(panes))
      const revised = ends.filter(end => end <= this.#closedTo && (grown.has(end) || this.#untold.has(end)))
      for (const piece of pieces(revised, panes, this.#windows, MOST_ROWS)) {
        await log.announce(piece)
        await store.finalise(piece, signal)
        await this.#o.at?.('windows_written')
        await log.append([{ view: view.name, watermark: this.#watermark, windowEnds: piece, kind: 'revise' }])
        this.#counts.revisions += piece.length
        this.#counts.reopened += piece.filter(end => end <= this.#finalTo).length
      }

      this.#untold = new Set()

      const finalUpTo = reached - view.lateness
      const close = ends.filter(end => end > this.#closedTo && end <= reached)
      const final = ends.filter(end => end > this.#finalTo && end <= finalUpTo)
      await this.#advance({ close, final }, panes, store, log, signal)

      if (Number.isFinite(reached)) {
        this.#watermark = Math.max(this.#watermark, reached)
        this.#closedTo = Math.max(this.#closedTo, endAtOrBefore(reached, this.#windows))
        this.#finalTo = Math.max(this.#finalTo, endAtOrBefore(finalUpTo, this.#windows))
      }
      const kept = this.#finalTo + slide - size
      this.#known = new Map(totals.filter(t => t.pane >= kept).map(t => [t.pane, t.records]))
      await this.#prune(store, signal)
      this.#say(close.length, revised.length, final.length, this.#o.clock.monotonic() - started)
    } catch (error) {
      this.#earliest = Math.min(this.#earliest, earliest)
      throw error
    }
  }

  /** Writes what closes and tells it together with what becomes final, in pieces that each can be done again. */
  async #advance(
    { close, final }: { readonly close: readonly number[]; readonly final: readonly number[] },
    panes: ReadonlyMap<number, PaneTotal>,
    store: WindowStore,
    log: ClosingWriter,
    signal: AbortSignal,
  ): Promise<void> {
    const { view } = this.#o
    const acts = closingsInOrder(view.name, close, final, view.lateness)
    let told = 0
    for (const piece of [...pieces(close, panes, this.#windows, MOST_ROWS), null]) {
      if (piece) {
        await store.finalise(piece, signal)
        await this.#o.at?.('windows_written')
      }
      const written = piece ? piece[piece.length - 1] : Number.POSITIVE_INFINITY
      let next = told
      while (next < acts.length && acts[next].watermark <= written) next++
      const now = acts.slice(told, next)
      await log.append(now)
      if (now.length > 0) await this.#o.at?.('windows_told')
      told = next
      for (const { kind, windowEnds, watermark } of now) {
        if (kind === 'close') this.#closedTo = Math.max(this.#closedTo, windowEnds[0])
        else this.#finalTo = Math.max(this.#finalTo, windowEnds[0])
        this.#watermark = Math.max(this.#watermark, watermark)
        if (kind === 'close') this.#counts.windows++
      }
    }
  }

  /** Closed windows with a pane that has more records than at the last look. */
  #grown(panes: ReadonlyMap<number, PaneTotal>): readonly number[] {
    const grown = [...panes.values()].filter(p => p.records > (this.#known.get(p.pane) ?? 0)).map(p => p.pane)
    return windowEnds(grown, this.#windows).filter(end => end <= this.#closedTo)
  }

  /** Closed windows whose rows count fewer records than their panes. */
  async #differing(
    ends: readonly number[],
    totals: readonly PaneTotal[],
    panes: ReadonlyMap<number, PaneTotal>,
    store: WindowStore,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    const closed = ends.filter(end => end <= this.#closedTo)
    if (closed.length === 0 || totals.length === 0) return []
    const rows = await store.rowTotals(closed[0], signal)
    return closed.filter(end => windowRecords(end, panes, this.#windows) > (rows.get(end) ?? 0))
  }

  /** Once a day of event time: panes whose windows have been final for long enough. */
  async #prune(store: WindowStore, signal: AbortSignal): Promise<void> {
    const before = this.#finalTo - this.#windows.size - this.#o.view.panesRetain
    const day = Math.floor(before / 86_400_000)
    if (!Number.isFinite(before) || day <= this.#pruned) return
    await store.prune(before, signal)
    this.#pruned = day
  }

  #written(earliest: number | null, behind: Float64Array | null): void {
    if (earliest !== null && earliest < this.#earliest) this.#earliest = earliest
    if (!behind) return
    const limit = this.#o.view.delay + this.#o.view.lateness
    let late = 0
    for (const ms of behind) if (ms > limit) late++
    if (late === 0) return
    this.#counts.late += late
    this.#o.events.emit('records_late', {
      pipeline: this.#o.pipeline,
      view: this.#o.view.name,
      records: late,
      tell: this.#lateNews.add(late),
    })
  }

  #say(closed: number, revised: number, final: number, took_ms: number): void {
    const { pipeline, view, clock, events } = this.#o
    const closing_ms = this.#dueWindows.closed(this.#closedTo)
    if (closed + revised + final === 0) return
    const lag_ms = Number.isFinite(this.#watermark) ? clock.now() - this.#watermark : 0
    events.emit('windows_finalised', {
      pipeline,
      view: view.name,
      closed,
      revised,
      final,
      took_ms,
      watermark_ms: this.#watermark,
      lag_ms,
      closing_ms: closed > 0 ? closing_ms : null,
    })
  }

  #notify(): void {
    this.#changed = true
    this.#wake?.()
  }

  /** Waits for the next change; while the watermark follows the wall clock, at most a slide. */
  async #change(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#changed) return
    const done = new AbortController()
    this.#wake = () => done.abort()
    const either = anySignal(signal, done.signal)
    const tick = this.#o.progress.idle ? Math.min(LONGEST_TICK_MS, this.#windows.slide) : 3_600_000
    try {
      await this.#o.clock.sleep(tick, either.signal).catch(() => {})
      signal.throwIfAborted()
    } finally {
      this.#wake = null
      either.release()
    }
  }

  #retry(signal: AbortSignal): RetryContext {
    const { pipeline, view, events, clock } = this.#o
    return { pipeline, flow: view.name, stage: 'write', events, clock, signal }
  }
}
