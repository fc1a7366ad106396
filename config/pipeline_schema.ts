import { z } from 'zod'
import type { Declaration } from '../runtime/plugin'
import type { Registry } from '../runtime/registry'
import { NOT_AVAILABLE, pipelineSchema } from './structure'

/** A JSON value that is an object. */
export type Json = { [key: string]: unknown }

const VARIABLE = { $ref: '#/definitions/variable' }
const FORMAT = { $ref: '#/definitions/format' }

/**
 * JSON Schema (draft 7, which every editor reads) of the pipeline file: completion, descriptions, errors while typing. Built from
 * the same declarations that the loader checks with. Where the loader takes `${NAME}` for any value, so does the schema.
 */
export function jsonSchema(registry: Registry): Json {
  const definitions: Json = {
    variable: {
      type: 'string',
      pattern: '\\$\\{[^}]+\\}',
      description: '${NAME}, ${NAME:-default} or ${file:path}; filled in when the file is read.',
    },
  }
  const root = converted(pipelineSchema, 'pipeline', definitions)
  const of = (kind: Declaration['kind']): readonly Declaration[] => registry.all.filter(d => d.kind === kind)
  for (const declaration of registry.all) definitions[nameOf(declaration)] = options(declaration, definitions)
  definitions.connection = chosen('type', of('connection'))
  definitions.detector = chosen('type', of('detector'))
  definitions.format = { anyOf: [{ anyOf: words(of('format')) }, VARIABLE, chosen('format', of('format'))] }

  const properties = root.properties as Json
  for (const key of NOT_AVAILABLE)
    properties[key] = { description: 'Not available in this version.', maxProperties: 0, maxItems: 0 }
  const flow = (properties.flows as Json).additionalProperties as Json
  const blocks = flow.properties as Json
  blocks.source = { ...described(blocks.source), ...chosen('type', of('source')) }
  blocks.transforms = { ...(blocks.transforms as Json), items: chosen('type', of('transform')) }
  blocks.sink = { ...described(blocks.sink), ...chosen('type', of('sink')) }
  const connections = properties.connections as Json
  connections.additionalProperties = { $ref: '#/definitions/connection' }
  connections.properties = Object.fromEntries(of('connection').map(d => [d.name, namedLikeItsType(d)]))
  const { $schema, ...rest } = root
  return { $schema, title: 'A pipeline of olap-connect', ...rest, definitions }
}

const described = (value: unknown): Json => {
  const { description } = value as Json
  return description === undefined ? {} : { description }
}

const nameOf = (d: Declaration): string => `${d.kind}.${d.name}`

const words = (declarations: readonly Declaration[]): readonly Json[] =>
  declarations.map(d => ({ const: d.name, description: d.summary }))

/** A plugin's block: its options, the word that chose it, and `connection:` where it uses one. */
function options(declaration: Declaration, definitions: Json): Json {
  const { $schema: _once, ...json } = converted(declaration.config, nameOf(declaration), definitions)
  const key = declaration.kind === 'format' ? 'format' : 'type'
  const connects = 'connection' in declaration && declaration.connection !== null
  const connection = declaration.kind === 'source' ? SOURCE_CONNECTION : SINK_CONNECTION
  const own = { [key]: { const: declaration.name }, ...(connects ? { connection } : {}) }
  return {
    ...json,
    description: declaration.summary,
    ...(json.type === 'object'
      ? { properties: { ...own, ...(json.properties as Json) }, additionalProperties: json.additionalProperties ?? false }
      : {}),
  }
}

const SINK_CONNECTION = { type: 'string', description: 'Name of the connection; needed only where it is not clear.' }
const SOURCE_CONNECTION = {
  description: 'Name of the connection, needed only where it is not clear; or a list: the flow is then run once for each.',
  anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1, uniqueItems: true }],
}

/** A mapping whose `key` names the plugin and whose other keys are that plugin's options. */
const chosen = (key: string, declarations: readonly Declaration[]): Json => ({
  type: 'object',
  properties: { [key]: { description: 'Which plugin.', anyOf: [...words(declarations), { type: 'string' }] } },
  required: [key],
  allOf: declarations.map(d => ({
    if: { properties: { [key]: { const: d.name } }, required: [key] },
    ...onward(d),
  })),
})

/** A connection that is called like a type needs no `type:`. */
const namedLikeItsType = (d: Declaration): Json => ({
  if: { required: ['type'] },
  ...onward({ kind: 'connection' }),
  else: { $ref: `#/definitions/${nameOf(d)}` },
})

const onward = (d: Declaration | { readonly kind: 'connection'; readonly name?: undefined }): Json =>
  Object.fromEntries([['then', { $ref: `#/definitions/${d.name === undefined ? d.kind : nameOf(d)}` }]])

/** One zod schema as JSON Schema. Definitions of recursive parts are moved to the common ones under a name of their own. */
function converted(schema: z.core.$ZodType, name: string, common: Json): Json {
  const json = z.toJSONSchema(schema, { target: 'draft-7', io: 'input', unrepresentable: 'any', override: adapt }) as Json
  const { definitions, ...rest } = json
  for (const [key, value] of Object.entries((definitions ?? {}) as Json)) common[`${name}.${key}`] = moved(value, name)
  return moved(rest, name) as Json
}

/** References to own definitions, renamed. Those to the common ones were put there by `adapt` and stay. */
function moved(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value.map(item => moved(item, name))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const own = key === '$ref' && typeof inner === 'string' && inner.startsWith('#/definitions/__')
      return [key, own ? inner.replace('#/definitions/', `#/definitions/${name}.`) : moved(inner, name)]
    }),
  )
}

interface Override {
  readonly zodSchema: z.core.$ZodTypes
  readonly jsonSchema: z.core.JSONSchema.BaseSchema
}

/** Formats by reference, variables wherever a value is not free text, and our own metadata in words that editors know. */
function adapt({ zodSchema, jsonSchema }: Override): void {
  const json = jsonSchema as Json
  const { plugin, secret, expected: _words, advanced: _advanced, ...rest } = json
  replace(json, rest)
  if (secret === true) json.writeOnly = true
  if (plugin === 'detector') {
    replace(json, { $ref: '#/definitions/detector' })
    return
  }
  if (plugin === 'format') {
    const { description, default: fallback } = json
    replace(json, {
      ...FORMAT,
      ...(description ? { description } : {}),
      ...(fallback !== undefined ? { default: fallback } : {}),
    })
    return
  }
  const { type } = zodSchema._zod.def
  const names = json.propertyNames as Json | undefined
  if (names && Array.isArray(names.anyOf)) json.propertyNames = names.anyOf[0] // variables are not filled in in keys
  const leaf = ['string', 'number', 'boolean', 'enum', 'literal'].includes(type)
  const free = type === 'string' && json.pattern === undefined && json.format === undefined && json.allOf === undefined
  if (!leaf || free || json.anyOf !== undefined) return
  const { description, default: fallback, examples, ...constraints } = json
  const kept = Object.fromEntries(Object.entries({ description, default: fallback, examples }).filter(([, v]) => v !== undefined))
  replace(json, { ...kept, anyOf: [constraints, VARIABLE] })
}

function replace(target: Json, next: Json): void {
  for (const key of Object.keys(target)) delete target[key]
  Object.assign(target, next)
}
