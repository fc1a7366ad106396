import { systemClock } from '../../runtime/clock'
import { asConnectError } from '../../runtime/errors'
import type { DetectorSpec } from '../../runtime/fields'
import type { Registry } from '../../runtime/registry'
import { expectListeners } from '../../runtime/retry'
import type { FlowSpec, PipelineSpec } from '../../runtime/spec'
import { contextsOf } from '../session'
import { followTopic } from '../topic_reader'
import { AnomalyList, anomalyOf, type RuleOf } from './anomalies'

/** Offsets that are read back: more than the rows kept, because revisions and transaction markers take some. */
const BACK = 4_000
/** Where verdicts on normal windows stand between the anomalies. */
const BACK_AMONG_ALL = 100_000
const RETRY_MS = 2_000
/** Longest time for which the first look waits for what is in the topics. */
const FIRST_MS = 10_000

/** A topic in which flows of a pipeline tell anomalies; read once for all of them. */
interface AnomalyTopic {
  readonly pipeline: PipelineSpec
  readonly flows: readonly string[]
  readonly connection: string
  readonly topic: string
  readonly back: number
}

export interface FeedState {
  readonly pipeline: string
  readonly flow: string
  readonly topic: string
  /** `waiting`: the topic cannot be read at the moment; `error` says why. */
  readonly state: 'reading' | 'live' | 'waiting'
  readonly error: string | null
}

export interface FeedOptions {
  readonly pipelines: readonly PipelineSpec[]
  readonly registry: Registry
  readonly dataDir: string
  readonly scrub: (text: string) => string
}

/**
 * Anomalies as every other reader of their topics sees them: committed, from all workers, the same after a restart. Reading begins
 * with the first look at the page and costs nothing before.
 */
export class AnomalyFeed {
  readonly list = new AnomalyList()
  readonly #options: FeedOptions
  readonly #topics: readonly AnomalyTopic[]
  readonly #states = new Map<AnomalyTopic, Pick<FeedState, 'state' | 'error'>>()
  readonly #stop = new AbortController()
  readonly #known: Promise<void>
  #tellKnown: () => void = () => {}
  #following: Promise<unknown> | null = null

  constructor(options: FeedOptions) {
    this.#options = options
    this.#topics = options.pipelines.flatMap(topicsOf)
    this.#known = new Promise(resolve => {
      this.#tellKnown = resolve
    })
    if (this.#topics.length === 0) this.#tellKnown()
    expectListeners(this.#topics.length, this.#stop.signal)
  }

  /** Begins to read, if nobody did yet. */
  start(): void {
    this.#following ??= Promise.all(this.#topics.map(t => this.#follow(t)))
  }

  /** Resolves once each topic has been read to its end, or cannot be read at the moment; at the latest after `most`. Begins to read. */
  async read(most = FIRST_MS): Promise<void> {
    this.start()
    await Promise.race([this.#known, systemClock.sleep(most, this.#stop.signal)]).catch(() => {})
  }

  states(): readonly FeedState[] {
    return this.#topics.flatMap(t => {
      const { state, error } = this.#states.get(t) ?? { state: 'reading', error: null }
      return t.flows.map(flow => ({ pipeline: t.pipeline.name, flow, topic: t.topic, state, error }))
    })
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#following
  }

  async #follow(at: AnomalyTopic): Promise<void> {
    const { registry, dataDir, scrub } = this.#options
    const { signal } = this.#stop
    const { pipeline, connection, topic, back } = at
    const ruleOf = rulesOf(pipeline, scrub)
    const open = { pipeline, registry, signal, context: contextsOf(pipeline, dataDir) }
    while (!signal.aborted) {
      try {
        const caughtUp = (): void => this.#is(at, { state: 'live', error: null })
        await followTopic(open, { connection, topic, from: back, value: null, bounded: false, caughtUp }, async json => {
          const row = anomalyOf(json, ruleOf)
          if (row) this.list.add(row)
          return !signal.aborted
        })
      } catch (thrown) {
        const { code, message } = asConnectError(thrown)
        this.#is(at, { state: 'waiting', error: scrub(`${code}: ${message}`) })
      }
      await systemClock.sleep(RETRY_MS, signal).catch(() => {})
    }
  }

  #is(at: AnomalyTopic, state: Pick<FeedState, 'state' | 'error'>): void {
    this.#states.set(at, state)
    if (this.#states.size === this.#topics.length) this.#tellKnown()
  }
}

function topicsOf(pipeline: PipelineSpec): readonly AnomalyTopic[] {
  const topics = new Map<string, AnomalyTopic>()
  for (const found of pipeline.flows.flatMap(flow => anomalyTopic(pipeline, flow))) {
    const id = JSON.stringify([found.connection, found.topic])
    const { flows = [], back = 0 } = topics.get(id) ?? {}
    topics.set(id, { ...found, flows: [...flows, ...found.flows], back: Math.max(back, found.back) })
  }
  return [...topics.values()]
}

/** The rules of a pipeline as they are now: a record names its detector only. A variable in one may have been filled with a secret. */
export function rulesOf({ name, flows }: Pick<PipelineSpec, 'name' | 'flows'>, scrub: (text: string) => string): RuleOf {
  const rules = new Map<string, string>()
  for (const flow of flows)
    for (const { type, config } of flow.transforms) {
      if (type !== 'score') continue
      const { detectors } = config as { readonly detectors: Readonly<Record<string, DetectorSpec>> }
      for (const [detector, spec] of Object.entries(detectors)) {
        if (spec.type !== 'threshold') continue
        const { if: condition, score } = spec.config as { readonly if?: string; readonly score?: string }
        rules.set(JSON.stringify([flow.name, detector]), scrub(condition ?? `score ${score}`))
      }
    }
  return a => (a.pipeline === name ? (rules.get(JSON.stringify([a.flow, a.detector])) ?? null) : null)
}

function anomalyTopic(pipeline: PipelineSpec, { name, transforms, sink }: FlowSpec): readonly AnomalyTopic[] {
  const score = transforms.find(t => t.type === 'score')
  if (!score || sink.type !== 'kafka' || sink.connection === null) return []
  const { topic } = sink.config as { readonly topic: string | { readonly name: string } }
  const { emit } = score.config as { readonly emit: 'anomalies' | 'all' }
  return [
    {
      pipeline,
      flows: [name],
      connection: sink.connection,
      topic: typeof topic === 'string' ? topic : topic.name,
      back: emit === 'all' ? BACK_AMONG_ALL : BACK,
    },
  ]
}
