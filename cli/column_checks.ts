import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { systemClock } from '../runtime/clock'
import { ConnectError } from '../runtime/errors'
import { silent } from '../runtime/events'
import type { DetectorSpec } from '../runtime/fields'
import type { Registry } from '../runtime/registry'
import { field, type Schema, timestamp } from '../runtime/schema'
import type { FlowSpec, PipelineSpec, PluginSpec, ViewSpec } from '../runtime/spec'
import { createReading, endpoints, type StageEnvironment } from '../runtime/stages'
import { viewName } from '../runtime/views/plan'

/** A column that a stage names and cannot be given. */
export interface ColumnProblem {
  readonly flow: FlowSpec
  /** Keys below the flow, such as `transforms`, 0, `fields`. */
  readonly at: readonly (string | number)[]
  /** The name that is wrong; null: not told. */
  readonly word: string | null
  readonly error: { readonly code: ConnectError['code']; readonly message: string; readonly hint: string }
}

/** Sources whose columns stand in the file, or are always the same. */
const TOLD = new Set(['generate', 'host'])
/** Transforms whose columns follow from their options; others run code of their own, which is not run to check a file. */
const FOLLOWED = new Set(['rename', 'cast', 'derive', 'drop_fields', 'filter', 'score'])

interface Input {
  readonly schema: Schema
  /** False: only the names are. */
  readonly typesKnown: boolean
}

/**
 * What the file alone proves wrong about columns: of flows that read views, `generate` or `host`, each transform as far as columns can
 * be followed, and the sink behind them. Nothing is said of what the data, a schema registry or an existing table may put right. Opens no socket.
 */
export async function checkColumns(pipeline: PipelineSpec, registry: Registry): Promise<readonly ColumnProblem[]> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'connect-columns-'))
  const environment = { registry, events: silent, clock: systemClock, dataDir, offline: true }
  try {
    const problems: ColumnProblem[] = []
    for (const flow of pipeline.flows) problems.push(...(await checkFlow(pipeline, flow, environment)))
    return problems
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function checkFlow(
  pipeline: PipelineSpec,
  flow: FlowSpec,
  environment: StageEnvironment,
): Promise<readonly ColumnProblem[]> {
  const { registry } = environment
  const input = viewInput(pipeline, flow, registry) ?? (await sourceInput(pipeline, flow, environment))
  const proven = ({ code }: ConnectError): boolean => input?.typesKnown === true || code === 'C015_UNKNOWN_COLUMN'
  // what several parts of a transform meet is one mistake
  const problems = new Map<string, ColumnProblem>()
  const add = (problem: ColumnProblem): void => void problems.set(JSON.stringify([problem.at, problem.error.message]), problem)
  let schema = input?.schema ?? null
  for (const [i, spec] of flow.transforms.entries()) {
    if (!input || !schema || !FOLLOWED.has(spec.type)) return [...problems.values()]
    let bound: Schema | null = null
    for (const part of parts(spec)) {
      const found = bind(pipeline, flow, part, schema, environment)
      if (!(found instanceof ConnectError)) bound = found
      else if (proven(found)) add(problemOf(flow, ['transforms', i], found))
    }
    // a filter gives the columns it was given, whatever is wrong with its condition
    schema = bound ?? (spec.type === 'filter' ? schema : null)
  }
  const refused = input && schema ? sinkRefusal(flow.sink, schema, registry) : null
  if (refused && proven(refused)) add(problemOf(flow, ['sink'], refused))
  return [...problems.values()]
}

/**
 * What of a transform names columns, each by itself, so that one mistake does not hide the others: of a `score` its keys and time, and
 * each feature of each detector.
 */
function parts(spec: PluginSpec): readonly PluginSpec[] {
  if (spec.type !== 'score') return [spec]
  const { detectors, ...config } = spec.config as { readonly detectors: Readonly<Record<string, DetectorSpec>> }
  const part = (more: object): PluginSpec => ({ ...spec, config: { ...config, ...more } })
  return [
    part({ detectors: {} }),
    ...Object.entries(detectors).flatMap(([name, detector]) =>
      oneFeatureEach(detector).map(one => part({ keys: [], detectors: { [name]: one } })),
    ),
  ]
}

function oneFeatureEach(detector: DetectorSpec): readonly DetectorSpec[] {
  const config = detector.config as { readonly features?: readonly string[] }
  if (config.features === undefined || config.features.length === 0) return [detector]
  return config.features.map(feature => ({ ...detector, config: { ...config, features: [feature] } }))
}

function bind(
  pipeline: PipelineSpec,
  flow: FlowSpec,
  spec: PluginSpec,
  schema: Schema,
  environment: StageEnvironment,
): Schema | ConnectError | null {
  const { transforms } = createReading(pipeline, { ...flow, transforms: [spec] }, environment)
  try {
    return transforms[0].transform.bind(schema)
  } catch (error) {
    return error instanceof ConnectError && error.code.startsWith('C') ? error : null
  }
}

function sinkRefusal({ type, config }: PluginSpec, schema: Schema, registry: Registry): ConnectError | null {
  try {
    registry.get('sink', type).checkColumns?.(config, schema)
    return null
  } catch (error) {
    return error instanceof ConnectError && error.code.startsWith('C') ? error : null
  }
}

async function sourceInput(pipeline: PipelineSpec, flow: FlowSpec, environment: StageEnvironment): Promise<Input | null> {
  if (!TOLD.has(flow.source.type)) return null
  const { source } = createReading(pipeline, { ...flow, transforms: [] }, environment)
  try {
    const schema = await source.open(new AbortController().signal)
    return schema && { schema, typesKnown: true }
  } catch {
    return null // what is wrong with it is said when it runs
  } finally {
    await source.close()
  }
}

/** What a flow that reads a view is given. ClickHouse knows the types of keys and aggregates; a number stands for each here. */
function viewInput(pipeline: PipelineSpec, flow: FlowSpec, registry: Registry): Input | null {
  const { reads } = endpoints(flow, registry)
  const view: ViewSpec | undefined = pipeline.views.find(v => reads.includes(viewName(v)))
  if (!view) return null
  const fields = [
    ...['window_start', 'window_end'].map(name => field(name, timestamp('s'))),
    ...[...view.keys, ...Object.keys(view.columns)].map(name => field(name, 'f64', true)),
    field('_rev', 'i64'),
    field('_kind', { kind: 'dictionary', symbols: ['close', 'revise', 'final'] }),
  ]
  return { schema: { name: view.name, key: view.keys, fields }, typesKnown: false }
}

/** `detectors.level.features: there is no column "maen"; did you mean "mean"?` at its place. */
function problemOf(flow: FlowSpec, at: readonly (string | number)[], { code, message, hint }: ConnectError): ColumnProblem {
  const [, option, what = message, known] = /^([\w.-]+): (.*?)(?:; (did you mean .*|there are .*))?$/s.exec(message) ?? []
  const word = /there is no column "([^"]+)"/.exec(message)?.[1] ?? null
  return { flow, at: [...at, ...(option?.split('.') ?? [])], word, error: { code, message: what, hint: known ?? hint } }
}
