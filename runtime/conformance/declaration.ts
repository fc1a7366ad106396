import { parse } from 'yaml'
import { z } from 'zod'
import type { Declaration } from '../plugin'
import { pluginUses } from './plugin_uses'
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
    { name: 'declaration: its examples are whole pipeline files that use it', run: () => checkExamples(declaration) },
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

function checkExamples({ kind, name, config, examples }: Declaration): void {
  check(examples.length > 0, 'there is no example')
  for (const { title, yaml } of examples) {
    check(title.length > 0, 'an example has no title')
    const file: unknown = parse(yaml, { strict: true, uniqueKeys: true })
    const isWhole = typeof file === 'object' && file !== null && 'name' in file && 'flows' in file
    check(isWhole, `the example "${title}" is no whole pipeline file: it needs \`name:\` and \`flows:\``)
    const uses = pluginUses(file).filter(use => use.kind === kind && use.name === name)
    check(uses.length > 0, `the example "${title}" does not use the ${kind} ${name}`)
    for (const use of uses) {
      // what a variable holds is known where it is filled in
      if (JSON.stringify(use.config).includes('${')) continue
      const result = config.safeParse(use.config)
      check(result.success, `the example "${title}" is refused: ${result.error?.message}`)
    }
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
