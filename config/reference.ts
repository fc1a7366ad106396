import type { Declaration } from '../runtime/plugin'
import type { Json } from './pipeline_schema'

/**
 * The reference page of one plugin, in Markdown, from its declaration. `schema`: its definition in the JSON Schema. `files`: names of
 * example files that use it, which run as they are.
 */
export function referencePage(declaration: Declaration, schema: Json, files: readonly string[] = []): string {
  const { kind, name, summary, description, status, since } = declaration
  const parts = [`# ${name} (${kind})`, summary, `Status: ${status}. Since ${since}.`, description.trim()]
  const connection = 'connection' in declaration ? declaration.connection : null
  if (connection !== null) parts.push(`Uses a \`${connection}\` connection.`)
  const rows = optionRows(schema, kind)
  parts.push('## Options', rows.length > 0 ? [HEAD, ...rows].join('\n') : 'None.')
  if ('capabilities' in declaration) {
    const listed = Object.entries(declaration.capabilities).map(([key, value]) => `| ${key} | ${word(value)} |`)
    parts.push('## Capabilities', ['| | |', '|---|---|', ...listed].join('\n'))
  }
  if (declaration.examples.length > 0) parts.push('## Examples')
  for (const { title, yaml } of declaration.examples) parts.push(`${title}:`, `\`\`\`yaml\n${yaml.trim()}\n\`\`\``)
  if (files.length > 0) {
    const links = files.map(f => `- [config/examples/${f}](../../examples/${f})`)
    parts.push('## Files that use it', 'They run as they are, with `connect run FILE` on a terminal:', links.join('\n'))
  }
  return `${parts.filter(part => part !== '').join('\n\n')}\n`
}

const HEAD = '| option | type | default | |\n|---|---|---|---|'

const word = (value: unknown): string => (typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value))

interface Row {
  readonly name: string
  readonly types: readonly string[]
  readonly standard: string
  readonly text: string
}

/** One row per option; those of a mapping follow it as `flush.rows`. Options that several kinds of a mapping share are one row. */
function optionRows(schema: Json, kind: Declaration['kind']): readonly string[] {
  const rows = new Map<string, Row>()
  for (const row of rowsOf(schema, '', kind)) {
    const known = rows.get(row.name)
    rows.set(row.name, known ? { ...known, types: [...known.types, ...row.types], text: known.text || row.text } : row)
  }
  return [...rows.values()].map(
    ({ name, types, standard, text }) =>
      `| \`${name}\` | ${cell([...new Set(types)].join(' or '))} | ${cell(standard)} | ${cell(text)} |`,
  )
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

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
