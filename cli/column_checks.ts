import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Draft, FlowDraft, StageDraft, ViewDraft } from '../config/draft'
import type { FileOptions } from '../connectors/file/options'
import { declaredFields, withAdded } from '../connectors/file/shape'
import { systemClock } from '../runtime/clock'
import { ConnectError } from '../runtime/errors'
import { silent } from '../runtime/events'
import type { DetectorSpec } from '../runtime/fields'
import { didYouMean, type Registry } from '../runtime/registry'
import { type Field, field, fieldIndex, type Schema, timestamp } from '../runtime/schema'
import type { FlowSpec, PipelineSpec, PluginSpec } from '../runtime/spec'
import { createReading, createTransform, type StageEnvironment } from '../runtime/stages'

/** A column that a stage names and cannot be given. */
export interface ColumnProblem {
  readonly flow: string
  /** Keys below the flow, such as `transforms`, 0, `fields`. */
  readonly at: readonly (string | number)[]
  /** The name that is wrong; null: not told. */
  readonly word: string | null
  readonly error: { readonly code: ConnectError['code']; readonly message: string; readonly hint: string }
}

/**
 * Sources whose columns stand in the file, or are always the same, and those of their options that have no part in it: which of the
 * others could not be read decides whether the columns are known.
 */
const TOLD: Readonly<Record<string, ReadonlySet<string>>> = {
  generate: new Set(['rate', 'interval', 'start', 'history', 'count', 'for', 'gaps', 'faults', 'seed', 'partitions']),
  host: new Set(['interval']),
}
/** Transforms whose columns follow from their options; others run code of their own, which is not run to check a file. */
const FOLLOWED = new Set(['rename', 'cast', 'derive', 'drop_fields', 'filter', 'score'])

interface Input {
  readonly schema: Schema
  /** False: only the names are. */
  readonly typesKnown: boolean
}

/**
 * What the file alone proves wrong about columns: of flows that read views, `generate`, `host` or files with a `schema`, each transform
 * as far as columns can be followed, and the sink behind them; and what flows write into tables, by table, where all of it is known.
 * Nothing is said of what the data, a schema registry or an existing table may put right. Opens no socket.
 */
export async function checkColumns(
  { spec, flows, views }: Draft & { readonly spec: PipelineSpec },
  registry: Registry,
): Promise<{ readonly problems: readonly ColumnProblem[]; readonly written: ReadonlyMap<string, Schema> }> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'connect-columns-'))
  const environment = { registry, events: silent, clock: systemClock, dataDir, offline: true }
  try {
    const problems: ColumnProblem[] = []
    const written = new Map<string, Schema | null>()
    for (const flow of flows) {
      const found = await checkFlow(spec, flow, views, environment)
      problems.push(...found.problems)
      const { table } = (flow.sink?.spec.config ?? {}) as { readonly table?: unknown }
      if (typeof table === 'string') written.set(table, together(written.get(table), found.written))
    }
    return { problems, written: new Map([...written].flatMap(([table, schema]) => (schema ? [[table, schema] as const] : []))) }
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** Columns of a table that several flows write. Null: not all are known. */
const together = (a: Schema | null | undefined, b: Schema | null): Schema | null =>
  a === null || b === null ? null : { ...b, fields: [...(a?.fields ?? []), ...b.fields] }

async function checkFlow(
  pipeline: PipelineSpec,
  flow: FlowDraft,
  views: readonly ViewDraft[],
  environment: StageEnvironment,
): Promise<{ readonly problems: readonly ColumnProblem[]; readonly written: Schema | null }> {
  if (!flow.source) return { problems: [], written: null }
  const input =
    viewInput(flow.source.spec, views, environment.registry) ?? (await sourceInput(pipeline, flow.name, flow.source, environment))
  // what several parts of a transform meet is one mistake
  const problems = new Map<string, ColumnProblem>()
  const add = (at: ColumnProblem['at'], errors: readonly ConnectError[]): void => {
    const placed = errors.map(error => problemOf(flow.name, at, error))
    for (const problem of placed) problems.set(JSON.stringify([problem.at, problem.word, problem.error.message]), problem)
  }
  let columns = input
  for (const [i, stage] of flow.transforms.entries()) {
    if (!columns || !stage || !FOLLOWED.has(stage.spec.type)) return { problems: [...problems.values()], written: null }
    const bindOf =
      (part: PluginSpec): Bind =>
      schema =>
        createTransform(pipeline, flow, part, environment).transform.bind(schema)
    const { errors, after } = follow(stage.spec, columns, bindOf)
    add(['transforms', i], errors)
    columns = behind(stage, columns, after)
  }
  if (columns && flow.sink) {
    const { type, config } = flow.sink.spec
    const { errors } = attempt(columns, schema => {
      environment.registry.get('sink', type).checkColumns?.(config, schema)
      return schema
    })
    add(['sink'], errors)
  }
  return { problems: [...problems.values()], written: columns?.schema ?? null }
}

/** The columns behind a stage of which maybe not all could be read. */
function behind({ spec, lost }: StageDraft, before: Input, after: Input | null): Input | null {
  if (lost.length === 0 || spec.type === 'score') return after
  if (spec.type === 'filter') return before
  if (!after || (spec.type !== 'derive' && spec.type !== 'cast') || lost.some(([key]) => key !== 'fields')) return null
  const names = lost.map(([, name]) => String(name))
  const added = spec.type === 'derive' ? names.filter(name => fieldIndex(after.schema, name) < 0) : []
  return { schema: { ...after.schema, fields: [...after.schema.fields, ...added.map(STAND_INS[0])] }, typesKnown: false }
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

async function sourceInput(
  pipeline: PipelineSpec,
  flow: string,
  { spec, lost }: StageDraft,
  environment: StageEnvironment,
): Promise<Input | null> {
  const declared =
    spec.type === 'file' && !lost.some(([key]) => key === 'schema' || key === 'columns') ? declaredInput(spec) : null
  if (declared) return declared
  const harmless = TOLD[spec.type]
  if (!harmless) return null
  // of a field that could not be read at all its name is known
  const names = lost.filter(p => spec.type === 'generate' && p[0] === 'fields' && p.length === 2).map(p => String(p[1]))
  const other = lost.filter(p => !(p[0] === 'fields' && p.length > 1))
  if (other.some(([key]) => !harmless.has(String(key)))) return null
  const asFlow: FlowSpec = { name: flow, source: spec, transforms: [], sink: spec, onError: { kind: 'stop' }, lanes: 1 }
  try {
    const { source } = createReading(pipeline, asFlow, environment)
    try {
      const schema = await source.open(new AbortController().signal)
      if (!schema) return null
      return { schema: { ...schema, fields: [...schema.fields, ...names.map(STAND_INS[0])] }, typesKnown: names.length === 0 }
    } finally {
      await source.close()
    }
  } catch {
    return null // what is wrong with it is said when it runs
  }
}

/** The columns of files whose `schema` names all of them. */
function declaredInput({ config }: PluginSpec): Input | null {
  const options = config as FileOptions
  if (!options.schema) return null
  try {
    return { schema: withAdded(declaredFields(options.schema), options), typesKnown: true }
  } catch {
    return null // what is wrong with it is said when it runs
  }
}

/** What a flow that reads a view is given. ClickHouse knows the types of keys and aggregates; a number stands for each here. */
function viewInput(source: PluginSpec, views: readonly ViewDraft[], registry: Registry): Input | null {
  const reads = registry.get('source', source.type).reads(source.config)
  const view = views.find(v => reads.includes(`view:${v.name}`))
  if (!view?.columns) return null
  const { keys, columns } = view.columns
  const fields = [
    ...['window_start', 'window_end'].map(name => field(name, timestamp('s'))),
    ...[...keys, ...Object.keys(columns)].map(name => field(name, 'f64', true)),
    field('_rev', 'i64'),
    field('_kind', { kind: 'dictionary', symbols: ['close', 'revise', 'final'] }),
  ]
  return { schema: { name: view.name, key: keys, fields }, typesKnown: false }
}

/** `detectors.level.features: there is no column "maen"; did you mean "mean"?` at its place. */
function problemOf(flow: string, at: readonly (string | number)[], error: ConnectError): ColumnProblem {
  const { code, message, hint } = error
  const [, option, what = message, known] = /^([\w.-]+): (.*?)(?:; (did you mean .*|there are .*))?$/s.exec(message) ?? []
  return {
    flow,
    at: [...at, ...(option?.split('.') ?? [])],
    word: wordOf(error),
    error: { code, message: what, hint: known ?? hint },
  }
}
