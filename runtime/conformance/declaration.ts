import { parse } from 'yaml'
import { z } from 'zod'
import type { Declaration } from '../plugin'
import { check, type Test } from './test'

/** What holds for a declaration of any kind: it documents itself, and its config can become a JSON Schema without losing defaults. */
export function declarationTests(declaration: Declaration): readonly Test[] {
  const { config } = declaration
  return [
    {
      name: 'declaration: has a name, a status and a version',
      run: () => {
        check(
          /^[a-z][a-z0-9_]*$/.test(declaration.name),
          `the name "${declaration.name}" must be snake_case, as it stands in YAML`,
        )
        check(['stable', 'beta', 'experimental'].includes(declaration.status), `unknown status "${declaration.status}"`)
        check(/^\d+\.\d+\.\d+/.test(declaration.since), `since must be a version, not "${declaration.since}"`)
      },
    },
    {
      name: 'declaration: documents itself',
      run: () => {
        check(/^[A-Z'"`].*\.$/s.test(declaration.summary), 'the summary must be a sentence: a capital first, a full stop last')
        check(declaration.summary.length <= 120, 'the summary must fit a line of `connect plugins` (120 characters)')
        check(declaration.description.trim().length > 0, 'the description is empty')
      },
    },
    { name: 'declaration: every option is described', run: () => checkDescriptions(config) },
    { name: 'declaration: its examples are YAML that it accepts', run: () => checkExamples(declaration) },
    { name: 'declaration: its config becomes a JSON Schema that keeps the defaults', run: () => checkDefaults(declaration) },
    { name: 'declaration: unknown options are refused', run: () => checkUnknownOption(declaration) },
  ]
}

type JsonSchema = {
  readonly properties?: Readonly<Record<string, { readonly description?: string; readonly default?: unknown }>>
}

const jsonSchema = (config: z.ZodType): JsonSchema =>
  z.toJSONSchema(config, { io: 'input', unrepresentable: 'throw' }) as JsonSchema

function checkDescriptions(config: z.ZodType): void {
  for (const [name, property] of Object.entries(jsonSchema(config).properties ?? {})) {
    check((property.description ?? '').length > 0, `the option "${name}" has no description`)
  }
}

function checkExamples(declaration: Declaration): void {
  check(declaration.examples.length > 0, 'there is no example')
  for (const { title, yaml } of declaration.examples) {
    check(title.length > 0, 'an example has no title')
    const value: unknown = parse(yaml, { strict: true, uniqueKeys: true })
    check(typeof value === 'object' && value !== null, `the example "${title}" is no YAML mapping`)
    if (declaration.kind !== 'transform') continue
    const { type, ...config } = value as { type?: unknown }
    check(type === declaration.name, `the example "${title}" must say type: ${declaration.name}`)
    const result = declaration.config.safeParse(config)
    check(result.success, `the example "${title}" is refused: ${result.error?.message}`)
  }
}

/** A valid config of the declaration in its YAML form; undefined where it gives none and an empty one is not valid. */
function validConfig(declaration: Declaration): object | undefined {
  const config = declaration.conformance.config ?? {}
  return typeof config === 'object' && config !== null && declaration.config.safeParse(config).success ? config : undefined
}

function checkDefaults(declaration: Declaration): void {
  const { properties = {} } = jsonSchema(declaration.config)
  const given = declaration.conformance.config
  if (given !== undefined) {
    const result = declaration.config.safeParse(given)
    check(result.success, `conformance.config is refused: ${result.error?.message}`)
  }
  const config = validConfig(declaration)
  if (config === undefined) return
  const parsed = declaration.config.parse(config)
  if (typeof parsed !== 'object' || parsed === null) return
  for (const [name, value] of Object.entries(parsed)) {
    if (value === undefined || Object.hasOwn(config, name)) continue
    const kept = properties[name]?.default !== undefined || value === null
    check(kept, `the default of "${name}" is not in the JSON Schema: use prefault() with the YAML form instead of default()`)
  }
}

function checkUnknownOption(declaration: Declaration): void {
  const config = validConfig(declaration)
  if (config === undefined) return
  const result = declaration.config.safeParse({ ...config, no_such_option: 1 })
  check(!result.success, 'an unknown option was taken without a word: use z.strictObject')
}
