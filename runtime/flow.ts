import { allRead, isWhole } from './all_read'
import type { Clock } from './clock'
import { columnsStage, type DecodeStage, recordsStage } from './decode'
import { asConnectError, ConnectError } from './errors'
import { EventTime } from './event_time'
import type { Emitter, EventData, EventName } from './events'
import type { Flush, RawSourceOptions } from './fields'
import { FlowReport } from './flow_report'
import type { EngineHooks } from './hooks'
import { runLane } from './lane'
import { BatchMemories } from './memory'
import { partitionKey } from './origin'
import type { ApplyContext, Block, DeadLetterWriter, Format, Session, Sink, Source, Transform } from './plugin'
import { needsKey } from './record_columns'
import { anySignal, expectListeners, Outages, orAbort, type RetryContext, retrying } from './retry'
import type { Schema } from './schema'
import type { FlowSpec } from './spec'
import type { StageName } from './stage_name'
import type { StateStore } from './state'
import type { FlowStats } from './stats'
import type { FlowTaps } from './tap'
import { watchElsewhere } from './views/elsewhere'
import type { FlowProgress } from './views/progress'

/** The instances a flow is made of; created by `stages.ts`, opened and closed by the flow. */
export interface FlowParts {
  readonly spec: FlowSpec
  readonly pipeline: string
  readonly source: Source
  /** Value and key formats and their options; null where the source delivers typed columns. */
  readonly records: { readonly value: Format; readonly key: Format; readonly options: RawSourceOptions } | null
  readonly transforms: readonly {
    readonly name: string
    readonly at: string
    readonly stateful: boolean
    readonly findsAnomalies: boolean
    readonly transform: Transform
  }[]
  readonly sink: Sink
  readonly deadLetters: DeadLetterWriter | null
  readonly flush: Flush
  /** Bytes this flow may hold. */
  readonly memory: number
}

export interface FlowEnvironment {
  readonly events: Emitter
  readonly clock: Clock
  readonly hooks: EngineHooks
  /** Graceful stop: read no more, finish what is in hand. */
  readonly drain: AbortSignal
  /** Hard stop. */
  readonly abort: AbortSignal
  /** State of stateful transforms. */
  readonly states: StateStore
  /** Told how the table of this flow advances in event time; null where no view needs to know. */
  readonly progress: FlowProgress | null
  /** Those who look at rows as they pass; null where nobody can. */
  readonly taps: FlowTaps | null
  /** Resolves true once no more input will come to this flow's source (bounded runs), false if that never happens. */
  inputComplete(signal: AbortSignal): Promise<boolean>
}

export type FlowEnd = 'done' | 'stopped'

type BoundTransform = { apply(batch: Parameters<Transform['apply']>[0], signal: AbortSignal): ReturnType<Transform['apply']> }

/** One run of a flow, from open to close. What its lanes share lives here. */
export class FlowRun {
  readonly spec: FlowSpec
  readonly pipeline: string
  readonly sink: Sink
  readonly deadLetters: DeadLetterWriter | null
  readonly flush: Flush
  readonly clock: Clock
  readonly hooks: EngineHooks
  readonly drain: AbortSignal
  readonly abort: AbortSignal
  readonly lanes: number
  readonly progress: FlowProgress | null
  readonly taps: FlowTaps | null
  readonly states: StateStore
  /** Transforms whose output also depends on earlier batches of the lane. */
  readonly stateful: readonly { readonly transform: Transform }[]
  /** What it writes are anomaly records that it made. */
  readonly findsAnomalies: boolean
  /** Counters, events and dead letters of this run. */
  readonly report: FlowReport
  readonly memories: BatchMemories
  transforms: readonly BoundTransform[] = []
  eventTime: EventTime | null = null
  readonly #parts: FlowParts
  readonly #environment: FlowEnvironment
  readonly #bound = new AbortController()
  readonly #outages = new Outages()
  #decode: DecodeStage | null = null
  #binding: Promise<void> | null = null

  constructor(parts: FlowParts, environment: FlowEnvironment, stats: FlowStats) {
    this.#parts = parts
    this.#environment = environment
    this.report = new FlowReport(this, stats)
    this.spec = parts.spec
    this.pipeline = parts.pipeline
    this.sink = parts.sink
    this.deadLetters = parts.deadLetters
    this.flush = parts.flush
    this.clock = environment.clock
    this.hooks = environment.hooks
    this.memories = new BatchMemories(environment.hooks.poisonMemory)
    this.drain = environment.drain
    this.abort = environment.abort
    this.lanes = parts.spec.lanes
    this.progress = environment.progress
    this.taps = environment.taps
    this.states = environment.states
    this.stateful = parts.transforms.filter(t => t.stateful)
    this.findsAnomalies = parts.transforms.some(t => t.findsAnomalies)
  }

  /** True once the schema is known and sink and transforms are bound to it. */
  get bound(): boolean {
    return this.#bound.signal.aborted
  }

  /** Aborts when `bound` turns true. */
  get boundSignal(): AbortSignal {
    return this.#bound.signal
  }

  get decode(): DecodeStage {
    if (!this.#decode) throw new ConnectError('R001_INTERNAL', 'the flow is not bound to a schema')
    return this.#decode
  }

  /** `idle:` of the source, in milliseconds. */
  get idle(): number | null {
    return (this.spec.source.config as { readonly idle?: number } | null)?.idle ?? null
  }

  get laneMemory(): number {
    return Math.max(1, Math.floor(this.#parts.memory / this.lanes))
  }

  emit<N extends EventName>(name: N, data: Omit<EventData[N], 'pipeline' | 'flow'>): void {
    this.#environment.events.emit(name, { pipeline: this.pipeline, flow: this.spec.name, ...data } as EventData[N])
  }

  retryContext(stage: StageName, signal: AbortSignal): RetryContext {
    const { pipeline, spec, clock, drain } = this
    const { events } = this.#environment
    return { pipeline, flow: spec.name, stage, events, clock, signal, drain, outages: this.#outages }
  }

  whenInputIsComplete(signal: AbortSignal): Promise<boolean> {
    return this.#environment.inputComplete(signal)
  }

  /** Opens everything, runs sessions until the input ends or a stop is asked for, closes everything. */
  async run(): Promise<FlowEnd> {
    const { spec } = this
    this.emit('flow_started', { source: spec.source.type, sink: spec.sink.type, lanes: this.lanes })
    try {
      await this.#open()
      return await this.#sessions()
    } catch (error) {
      if (this.drain.aborted && isAbort(error, this.drain)) return 'stopped'
      throw error
    } finally {
      await this.#close()
    }
  }

  async #open(): Promise<void> {
    const { signal, release } = anySignal(this.drain, this.abort)
    const done = new AbortController()
    const hopeless = this.#hopeless(done.signal)
    const waiting = (stage: StageName): RetryContext => ({ ...this.retryContext(stage, signal), opening: true, hopeless })
    try {
      const schema = await retrying(waiting('read'), () => this.#parts.source.open(signal))
      if (this.deadLetters) {
        const letters = this.deadLetters
        await retrying(waiting('dead_letter'), () => letters.open(signal))
      }
      const { records } = this.#parts
      if (!records) {
        if (!schema) throw new ConnectError('R001_INTERNAL', `the source ${this.spec.source.type} gave no schema`)
        await this.#bind(columnsStage(schema, this.spec.source.type), signal)
        return
      }
      const value = await retrying(waiting('decode'), () => records.value.open(signal))
      const key = needsKey(records.options) ? await retrying(waiting('decode'), () => records.key.open(signal)) : null
      if (value && (key || !needsKey(records.options))) await this.#bindRecords(value, key, signal)
    } finally {
      done.abort()
      release()
    }
  }

  /** Aborts, in a bounded run, once no flow is left that could make what this one waits for. */
  #hopeless(done: AbortSignal): AbortSignal {
    const over = new AbortController()
    this.#environment.inputComplete(done).then(
      complete => complete && over.abort(),
      () => {},
    )
    return over.signal
  }

  /** Binds to the schema that a first block shows. Several lanes may ask; the first does it. */
  async bindTo(block: Block, signal: AbortSignal): Promise<void> {
    const { records } = this.#parts
    if (!records || block.kind !== 'records') throw new ConnectError('R001_INTERNAL', 'a typed source needs no inference')
    this.#binding ??= (async () => {
      const context = this.retryContext('decode', signal)
      const value =
        (await retrying(context, () => records.value.open(signal))) ??
        (await retrying(context, () => records.value.infer(block, 'value', signal)))
      const key = needsKey(records.options)
        ? ((await retrying(context, () => records.key.open(signal))) ??
          (await retrying(context, () => records.key.infer(block, 'key', signal))))
        : null
      await this.#bindRecords(value, key, signal)
    })()
    try {
      await this.#binding
    } catch (error) {
      this.#binding = null
      throw error
    }
  }

  async #bindRecords(valueSchema: Schema, keySchema: Schema | null, signal: AbortSignal): Promise<void> {
    const { records } = this.#parts
    if (!records) return
    const { source } = this.spec
    const stage = this.#located(source.at, () =>
      recordsStage(
        { value: records.value, valueSchema, key: records.key, keySchema },
        records.options,
        source.connection ?? '',
        source.type,
      ),
    )
    await this.#bind(stage, signal)
  }

  async #bind(decode: DecodeStage, signal: AbortSignal): Promise<void> {
    let schema = decode.schema
    const bound: BoundTransform[] = []
    for (const { name, at, transform } of this.#parts.transforms) {
      const input = schema
      schema = this.#located(at, () => transform.bind(input))
      const reject: ApplyContext['reject'] = (batch, row, error) => ({
        stage: 'transform',
        plugin: name,
        error,
        record: batch.raw(row),
      })
      bound.push({ apply: (batch, signal) => transform.apply(batch, { signal, reject }) })
    }
    const { sink, spec } = this
    const output = schema
    this.eventTime = sink.eventTime
      ? this.#located(spec.sink.at, () => (sink.eventTime ? new EventTime(output, sink.eventTime) : null))
      : null
    await retrying(this.retryContext('write', signal), () => sink.open(output, signal)).catch(thrown => {
      const misspelt = thrown instanceof ConnectError && thrown.code === 'C015_UNKNOWN_COLUMN'
      if (!misspelt) throw thrown
      return this.#located(spec.sink.at, () => {
        throw thrown
      })
    })
    this.transforms = bound
    this.#decode = decode
    this.#bound.abort()
  }

  /** Errors found while binding say where in the file the stage stands. */
  #located<T>(at: string, bind: () => T): T {
    try {
      return bind()
    } catch (thrown) {
      const error = asConnectError(thrown)
      if (error.code === 'R001_INTERNAL') throw error
      const { stage, plugin, hint, retriable } = error
      throw new ConnectError(error.code, `${at}: ${error.message}`, { stage, plugin, hint, retriable, cause: error })
    }
  }

  async #sessions(): Promise<FlowEnd> {
    for (;;) {
      const either = anySignal(this.drain, this.abort)
      let session: Session
      try {
        session = await retrying(this.retryContext('read', either.signal), () => this.#parts.source.session(either.signal))
      } finally {
        either.release()
      }
      const lanes = session.lanes.map(l => l.lane)
      const partitions = session.lanes.reduce((n, l) => n + l.partitions.length, 0)
      const keys = session.lanes.flatMap(l => l.partitions.map(partitionKey))
      this.progress?.joined(keys, isWhole(session))
      this.emit('session_started', { session: session.id, lanes: lanes.join(', ') || 'none', partitions })
      const ends = await this.#session(session)
      if (!ends.includes('over')) return ends.includes('stopped') ? 'stopped' : 'done'
      this.progress?.left()
      this.report.left()
      this.emit('session_over', { session: session.id, reason: reasonOf(session.over) })
    }
  }

  async #session(session: Session): Promise<readonly string[]> {
    const ended = new AbortController()
    const { signal, release } = anySignal(session.over, this.abort, ended.signal)
    const watching = watchElsewhere(this, session, signal)
    try {
      const ends = session.lanes.length > 0 ? await this.#lanes(session) : await this.#idle(session)
      return ends.every(end => end === 'done') ? [await allRead(this, session)] : ends
    } finally {
      ended.abort()
      await watching
      release()
    }
  }

  /** All lanes of a session; the first failure ends the others before it is thrown. */
  async #lanes(session: Session): Promise<readonly string[]> {
    const failed = new AbortController()
    const { signal, release } = anySignal(session.over, failed.signal)
    expectListeners(session.lanes.length, signal, this.#bound.signal)
    const inner: Session = { ...session, id: session.id, lanes: session.lanes, over: signal }
    const results = await Promise.allSettled(
      session.lanes.map(reader =>
        runLane(this, inner, reader).catch(error => {
          if (!failed.signal.aborted) failed.abort(error)
          throw error
        }),
      ),
    )
    release()
    if (failed.signal.aborted) throw failed.signal.reason
    return results.map(r => (r.status === 'fulfilled' ? r.value : 'over'))
  }

  /** A worker without lanes waits for the next rebalance. */
  async #idle(session: Session): Promise<readonly string[]> {
    const waiting = anySignal(session.over, this.drain, this.abort)
    try {
      if (await this.#environment.inputComplete(waiting.signal)) return ['done']
      return await orAbort(new Promise<never>(() => {}), waiting.signal)
    } catch (error) {
      if (!waiting.signal.aborted) throw error
      this.abort.throwIfAborted()
      return [this.drain.aborted ? 'stopped' : 'over']
    } finally {
      waiting.release()
    }
  }

  async #close(): Promise<void> {
    const { source, sink, deadLetters, records, transforms } = this.#parts
    const closing = [
      sink.close(),
      deadLetters?.close(),
      source.close(),
      records?.value.close(),
      records?.key.close(),
      ...transforms.map(t => t.transform.close?.()),
    ]
    await Promise.allSettled(closing)
  }
}

const reasonOf = (signal: AbortSignal): string => (signal.reason instanceof Error ? signal.reason.message : String(signal.reason))

const isAbort = (error: unknown, signal: AbortSignal): boolean =>
  error === signal.reason || (error instanceof ConnectError && error.code === 'R003_ABORTED')
