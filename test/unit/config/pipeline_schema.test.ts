import { type Json, jsonSchema } from '../../../config/pipeline_schema'
import { referencePage } from '../../../config/reference'
import { markdownPage } from '../../../config/reference_text'
import { registry } from './plugins'

const schema = jsonSchema(registry)
const definitions = schema.definitions as Record<string, Json>

/** Every `$ref` of a schema. */
function references(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(references)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => (key === '$ref' ? [String(inner)] : references(inner)))
}

test('every reference leads to a definition, and every plugin has one', () => {
  for (const reference of new Set(references(schema))) {
    expect(definitions).toHaveProperty([reference.replace('#/definitions/', '')])
  }
  for (const { kind, name } of registry.all) expect(definitions).toHaveProperty([`${kind}.${name}`])
})

test('unknown keys are refused as by the loader', () => {
  expect(schema.additionalProperties).toBe(false)
  for (const { kind, name } of registry.all) expect(definitions[`${kind}.${name}`].additionalProperties).toBe(false)
})

test('a block takes the word that chose its plugin, and a connection only where it uses one', () => {
  expect(definitions['source.topic'].properties).toHaveProperty('type', { const: 'topic' })
  expect(definitions['source.topic'].properties).toHaveProperty('connection')
  expect(definitions['source.ticks'].properties).not.toHaveProperty('connection')
  expect(definitions['format.csv'].properties).toHaveProperty('format', { const: 'csv' })
})

test('defaults are there in the form of the file', () => {
  const flush = (definitions['sink.table'].properties as Record<string, Json>).flush
  expect((flush.properties as Record<string, Json>).interval).toMatchObject({ default: '200ms' })
})

test('a variable may stand for anything but free text, which takes it already', () => {
  const properties = definitions['sink.screen'].properties as Record<string, Json>
  expect(references(properties.limit)).toEqual(['#/definitions/variable'])
  expect(references((definitions['transform.filter'].properties as Json).if)).toEqual([])
})

test('secrets are marked and our own metadata stays inside', () => {
  const text = JSON.stringify(schema)
  expect(text).toContain('"writeOnly":true')
  expect(text).not.toMatch(/"(secret|plugin|expected|advanced)":/)
})

test('a reference page lists every option with its type and default', () => {
  const [table] = registry.all.filter(d => d.kind === 'sink' && d.name === 'table')
  const page = markdownPage(referencePage(table, definitions['sink.table']))
  expect(page).toContain('# table (sink)')
  expect(page).toContain('| `table` | text | required |')
  expect(page).toContain('| `mode` | `append`, `upsert` | `append` |')
  expect(page).toContain('| `flush.interval` | duration | `200ms` | Age of the oldest')
  expect(page).toContain('| `limit` | size | `1MiB` |')
  expect(page).not.toContain('`type`')
})
