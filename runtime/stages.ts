import { isAbsolute, join } from 'node:path'
import type { Clock } from './clock'
import { DeadLetterFile } from './dead_letter_file'
import { ConnectError, type ErrorCode } from './errors'
import type { Emitter } from './events'
import type { Flush, FormatSpec, RawSourceOptions } from './fields'
import type { FlowParts } from './flow'
import type { DeadLetterWriter, Format, Makers, PluginContext, RegistryEndpoint, SinkContext } from './plugin'
import { didYouMean, type Registry } from './registry'
import type { FlowSpec, PipelineSpec, PluginSpec } from './spec'
import type { ViewClosings } from './views/contracts'

/** What a worker gives every plugin. */
export interface StageEnvironment {
  readonly registry: Registry
  readonly events: Emitter
  readonly clock: Clock
  readonly dataDir: string
  /** Where plugins that print write to; resolves when the text is taken. */
  readonly stdout?: (text: string) => Promise<void>
  /** The closings of a view of the pipeline; absent outside of a running one. */
  readonly closings?: (view: string) => ViewClosings
  /** The flows that make what the flow reads from a connection under a name; absent outside of a running one. */
  readonly makers?: (connection: string | null, name: string) => Makers
  /** True: formats get no registry, because nothing may be asked outside the machine. */
  readonly offline?: boolean
}

/** Sinks without `flush:` use the same limits as those with. */
const DEFAULT_FLUSH: Flush = { rows: 100_000, bytes: 32 * 1024 ** 2, interval: 200 }

/** The reading half of a flow: enough to know its columns at each stage. */
export type ReadingParts = Pick<FlowParts, 'spec' | 'source' | 'records' | 'transforms'>

/** Creates the instances of one flow. Nothing is opened. */
export function createFlow(pipeline: PipelineSpec, spec: FlowSpec, environment: StageEnvironment): FlowParts {
  const { registry } = environment
  const context = pluginContexts(pipeline, spec, environment)
  const format = formatMaker(pipeline, spec, environment)
  const sinkContext: SinkContext = {
    ...context(spec.sink.connection),
    sourceTopics: registry.get('source', spec.source.type).reads(spec.source.config),
    format: (f, part, topic) => format({ format: f.format, config: f.config }, spec.sink.connection, [topic], part),
  }
  return {
    ...createReading(pipeline, spec, environment),
    pipeline: pipeline.name,
    sink: registry.get('sink', spec.sink.type).create(spec.sink.config, sinkContext),
    deadLetters: deadLetters(pipeline, spec, registry, context),
    flush: (spec.sink.config as { flush?: Flush }).flush ?? DEFAULT_FLUSH,
    memory: flowMemory(pipeline),
  }
}

/** Source, formats and transforms of one flow. Nothing is opened. */
export function createReading(pipeline: PipelineSpec, spec: FlowSpec, environment: StageEnvironment): ReadingParts {
  const { registry } = environment
  const context = pluginContexts(pipeline, spec, environment)
  const format = formatMaker(pipeline, spec, environment)
  const source = registry.get('source', spec.source.type)
  const topics = source.reads(spec.source.config)
  const records = source.capabilities.delivers === 'records' ? (spec.source.config as RawSourceOptions) : null
  return {
    spec,
    source: source.create(spec.source.config, context(spec.source.connection)),
    records: records && {
      value: format(records.value, spec.source.connection, topics, 'value'),
      key: format(records.key, spec.source.connection, topics, 'key'),
      options: records,
    },
    transforms: spec.transforms.map(t => createTransform(pipeline, spec, t, environment)),
  }
}

/** One transform of a flow. Nothing is opened. */
export function createTransform(
  pipeline: PipelineSpec,
  flow: Pick<FlowSpec, 'name' | 'lanes'>,
  spec: PluginSpec,
  environment: StageEnvironment,
): ReadingParts['transforms'][number] {
  const declaration = environment.registry.get('transform', spec.type)
  const { stateful, finds_anomalies = false } = declaration.capabilities
  const context = pluginContexts(pipeline, flow, environment)(spec.connection)
  const transform = declaration.create(spec.config, context)
  return { name: spec.type, at: spec.at, stateful, findsAnomalies: finds_anomalies, transform }
}

const flowMemory = (pipeline: PipelineSpec): number => Math.floor(pipeline.memory / Math.max(1, pipeline.flows.length))

const pluginContexts =
  (pipeline: PipelineSpec, spec: Pick<FlowSpec, 'name' | 'lanes'>, { makers, ...environment }: StageEnvironment) =>
  (connection: string | null): PluginContext => ({
    pipeline: pipeline.name,
    flow: spec.name,
    connection: connection === null ? undefined : pipeline.connections[connection]?.config,
    connectionName: connection ?? '',
    lanes: spec.lanes,
    baseDir: pipeline.baseDir,
    dataDir: environment.dataDir,
    clock: environment.clock,
    events: environment.events,
    memory: flowMemory(pipeline),
    views: pipeline.views,
    ...(environment.closings ? { closings: environment.closings } : {}),
    detector: (detector, of) => environment.registry.get('detector', detector.type).create(detector.config, of),
    ...(makers ? { makers: name => makers(connection, name) } : {}),
    ...(environment.stdout ? { stdout: environment.stdout } : {}),
  })

const formatMaker =
  (pipeline: PipelineSpec, spec: FlowSpec, { registry, events, offline }: StageEnvironment) =>
  (format: FormatSpec, connection: string | null, topics: readonly string[], part: 'key' | 'value'): Format => {
    const endpoint = offline ? null : registryOf(pipeline, connection, registry)
    return registry.get('format', format.format).create(format.config, {
      registry: endpoint,
      baseDir: pipeline.baseDir,
      events,
      topics,
      part,
      pipeline: pipeline.name,
      flow: spec.name,
    })
  }

function registryOf(pipeline: PipelineSpec, connection: string | null, registry: Registry): RegistryEndpoint | null {
  const spec = connection === null ? undefined : pipeline.connections[connection]
  return (spec && registry.find('connection', spec.type)?.registry?.(spec.config as never)) ?? null
}

function deadLetters(
  pipeline: PipelineSpec,
  { onError }: FlowSpec,
  registry: Registry,
  context: (connection: string) => PluginContext,
): DeadLetterWriter | null {
  switch (onError.kind) {
    case 'stop':
      return null
    case 'dead_letter_file':
      return new DeadLetterFile(isAbsolute(onError.path) ? onError.path : join(pipeline.baseDir, onError.path))
    case 'dead_letter': {
      const type = pipeline.connections[onError.connection]?.type ?? ''
      const writer = registry.find('sink', type)?.deadLetters?.(onError.topic, context(onError.connection))
      if (writer) return writer
      throw new ConnectError(
        'C013_UNSAFE_NEIGHBOURS',
        `dead letters cannot go to the connection "${onError.connection}" of type ${type}`,
      )
    }
  }
}

// ---------------------------------------------------------------------------------------------------------- neighbours

export interface StageProblem {
  readonly code: ErrorCode
  /** `file:line:column`. */
  readonly at: string
  readonly message: string
  readonly hint?: string
}

/** Combinations of stages that cannot keep what they promise, refused before anything opens, with the reason. */
export function checkStages(pipeline: PipelineSpec, registry: Registry): readonly StageProblem[] {
  const problems: StageProblem[] = []
  const refuse = (at: string, message: string, hint?: string): void => {
    problems.push({ code: 'C013_UNSAFE_NEIGHBOURS', at, message, ...(hint === undefined ? {} : { hint }) })
  }
  const ends = pipeline.flows.map(flow => ({ flow, ...endpoints(flow, registry) }))

  for (const { flow, source, sink, reads, writes, letters } of ends) {
    const loop = writes.find(w => reads.includes(w))
    if (loop) refuse(flow.sink.at, `flow "${flow.name}" writes to ${loop}, which it reads: it would never end`)
    if (letters && reads.includes(letters)) {
      refuse(
        flow.source.at,
        `flow "${flow.name}" reads ${letters}, where its own dead letters go: one bad record would go round for ever`,
      )
    }
    const exactly = (flow.sink.config as { delivery?: string }).delivery === 'exactly_once'
    if (sink.capabilities.exactly_once && exactly && !source.capabilities.exactly_once) {
      refuse(
        flow.source.at,
        `the source "${flow.source.type}" cannot read the same ranges again, so the sink "${flow.sink.type}" cannot be exactly once`,
        'set delivery: at_least_once on the sink',
      )
    }
    const { mode } = flow.sink.config as { mode?: string }
    if (source.capabilities.shared_offsets && exactly && mode !== 'upsert' && !sink.capabilities.transactional) {
      refuse(
        flow.sink.at,
        `rows of the source "${flow.source.type}" share offsets, by which the sink "${flow.sink.type}" tells what is already there`,
        'set mode: upsert with a version, or delivery: at_least_once',
      )
    }
    const changer = flow.transforms.find(t => registry.find('transform', t.type)?.capabilities.changes_rows)
    if (changer && sink.capabilities.exactly_once && !sink.capabilities.transactional) {
      // a re-send is checked row by row against the offsets in the table, and a stateful transform may give other rows after a restart
      refuse(
        flow.sink.at,
        `"${changer.type}" makes rows of its own, which the sink "${flow.sink.type}" cannot tell apart when it sends them again`,
        'write them to a Kafka topic, and from there with a second flow',
      )
    }
    if (flow.onError.kind === 'dead_letter') {
      const type = pipeline.connections[flow.onError.connection]?.type ?? ''
      if (!registry.find('sink', type)?.deadLetters) {
        refuse(
          flow.source.at,
          `dead letters cannot go to the connection "${flow.onError.connection}" of type ${type}`,
          'use a Kafka connection, or {file: PATH}',
        )
      }
    }
  }
  for (const cycle of cycles(ends)) {
    refuse(cycle[0].flow.sink.at, `the flows ${cycle.map(e => `"${e.flow.name}"`).join(' -> ')} feed each other in a circle`)
  }
  for (const [i, a] of ends.entries()) {
    for (const b of ends.slice(i + 1)) {
      const shared = a.writes.find(w => b.writes.includes(w))
      if (!shared || a.flow.name.split('@')[0] === b.flow.name.split('@')[0]) continue
      const different = differingKeys(a.flow.sink.config, b.flow.sink.config)
      if (different.length > 0)
        refuse(
          b.flow.sink.at,
          `the flows "${a.flow.name}" and "${b.flow.name}" write ${shared} with different ${different.join(', ')}`,
        )
    }
  }
  return problems
}

/** Flows that read a view which is not there, or has no windows. A view whose `connection` is null may have any. */
export function checkViewNames(
  flows: readonly Pick<FlowSpec, 'name' | 'source'>[],
  views: readonly { readonly name: string; readonly connection: string | null; readonly windows: boolean }[],
  registry: Registry,
): readonly (StageProblem & { readonly hint: string; readonly flow: string; readonly view: string })[] {
  const known = views.filter(v => v.windows)
  return flows.flatMap(({ name: flow, source }) => {
    const read = registry.get('source', source.type).reads(source.config)
    const name = read.find(r => r.startsWith('view:'))?.slice('view:'.length)
    const there = known.some(v => v.name === name && (v.connection === source.connection || !v.connection || !source.connection))
    if (name === undefined || there) return []
    const near = didYouMean(
      name,
      known.map(v => v.name),
    )
    const list = known.length > 0 ? `the views are ${known.map(v => v.name).join(', ')}` : 'declare it under `views:`'
    const message = `flow "${flow}" reads the view ${name}, and there is none of that name with windows`
    const hint = near && near !== name ? `did you mean ${near}?` : list
    return [{ code: 'C010_UNKNOWN_REFERENCE', at: source.at, message, hint, flow, view: name }]
  })
}

interface Endpoints {
  readonly source: ReturnType<Registry['get']> & { kind: 'source' }
  readonly sink: ReturnType<Registry['get']> & { kind: 'sink' }
  /** Names with their cluster, so that equal topics of two clusters differ. */
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  readonly letters: string | null
}

/** What a flow reads and writes. A name is qualified by its connection. */
export function endpoints(flow: FlowSpec, registry: Registry): Endpoints {
  const source = registry.get('source', flow.source.type)
  const sink = registry.get('sink', flow.sink.type)
  const qualified = (connection: string | null, names: readonly string[]): string[] =>
    names.map(n => (connection === null ? n : `${connection}:${n}`))
  return {
    source,
    sink,
    reads: qualified(flow.source.connection, source.reads(flow.source.config)),
    writes: qualified(flow.sink.connection, sink.writes(flow.sink.config)),
    letters: flow.onError.kind === 'dead_letter' ? `${flow.onError.connection}:${flow.onError.topic}` : null,
  }
}

/** Flows whose sink writes what `flow` reads. */
export function upstreamOf(pipeline: PipelineSpec, flow: FlowSpec, registry: Registry): readonly FlowSpec[] {
  const { reads } = endpoints(flow, registry)
  return pipeline.flows.filter(other => {
    if (other === flow) return false
    const { writes, letters } = endpoints(other, registry)
    return reads.some(r => writes.includes(r) || r === letters)
  })
}

type WithEnds = Endpoints & { readonly flow: FlowSpec }

/** Circles of two flows or more, each once. */
function cycles(ends: readonly WithEnds[]): readonly (readonly WithEnds[])[] {
  const found: WithEnds[][] = []
  const walk = (path: readonly WithEnds[]): void => {
    const last = path[path.length - 1]
    for (const next of ends) {
      if (!next.reads.some(r => last.writes.includes(r)) || next === last) continue
      if (next === path[0]) found.push([...path])
      // only flows after the first in file order, so that a circle is found from one of its members alone
      else if (!path.includes(next) && ends.indexOf(next) > ends.indexOf(path[0])) walk([...path, next])
    }
  }
  for (const start of ends) walk([start])
  return found
}

/** Settings of the written object; how a flow writes to it may differ. */
const PER_FLOW = new Set(['flush', 'max_ahead', 'delivery', 'key', 'value', 'headers', 'timestamp', 'compression'])

function differingKeys(a: unknown, b: unknown): string[] {
  const left = a as Record<string, unknown>
  const right = b as Record<string, unknown>
  const keys = new Set([...Object.keys(left), ...Object.keys(right)])
  return [...keys].filter(k => !PER_FLOW.has(k) && JSON.stringify(left[k]) !== JSON.stringify(right[k]))
}
