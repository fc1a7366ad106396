import type { Declaration } from '../runtime/plugin'
import type { Json } from './pipeline_schema'

/** A piece of a reference page; `reference_text.ts` writes pages as Markdown and as plain text. Words of the language stand in backticks. */
export type Part =
  | { readonly kind: 'title' | 'heading' | 'text'; readonly text: string }
  | { readonly kind: 'options'; readonly rows: readonly OptionRow[] }
  | { readonly kind: 'facts'; readonly rows: readonly (readonly [name: string, value: string])[] }
  /** `caption` stands above it. */
  | { readonly kind: 'code'; readonly language: string; readonly caption: string; readonly text: string }
  /** Files in `config/examples/`. */
  | { readonly kind: 'files'; readonly names: readonly string[] }

export interface OptionRow {
  /** `flush.rows` for a key of a mapping. */
  readonly name: string
  readonly type: string
  /** `required`, the value that is taken where there is none, or nothing. */
  readonly standard: string
  readonly text: string
}

/**
 * The reference page of one plugin from its declaration. `schema`: its definition in the JSON Schema. `files`: names of example
 * files that use it, which say themselves how to run them.
 */
export function referencePage(declaration: Declaration, schema: Json, files: readonly string[] = []): readonly Part[] {
  const { kind, name, summary, description, status, since, examples } = declaration
  const parts: Part[] = [
    { kind: 'title', text: `${name} (${kind})` },
    { kind: 'text', text: summary },
    { kind: 'text', text: `Status: ${status}. Since ${since}.` },
    ...description
      .trim()
      .split(/\n{2,}/)
      .map(text => ({ kind: 'text', text }) as const),
  ]
  const connection = 'connection' in declaration ? declaration.connection : null
  if (connection !== null) parts.push({ kind: 'text', text: `Uses a \`${connection}\` connection.` })
  const rows = optionRows(schema, kind)
  parts.push({ kind: 'heading', text: 'Options' }, rows.length > 0 ? { kind: 'options', rows } : { kind: 'text', text: 'None.' })
  if ('capabilities' in declaration) {
    const facts = Object.entries(declaration.capabilities).map(([key, value]) => [key, word(value)] as const)
    parts.push({ kind: 'heading', text: 'Capabilities' }, { kind: 'facts', rows: facts })
  }
  if (examples.length > 0) parts.push({ kind: 'heading', text: 'Examples' })
  for (const { title, yaml, files: beside = {} } of examples) {
    parts.push({ kind: 'code', language: 'yaml', caption: title, text: yaml.trim() })
    for (const [file, text] of Object.entries(beside)) {
      const language = file.split('.').at(-1) ?? ''
      parts.push({ kind: 'code', language, caption: `with \`${file}\` beside it`, text: text.trim() })
    }
  }
  if (files.length > 0) parts.push({ kind: 'heading', text: 'Files that use it' }, { kind: 'files', names: files })
  return parts
}

const word = (value: unknown): string => (typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value))

interface Row {
  readonly name: string
  readonly types: readonly string[]
  readonly standard: string
  readonly text: string
}

/** One row per option; those of a mapping follow it as `flush.rows`. Options that several kinds of a mapping share are one row. */
function optionRows(schema: Json, kind: Declaration['kind']): readonly OptionRow[] {
  const rows = new Map<string, Row>()
  for (const row of rowsOf(schema, '', kind)) {
    const known = rows.get(row.name)
    rows.set(row.name, known ? { ...known, types: [...known.types, ...row.types], text: known.text || row.text } : row)
  }
  return [...rows.values()].map(({ types, ...row }) => ({ ...row, type: [...new Set(types)].join(' or ') }))
}

function rowsOf(schema: Json, prefix: string, kind: Declaration['kind']): readonly Row[] {
  const properties = (schema.properties ?? {}) as Record<string, Json>
  const required = (schema.required ?? []) as readonly string[]
  return Object.entries(properties).flatMap(([key, option]) => {
    if (prefix === '' && (key === 'type' || (kind === 'format' && key === 'format')) && 'const' in option) return []
    const name = prefix + key
    const secret = option.writeOnly === true ? 'Never shown.' : ''
    const text = [String(option.description ?? ''), secret].filter(t => t !== '').join(' ')
    const row = { name, types: typeTexts(option), standard: standardText(option.default, required.includes(key)), text }
    return [row, ...mappings(option).flatMap(mapping => rowsOf(mapping, `${name}.`, kind))]
  })
}

function standardText(standard: unknown, required: boolean): string {
  if (standard === undefined) return required ? 'required' : ''
  if (typeof standard === 'object') return JSON.stringify(standard) === '{}' ? '' : `\`${JSON.stringify(standard)}\``
  return standard === '' ? 'empty' : `\`${standard}\``
}

/** The mappings that an option may be. */
function mappings(option: Json): readonly Json[] {
  const either = alternatives(option)
  return either.filter(a => a.type === 'object' && a.properties !== undefined)
}

const alternatives = (option: Json): readonly Json[] => {
  const either = (option.anyOf ?? option.oneOf ?? (option.allOf as readonly Json[] | undefined)) as readonly Json[] | undefined
  return either ? either.flatMap(alternatives) : [option]
}

function typeTexts(option: Json): readonly string[] {
  return alternatives(option)
    .filter(a => a.$ref !== '#/definitions/variable')
    .map(a => {
      if (a.$ref === '#/definitions/format') return 'format'
      if (a.$ref === '#/definitions/detector') return 'detector'
      if (Array.isArray(a.enum)) return a.enum.map(v => `\`${v}\``).join(', ')
      if (a.const !== undefined) return `\`${a.const}\``
      if (a.type === 'array') return `list of ${typeTexts((a.items ?? {}) as Json).join(' or ')}`
      if (a.type === 'object') return 'mapping'
      if (a.type === 'string') return typeof a.pattern === 'string' ? patterned(a.pattern) : 'text'
      return typeof a.type === 'string' ? a.type : 'any'
    })
}

/** Durations and sizes are texts with a unit. */
function patterned(pattern: string): string {
  if (pattern.includes('ms|s|m|h|d')) return 'duration'
  return pattern.includes('KiB|MiB') ? 'size' : 'text'
}
