import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { systemClock } from '../runtime/clock'
import { ConnectError } from '../runtime/errors'
import { silent } from '../runtime/events'
import type { DetectorSpec } from '../runtime/fields'
import { didYouMean, type Registry } from '../runtime/registry'
import { type Field, field, fieldIndex, type Schema, timestamp } from '../runtime/schema'
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
  const input = viewInput(pipeline, flow, environment.registry) ?? (await sourceInput(pipeline, flow, environment))
  // what several parts of a transform meet is one mistake
  const problems = new Map<string, ColumnProblem>()
  const add = (at: ColumnProblem['at'], errors: readonly ConnectError[]): void => {
    const placed = errors.map(error => problemOf(flow, at, error))
    for (const problem of placed) problems.set(JSON.stringify([problem.at, problem.word, problem.error.message]), problem)
  }
  let columns = input
  for (const [i, spec] of flow.transforms.entries()) {
    if (!columns || !FOLLOWED.has(spec.type)) return [...problems.values()]
    const result = follow(spec, columns, part => schema => bound(pipeline, flow, part, schema, environment))
    add(['transforms', i], result.errors)
    columns = result.after
  }
  if (columns) {
    const { type, config } = flow.sink
    const { errors } = attempt(columns, schema => {
      environment.registry.get('sink', type).checkColumns?.(config, schema)
      return schema
    })
    add(['sink'], errors)
  }
  return [...problems.values()]
}

type Bind = (schema: Schema) => Schema

interface Outcome {
  readonly errors: readonly ConnectError[]
  /** Null: not known. */
  readonly after: Input | null
}

/** What is wrong in a transform, and the columns behind it: those that would be there without the mistakes, as far as that can be told. */
function follow(spec: PluginSpec, before: Input, bindOf: (part: PluginSpec) => Bind): Outcome {
  const outcomes = parts(spec).map(part => attempt(before, bindOf(part)))
  const found = outcomes.flatMap(o => o.errors)
  const whole = found.length === 0 ? attempt(before, bindOf(spec)) : null
  if (whole?.after) return whole
  const errors = whole?.errors ?? found
  switch (spec.type) {
    // gives the columns it was given, whatever is wrong with its condition
    case 'filter':
      return { errors, after: before }
    // names stay
    case 'cast':
      return { errors, after: { ...before, typesKnown: false } }
    case 'derive': {
      const { fields } = spec.config as { readonly fields: Readonly<Record<string, string>> }
      const added = Object.keys(fields).filter(name => fieldIndex(before.schema, name) < 0)
      const schema = { ...before.schema, fields: [...before.schema.fields, ...added.map(STAND_INS[0])] }
      return { errors, after: { schema, typesKnown: false } }
    }
    // what it gives are always the same columns
    case 'score':
      return { errors, after: outcomes.find(o => o.errors.length === 0 && o.after)?.after ?? outcomes[0].after }
    default:
      return { errors, after: outcomes[0].after }
  }
}

/** What an unknown column may be, in the order in which it is tried where other columns can be looked at only if it is right. */
const STAND_INS: readonly ((name: string) => Field)[] = [
  name => field(name, 'f64', true),
  name => field(name, 'utf8'),
  name => field(name, timestamp('ms')),
]

/** In the place of a name that is not there: the column that was probably meant. */
function standIn(name: string, { fields }: Schema, kind: number): Field {
  const meant = didYouMean(
    name,
    fields.map(f => f.name),
  )
  const near = fields.find(f => f.name === meant)
  return near ? { ...near, name } : STAND_INS[kind](name)
}

/**
 * Binds to a schema. A name that is not there is reported and then taken for a column, so that the next one is seen too; afterwards
 * the column that was meant stands in its place.
 */
function attempt(before: Input, bind: Bind): Outcome {
  const errors: ConnectError[] = []
  const unknown: string[] = []
  let kind = 0
  for (;;) {
    const taken = unknown.map(name => standIn(name, before.schema, kind))
    const typesKnown = before.typesKnown && taken.length === 0
    try {
      const after = bind({ ...before.schema, fields: [...before.schema.fields, ...taken] })
      return { errors, after: { schema: meantNames(after, taken, before.schema), typesKnown } }
    } catch (thrown) {
      if (!(thrown instanceof ConnectError) || !thrown.code.startsWith('C')) return { errors, after: null }
      const word = wordOf(thrown)
      if (word !== null && !unknown.includes(word)) {
        errors.push(unknown.length === 0 ? thrown : among(before.schema, word, thrown))
        unknown.push(word)
        continue
      }
      if (typesKnown) return { errors: [...errors, thrown], after: null }
      if (unknown.length === 0 || ++kind === STAND_INS.length) return { errors, after: null }
    }
  }
}

function meantNames(schema: Schema, unknown: readonly Field[], before: Schema): Schema {
  const names = before.fields.map(f => f.name)
  const fields = schema.fields.flatMap(f => {
    if (!unknown.includes(f)) return [f]
    const meant = didYouMean(f.name, names)
    return meant === null || fieldIndex(schema, meant) >= 0 ? [] : [{ ...f, name: meant }]
  })
  return { ...schema, fields }
}

const KNOWN = /; (did you mean .*|there are .*)$/s

/** The error without the names that were taken for columns before it. */
function among({ fields }: Schema, word: string, { code, message }: ConnectError): ConnectError {
  const names = fields.map(f => f.name)
  const near = didYouMean(word, names)
  return new ConnectError(code, message.replace(KNOWN, near ? `; did you mean "${near}"?` : `; there are ${names.join(', ')}`))
}

/** The name of which an error says that there is no such column. */
const wordOf = ({ code, message }: ConnectError): string | null =>
  code === 'C015_UNKNOWN_COLUMN' ? (/there is no column "([^"]+)"/.exec(message)?.[1] ?? null) : null

/**
 * What of a transform names columns, each by itself, so that one mistake does not hide the others: of a `score` its keys and time, and
 * each feature of each detector; each column of a `derive` or `cast`.
 */
function parts(spec: PluginSpec): readonly PluginSpec[] {
  if (spec.type === 'derive' || spec.type === 'cast') {
    const { fields, ...config } = spec.config as { readonly fields: Readonly<Record<string, string>> }
    return Object.entries(fields).map(([name, text]) => ({ ...spec, config: { ...config, fields: { [name]: text } } }))
  }
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

function bound(pipeline: PipelineSpec, flow: FlowSpec, spec: PluginSpec, schema: Schema, environment: StageEnvironment): Schema {
  const { transforms } = createReading(pipeline, { ...flow, transforms: [spec] }, environment)
  return transforms[0].transform.bind(schema)
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
function problemOf(flow: FlowSpec, at: readonly (string | number)[], error: ConnectError): ColumnProblem {
  const { code, message, hint } = error
  const [, option, what = message, known] = /^([\w.-]+): (.*?)(?:; (did you mean .*|there are .*))?$/s.exec(message) ?? []
  return {
    flow,
    at: [...at, ...(option?.split('.') ?? [])],
    word: wordOf(error),
    error: { code, message: what, hint: known ?? hint },
  }
}
