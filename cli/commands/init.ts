import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ConnectError } from '../../runtime/errors'
import { fieldTypeName, type Schema } from '../../runtime/schema'
import { type Asker, createAsker, type Question } from '../ask'
import { printEnvelope } from '../envelope'
import { EXIT } from '../exit_codes'
import type { Io } from '../io'
import { loadFiles } from '../load'
import { sampleFiles } from '../sample_files'
import { sampleTopic } from '../sample_topic'
import { SCAFFOLD_SOURCES, SCAFFOLD_VALUES, type ScaffoldSource, scaffold, variable } from '../scaffold'

export interface InitOptions {
  readonly name?: string
  readonly source?: string
  readonly topic?: string
  readonly value?: string
  readonly brokers?: string
  readonly registry?: string
  readonly path?: string
  readonly table?: string
  readonly out?: string
  readonly fromTopic?: string
  readonly force?: boolean
  readonly data: string
  readonly json?: boolean
}

/** Of a cluster elsewhere, where nobody names one. */
const LOCAL_REGISTRY = 'http://localhost:8081'
const NAME = /^[a-z0-9][a-z0-9_-]*$/
const TABLE = /^[A-Za-z_][A-Za-z0-9_]{0,199}$/
const TOPIC = /^[A-Za-z0-9._-]{1,249}$/

/**
 * `connect init`: writes a pipeline file that is valid and explained. Asks on a terminal for what no option says; elsewhere names are
 * made from the source, and what cannot be guessed is C019. Returns the exit code.
 */
export async function init(options: InitOptions, io: Io): Promise<number> {
  const asker = io.inIsTerminal && !options.json ? createAsker(io) : null
  try {
    const answers = answersBy(asker)
    const source = await chooseSource(options, asker !== null, answers, io)
    const sample = await sampleOf(source, options, io)
    const guess = wordOf(subject(source))
    const name = await answers(options.name, '--name', {
      text: 'Name of the pipeline',
      standard: guess.replaceAll('_', '-'),
      problem: a => (NAME.test(a) ? null : 'expected small letters, digits, "_", "-"'),
    })
    const table = await answers(options.table, '--table', {
      text: 'Table in ClickHouse',
      standard: guess,
      problem: a => (TABLE.test(a) ? null : 'expected letters, digits, "_"'),
    })
    const taken = (named: string): boolean => !options.force && existsSync(path.resolve(io.cwd, named))
    const out = await answers(options.out, '--out', {
      text: 'File',
      standard: asker ? freeName(name, taken) : `${name}.yaml`,
      problem: a => (asker && options.out === undefined && taken(a) ? 'is there already' : null),
    })
    const file = path.resolve(io.cwd, out)
    if (taken(out))
      throw new ConnectError('C019_USAGE', `${out} is there already`, { hint: 'give another --out, or --force to replace it' })
    const text = scaffold({
      name,
      source: seenFrom(path.dirname(file), sample.source, io.cwd),
      table,
      schema: sample.schema,
      samples: sample.rows,
      editorSchema: editorSchema(file),
      file: out,
    })
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, text)
    // what was written must be valid; a mistake of ours is better heard of here than at the next command
    await loadFiles([file], io)
    const columns = sample.schema ? `, ${sample.schema.fields.length} columns found` : ''
    const missing =
      source.type === 'file' && !sample.schema ? `no file matches ${source.path} yet, so its columns are not known` : null
    const summary = `${out} is written: from ${whence(source)} into the table ${table}${columns}`
    if (options.json) {
      const found = sample.schema?.fields.map(f => ({ name: f.name, type: fieldTypeName(f) })) ?? null
      const result = { file: out, name, source: source.type, table, columns: found }
      const told = missing ? `${summary}; ${missing}` : summary
      await printEnvelope(io, { command: 'init', ok: true, summary: told, result, error: null })
    } else
      await io.out(
        `${summary}\n  connect validate ${out}\n  connect run ${out}\n  connect sql ${out} "SELECT * FROM ${table} LIMIT 5"\n`,
      )
    // last, where it is seen: it may be a path that is misspelt
    if (missing)
      await io.err(`\nNOTE: ${missing}. Is the path right? Once files are there, this command with --force finds them.\n`)
    return EXIT.ok
  } finally {
    asker?.close()
  }
}

/** `data.yaml`, else `data-2.yaml` and so on. */
function freeName(name: string, taken: (file: string) => boolean): string {
  for (let n = 1; ; n++) {
    const file = n === 1 ? `${name}.yaml` : `${name}-${n}.yaml`
    if (!taken(file)) return file
  }
}

type Answers = (given: string | undefined, flag: string, question: Question) => Promise<string>

/** The value of an option, checked; else the answer of a person; else the usual one. */
const answersBy =
  (asker: Asker | null): Answers =>
  async (given, flag, question) => {
    const { choices, problem, standard } = question
    if (given === undefined && asker) return asker.ask(question)
    const value = given ?? standard
    if (value === undefined) throw new ConnectError('C019_USAGE', `${flag} is missing`, { hint: 'give it, or run on a terminal' })
    const wrong = choices && !choices.includes(value) ? `expected ${choices.join(', ')}` : (problem?.(value) ?? null)
    if (wrong !== null) throw new ConnectError('C019_USAGE', `${flag} ${value}: ${wrong}`)
    return value
  }

const whence = (source: ScaffoldSource): string => {
  if (source.type === 'kafka') return `the topic ${source.topic}`
  if (source.type === 'file') return source.path
  return source.type === 'host' ? 'readings of this machine' : 'generated rows'
}

/** What the records are about, as far as the source's name says. */
function subject(source: ScaffoldSource): string {
  if (source.type === 'kafka') return source.topic
  if (source.type !== 'file') return source.type === 'host' ? 'readings' : 'demo'
  // the last part of the path that is no pattern: `data/cpu/*.csv` is about cpu, `cpu.csv.gz` too
  const part =
    source.path
      .split('/')
      .filter(p => !/[*?$]|^\.*$/.test(p))
      .at(-1) ?? 'files'
  return part.replace(/\..*$/, '') || 'files'
}

interface Sample {
  /** With what reading it has shown. */
  readonly source: ScaffoldSource
  /** Null: nothing was there to be read. */
  readonly schema: Schema | null
  readonly rows: readonly string[]
}

/** Reads what is there already: the topic of --from-topic, or files. */
async function sampleOf(source: ScaffoldSource, options: InitOptions, io: Io): Promise<Sample> {
  if (source.type === 'kafka' && options.fromTopic !== undefined) {
    await io.err(`reading ${options.fromTopic} ...\n`)
    const { topic, brokers, registry } = source
    // where the file that is written will look; an option says more than a variable
    const seen = {
      brokers: options.brokers ?? variable('KAFKA_BROKERS', brokers),
      registry: options.registry ?? (registry === null ? null : variable('SCHEMA_REGISTRY_URL', registry)),
    }
    const named = options.registry !== undefined || io.env.SCHEMA_REGISTRY_URL || registry !== LOCAL_REGISTRY
    const assumed = named ? null : registry
    const { value, schema, rows } = await sampleTopic({ topic, ...seen, assumed, data: options.data }, io)
    if (options.value !== undefined) return { source, schema, rows }
    // what nobody named and no value needs would only be one more service to have
    return { source: { ...source, value, registry: assumed !== null && value !== 'avro' ? null : registry }, schema, rows }
  }
  if (source.type !== 'file') return { source, schema: null, rows: [] }
  const found = await sampleFiles(source.path, io)
  return { source: { ...source, several: found?.several }, schema: found?.schema ?? null, rows: [] }
}

async function chooseSource(options: InitOptions, asks: boolean, answers: Answers, { env }: Io): Promise<ScaffoldSource> {
  const topic = options.fromTopic ?? options.topic
  const implied = topic !== undefined ? 'kafka' : options.path !== undefined ? 'file' : undefined
  const given = options.source ?? implied
  if (given === undefined && !asks) {
    const hint = `give --source ${SCAFFOLD_SOURCES.join('|')}, or --topic, --from-topic or --path`
    throw new ConnectError('C019_USAGE', '--source is missing, and without a terminal nobody can be asked', { hint })
  }
  const type = await answers(given, '--source', {
    text: 'Source',
    standard: 'generate',
    choices: SCAFFOLD_SOURCES,
  })
  if (options.fromTopic !== undefined && type !== 'kafka')
    throw new ConnectError('C019_USAGE', `--from-topic goes with --source kafka, not with ${type}`)
  refuseUnused(options, type)
  if (type === 'generate' || type === 'host') return { type }
  if (type === 'file') return { type, path: await answers(options.path, '--path', { text: 'Files, such as data/*.csv' }) }
  const chosen = await answers(topic, '--topic', {
    text: 'Topic',
    problem: a => (TOPIC.test(a) ? null : 'expected a topic name'),
  })
  const brokers = await answers(options.brokers, '--brokers', { text: 'Brokers, HOST:PORT', standard: 'embedded' })
  // found out of the records where they are read
  const value =
    options.fromTopic === undefined
      ? await answers(options.value, '--value', { text: 'Format of the values', standard: 'avro', choices: SCAFFOLD_VALUES })
      : await answers(options.value ?? 'avro', '--value', { text: '', choices: SCAFFOLD_VALUES })
  const needsRegistry = value === 'avro'
  // the schemas of a cluster elsewhere are not in a registry that starts here
  const elsewhere =
    brokers !== 'embedded' || (options.fromTopic !== undefined && options.brokers === undefined && env.KAFKA_BROKERS)
  const standard = elsewhere ? LOCAL_REGISTRY : 'embedded'
  const asked = needsRegistry || options.registry !== undefined
  const registry = asked
    ? await answers(options.registry, '--registry', { text: 'Schema registry, http://HOST:PORT', standard })
    : null
  return { type: 'kafka', topic: chosen, brokers, registry, value: value as (typeof SCAFFOLD_VALUES)[number] }
}

/** What was asked for and cannot be done must not be left out without a word. */
function refuseUnused(options: InitOptions, type: string): void {
  const { topic, fromTopic, path: files, value, brokers, registry } = options
  const of = {
    kafka: { '--topic': topic, '--value': value, '--brokers': brokers, '--registry': registry },
    file: { '--path': files },
  }
  for (const [source, flags] of Object.entries(of))
    for (const [flag, given] of Object.entries(flags))
      if (given !== undefined && type !== source)
        throw new ConnectError('C019_USAGE', `${flag} goes with --source ${source}, not with ${type}`)
  if (topic !== undefined && fromTopic !== undefined && topic !== fromTopic)
    throw new ConnectError('C019_USAGE', `--topic ${topic} and --from-topic ${fromTopic} are two topics`, {
      hint: 'give one of them',
    })
}

/** Paths in a pipeline file are relative to it, those of a command line to where it is typed. */
function seenFrom(folder: string, source: ScaffoldSource, cwd: string): ScaffoldSource {
  if (source.type !== 'file' || path.isAbsolute(source.path) || source.path.startsWith('${')) return source
  return folder === path.resolve(cwd) ? source : { ...source, path: path.relative(folder, path.resolve(cwd, source.path)) }
}

/** A word that can name a table: `shop.orders-v2` is shop_orders_v2. */
const wordOf = (text: string): string => {
  const word = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
  return /^[a-z]/.test(word) ? word : `t_${word}`
}

/** The language's schema in the installed package, as seen from the file. */
function editorSchema(file: string): string {
  const schema = path.join(path.dirname(require.resolve('olap-connect/package.json')), 'config/generated/pipeline.schema.json')
  const relative = path.relative(path.dirname(file), schema)
  // far away, the way up says less than the whole path
  return relative.startsWith(path.join('..', '..', '..', '..')) ? schema : relative.startsWith('.') ? relative : `./${relative}`
}
