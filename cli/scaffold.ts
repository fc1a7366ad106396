import { fieldTypeName, type Schema } from '../runtime/schema'

/** What a new pipeline file is made of. */
export interface Scaffold {
  readonly name: string
  readonly source: ScaffoldSource
  /** Table in ClickHouse; the database has the pipeline's name. */
  readonly table: string
  /** Columns of the source, where they were read; null: not known. */
  readonly schema: Schema | null
  /** A few records as they were read, as JSON. */
  readonly samples: readonly string[]
  /** Value of the editor's schema line. */
  readonly editorSchema: string
  /** The file's own path, for the commands in its comments. */
  readonly file: string
}

export const SCAFFOLD_SOURCES = ['kafka', 'file', 'host', 'generate'] as const
export const SCAFFOLD_VALUES = ['avro', 'json', 'string'] as const

export type ScaffoldSource =
  | {
      readonly type: 'kafka'
      readonly topic: string
      readonly value: (typeof SCAFFOLD_VALUES)[number]
      /** Addresses, `embedded` or a `${VARIABLE}`. */
      readonly brokers: string
      /** Null: none. */
      readonly registry: string | null
    }
  /** `path` as seen from the pipeline file; `several`: it is a folder or a pattern, with files that were found. */
  | { readonly type: 'file'; readonly path: string; readonly several?: boolean }
  | { readonly type: 'host' | 'generate' }

/** The columns that a table needs to be told about. */
interface Roles {
  readonly time: string | null
  readonly keys: readonly string[]
  /** A number worth an aggregate. */
  readonly measure: string | null
}

/** A pipeline file with an explanation of each part. It is valid as it is. */
export function scaffold(s: Scaffold): string {
  const roles = rolesOf(s)
  const lines = [
    `# yaml-language-server: $schema=${s.editorSchema}`,
    ...headComment(s),
    `name: ${scalar(s.name)}`,
    '',
    '# Addresses come from the environment; `embedded` starts a service on this machine.',
    'connections:',
    ...connections(s),
    '',
    '# A flow is one source, a list of transforms and one sink; it keeps its own position.',
    'flows:',
    '  ingest:',
    ...source(s, roles),
    '    # what happens to each record, in this order: filter, rename, derive, cast, ... (connect plugins)',
    '    transforms: []',
    ...(roles.measure === null ? [] : ['    # transforms:', `    #   - { type: filter, if: ${roles.measure} >= 0.0 }`]),
    ...sink(s, roles),
    ...letters(s),
    ...views(s, roles),
  ]
  return `${lines.join('\n')}\n`
}

const headComment = ({ file, samples, schema, source: from, table }: Scaffold): readonly string[] => [
  `# Into the table ${table}, exactly once.`,
  `#   connect validate ${file}`,
  `#   connect run ${file}`,
  `#   connect sql ${file} "SELECT * FROM ${table} LIMIT 5"`,
  // those of files and JSON are written out below
  ...(schema && from.type !== 'file' && !(from.type === 'kafka' && from.value === 'json')
    ? ['# Columns that were found:', ...schema.fields.map(f => `#   ${f.name}: ${fieldTypeName(f)}`)]
    : []),
  ...(samples.length > 0 ? ['# Records that were found:', ...samples.map(r => `#   ${clipped(r)}`)] : []),
]

/** Comments stay on their line and in the width of an editor. */
const clipped = (text: string): string => {
  const line = text.replace(/\p{Cc}+/gu, ' ')
  return line.length <= 120 ? line : `${line.slice(0, 119)}…`
}

function connections({ source: from, name }: Scaffold): readonly string[] {
  const kafka =
    from.type === 'kafka'
      ? [
          '  kafka:',
          `    brokers: ${variable('KAFKA_BROKERS', from.brokers)}`,
          ...(from.registry === null ? [] : [`    schema_registry: ${variable('SCHEMA_REGISTRY_URL', from.registry)}`]),
          '    # tls: {}  sasl: { mechanism: scram-sha-512, username: ${KAFKA_USER}, password: "${file:/run/secrets/kafka}" }',
        ]
      : []
  return [
    ...kafka,
    '  clickhouse:',
    `    url: ${variable('CLICKHOUSE_URL', 'embedded')}`,
    `    database: ${scalar(name.replaceAll('-', '_'))}`,
  ]
}

/** An address that is a reference already stays one. */
export const variable = (name: string, standard: string): string =>
  standard.startsWith('${') ? standard : `\${${name}:-${standard}}`

function source({ source: from, schema }: Scaffold, { time, keys }: Roles): readonly string[] {
  switch (from.type) {
    case 'kafka':
      return [
        '    source:',
        '      type: kafka',
        `      topics: [${scalar(from.topic)}]`,
        ...valueFormat(from.value, schema),
        ...(time === RECORDED ? [`      columns: { ${RECORDED}: timestamp } # the record's own timestamp as a column`] : []),
        '      start: earliest # where a new flow begins; after that it goes on from its position',
      ]
    case 'file':
      return [
        '    source:',
        '      type: file # CSV and NDJSON, plain or gzip',
        ...(schema === null
          ? ['      # NO FILE MATCHED THIS PATH when this was written, so the columns below are not filled in: is it right?']
          : []),
        `      path: ${scalar(from.path)}`,
        ...fileSchema(schema),
        ...(keys.includes(FILE) && !schema?.fields.some(f => f.name === FILE)
          ? [`      columns: { ${FILE}: file_stem } # no column tells series apart: the file that a record stands in does`]
          : []),
        ...(time === null ? [] : [`      time: ${scalar(time)} # the event time of a record`]),
        ...(time === null || !from.several
          ? []
          : [
              '      # all files in one order: read one after the other, those of the same time are late for windows',
              `      merge_by: ${scalar(time)} # each file must be sorted by it, or \`unsorted: keep\``,
            ]),
      ]
    case 'host':
      return ['    source:', '      type: host # CPU, memory, network and disk of this machine', '      interval: 1s']
    case 'generate':
      return [
        '    source:',
        '      type: generate # rows made by rule, to try things with',
        '      rate: 100/s',
        '      history: 1h # so much comes first',
        '      keys: { column: device, count: 10, prefix: device- }',
        '      fields:',
        '        value: { type: series, base: 20, spread: 2, noise: 0.5, burst: { every: 1h, for: 2m, add: 15 } }',
      ]
  }
}

/** The columns as they were found, to be corrected by hand; else they would be looked for again at each start. */
function fileSchema(schema: Schema | null): readonly string[] {
  return (
    schemaLines(schema, '      ') ?? [
      '      # schema: { ts: timestamp(ms), value: f64 } # else the types are taken from the first rows',
    ]
  )
}

function valueFormat(value: string, schema: Schema | null): readonly string[] {
  const columns = value === 'json' ? schemaLines(schema, '        ') : null
  if (columns) return ['      value:', '        format: json # also avro, string, bytes', ...columns]
  return [`      value: ${value}${value === 'avro' ? ' # with the schema registry; also json, string, bytes' : ''}`]
}

/** Null: the columns are not known, or have a name that is no word of the language and can only be left to be found. */
function schemaLines(schema: Schema | null, indent: string): readonly string[] | null {
  if (!schema?.fields.every(f => COLUMN.test(f.name))) return null
  return [
    `${indent}schema: # from the first records; a trailing ? allows null`,
    ...schema.fields.map(f => `${indent}  ${scalar(f.name)}: ${fieldTypeName(f)}`),
  ]
}

function sink({ table }: Scaffold, { time, keys }: Roles): readonly string[] {
  const order = [...keys, ...(time === null ? [] : [time])]
  return [
    '    sink:',
    '      type: clickhouse',
    `      table: ${scalar(table)} # made if it is not there`,
    ...(time === null
      ? ['      # time: COLUMN # the event time; views need it']
      : [`      time: ${scalar(time)} # the event time; views need it`]),
    ...(order.length === 0
      ? ['      # order_by: [KEY, TIME] # how rows lie on disk']
      : [`      order_by: [${order.map(scalar).join(', ')}]`]),
    '      # retain: 90d # rows older than this are deleted',
  ]
}

/** What cannot be read must go somewhere; without this a flow stops at it. */
function letters({ source: from, name }: Scaffold): readonly string[] {
  const to = from.type === 'kafka' ? from.topic : name
  if (from.type === 'generate' || from.type === 'host') return []
  return [
    '    # what cannot be read or written is set aside with its reason; without this line the flow stops at it',
    from.type === 'kafka'
      ? `    on_error: { dead_letter: ${scalar(`${to}.dead`)} }`
      : `    on_error: { dead_letter: { file: ${scalar(`${to}.dead.ndjson`)} } }`,
  ]
}

function views({ table }: Scaffold, { time, keys, measure }: Roles): readonly string[] {
  if (time === null) return []
  const columns = [`n: count()`, ...(measure === null ? [] : [`mean: avg(${measure})`, `peak: max(${measure})`])]
  return [
    '',
    '# Windows of event time over the table, as a view in ClickHouse. Add it before the first run: a view counts the rows that are',
    '# written after it is made, and not those that the table has already.',
    '# views:',
    `#   ${table}_5m:`,
    `#     from: ${scalar(table)}`,
    '#     size: 5m',
    '#     slide: 1m',
    `#     keys: [${keys.map(scalar).join(', ')}]`,
    '#     columns:',
    ...columns.map(c => `#       ${c}`),
  ]
}

/** The record's own timestamp, where no column says when something happened. */
const RECORDED = 'recorded_at'
/** Name of the column with the file of a record. */
const FILE = 'file'
const COLUMN = /^[A-Za-z_]\w*$/
const TIME_NAMES = /^(ts|time|timestamp|event_?time|occurred_?at|created_?at|date_?time)$/i
const KEY_NAMES = /(^|_)(id|key|name|device|host|instance|sensor|site|user|customer|series)$/i

function rolesOf({ source: from, schema }: Scaffold): Roles {
  if (from.type === 'generate') return { time: 'ts', keys: ['device'], measure: 'value' }
  if (from.type === 'host') return { time: 'ts', keys: ['host'], measure: 'cpu' }
  // a column that may be null can neither order a table nor be its time
  const fields = (schema?.fields ?? []).filter(f => !f.nullable && COLUMN.test(f.name))
  const times = fields.filter(f => f.type.kind === 'timestamp')
  const time = (times.find(f => TIME_NAMES.test(f.name)) ?? times[0])?.name ?? (from.type === 'kafka' ? RECORDED : null)
  const texts = fields.filter(f => ['utf8', 'dictionary', 'uuid'].includes(f.type.kind) && KEY_NAMES.test(f.name))
  const measure = fields.find(f => ['f32', 'f64'].includes(f.type.kind))?.name ?? null
  const keys = texts.slice(0, 1).map(f => f.name)
  const files = from.type === 'file' && from.several && fields.length > 0 && !schema?.fields.some(f => f.name === FILE)
  return { time, keys: keys.length === 0 && files ? [FILE] : keys, measure }
}

/** A word that YAML reads as this text, else quoted. */
function scalar(text: string): string {
  const plain = /^[A-Za-z_][\w.@/-]*$/.test(text) && !/^(true|false|yes|no|on|off|null|y|n)$/i.test(text)
  return plain ? text : JSON.stringify(text)
}
