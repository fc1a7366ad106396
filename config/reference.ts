import type { Declaration } from '../runtime/plugin'
import type { Json } from './pipeline_schema'

/** The reference page of one plugin, in Markdown, from its declaration alone. `schema`: its definition in the JSON Schema. */
export function referencePage(declaration: Declaration, schema: Json): string {
  const { kind, name, summary, description, status, since } = declaration
  const parts = [`# ${name} (${kind})`, summary, `Status: ${status}. Since ${since}.`, description.trim()]
  const connection = 'connection' in declaration ? declaration.connection : null
  if (connection !== null) parts.push(`Uses a \`${connection}\` connection.`)
  const rows = optionRows(schema, '', kind)
  parts.push('## Options', rows.length > 0 ? [HEAD, ...rows].join('\n') : 'None.')
  if ('capabilities' in declaration) {
    const listed = Object.entries(declaration.capabilities).map(([key, value]) => `| ${key} | ${word(value)} |`)
    parts.push('## Capabilities', ['| | |', '|---|---|', ...listed].join('\n'))
  }
  if (declaration.examples.length > 0) parts.push('## Examples')
  for (const { title, yaml } of declaration.examples) parts.push(`${title}:`, `\`\`\`yaml\n${yaml.trim()}\n\`\`\``)
  return `${parts.filter(part => part !== '').join('\n\n')}\n`
}

const HEAD = '| option | type | default | |\n|---|---|---|---|'

const word = (value: unknown): string => (typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value))

/** One row per option; those of a mapping follow it as `flush.rows`. */
function optionRows(schema: Json, prefix: string, kind: Declaration['kind']): readonly string[] {
  const properties = (schema.properties ?? {}) as Record<string, Json>
  const required = (schema.required ?? []) as readonly string[]
  return Object.entries(properties).flatMap(([key, option]) => {
    if (prefix === '' && (key === 'type' || (kind === 'format' && key === 'format')) && 'const' in option) return []
    const name = prefix + key
    const inner = mappings(option).flatMap(mapping => optionRows(mapping, `${name}.`, kind))
    const standard =
      option.default === undefined ? (required.includes(key) ? 'required' : '') : `\`${JSON.stringify(option.default)}\``
    const text = String(option.description ?? '')
    const secret = option.writeOnly === true ? ' Never shown.' : ''
    const row = `| \`${name}\` | ${cell(typeText(option))} | ${cell(standard)} | ${cell(text + secret)} |`
    return [row, ...new Set(inner)]
  })
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

function typeText(option: Json): string {
  const texts = alternatives(option)
    .filter(a => a.$ref !== '#/definitions/variable')
    .map(a => {
      if (a.$ref === '#/definitions/format') return 'format'
      if (Array.isArray(a.enum)) return a.enum.map(v => `\`${v}\``).join(', ')
      if (a.const !== undefined) return `\`${a.const}\``
      if (a.type === 'array') return `list of ${typeText((a.items ?? {}) as Json)}`
      if (a.type === 'object') return 'mapping'
      if (a.type === 'string') return typeof a.pattern === 'string' ? patterned(a.pattern) : 'text'
      return typeof a.type === 'string' ? a.type : 'any'
    })
  return [...new Set(texts)].join(' or ')
}

/** Durations and sizes are texts with a unit. */
function patterned(pattern: string): string {
  if (pattern.includes('ms|s|m|h|d')) return 'duration'
  return pattern.includes('KiB|MiB') ? 'size' : 'text'
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
