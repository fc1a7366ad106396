import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { type Json, jsonSchema } from '../config/pipeline_schema'
import { type Part, referencePage } from '../config/reference'
import { markdownPage } from '../config/reference_text'
import type { Declaration } from '../runtime/plugin'
import type { Registry } from '../runtime/registry'
import { envelopeSchema } from './envelope_schema'
import { exampleFiles } from './example_files'
import { builtInRegistry } from './registry'
import { runResultSchema } from './run_result'

/**
 * `npm run generate` writes what follows from the plugins' declarations into `config/generated/`: the JSON Schema of the pipeline
 * file, those of what commands print with `--json`, and one reference page per plugin. With `--check` it writes nothing and exits 1
 * with the files that are not up to date.
 */

/** Name below `config/generated/` -> content. */
export function generated(registry: Registry): ReadonlyMap<string, string> {
  const schema = jsonSchema(registry)
  const files = new Map([
    ['pipeline.schema.json', text(schema)],
    ['envelope.schema.json', text(envelopeJsonSchema())],
    ['run_result.schema.json', text(runResultJsonSchema())],
  ])
  const plugins = [...registry.all].sort((a, b) => `${a.kind} ${a.name}`.localeCompare(`${b.kind} ${b.name}`, 'en'))
  for (const [{ kind, name }, page] of referencePages(plugins, schema)) {
    files.set(`reference/${kind}_${name}.md`, markdownPage(page))
  }
  const index = plugins.map(({ kind, name, summary }) => `- [${name}](${kind}_${name}.md) (${kind}): ${summary}`)
  files.set('reference/README.md', `# Plugins\n\n${index.join('\n')}\n`)
  return files
}

/** The reference page of each plugin. `schema`: that of the language with them. */
export function referencePages(plugins: readonly Declaration[], schema: Json): ReadonlyMap<Declaration, readonly Part[]> {
  const definitions = schema.definitions as Readonly<Record<string, Json>>
  const examples = exampleFiles()
  const page = (d: Declaration): readonly Part[] =>
    referencePage(d, definitions[`${d.kind}.${d.name}`], examples.get(`${d.kind} ${d.name}`))
  return new Map(plugins.map(d => [d, page(d)]))
}

const text = (schema: unknown): string => `${JSON.stringify(schema, null, 2)}\n`

/** What every command prints with `--json`, for those who read it with other tools. */
const envelopeJsonSchema = (): Json => ({
  title: 'What a command of connect prints with --json',
  ...(z.toJSONSchema(envelopeSchema, { target: 'draft-7' }) as Json),
})

const runResultJsonSchema = (): Json => ({
  title: 'The result of connect run --json',
  ...(z.toJSONSchema(runResultSchema, { target: 'draft-7' }) as Json),
})

/** Names of files that differ from what would be generated, are missing, or belong to a plugin that is gone. */
export function staleFiles(folder: string, files: ReadonlyMap<string, string>): readonly string[] {
  const read = (name: string): string | null => {
    try {
      return readFileSync(path.join(folder, name), 'utf8')
    } catch {
      return null
    }
  }
  const differing = [...files].filter(([name, text]) => read(name) !== text).map(([name]) => name)
  return [...differing, ...leftOver(folder, files)]
}

function leftOver(folder: string, files: ReadonlyMap<string, string>): readonly string[] {
  try {
    return readdirSync(path.join(folder, 'reference'))
      .map(name => `reference/${name}`)
      .filter(name => !files.has(name))
  } catch {
    return []
  }
}

/** Brings the folder up to date. */
export function writeGenerated(folder: string, files: ReadonlyMap<string, string>): void {
  for (const name of leftOver(folder, files)) rmSync(path.join(folder, name))
  for (const [name, text] of files) {
    const file = path.join(folder, name)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
}

function main(arguments_: readonly string[]): number {
  // dist/cli/generate.js -> the package's own folder
  const folder = path.resolve(__dirname, '../..', 'config/generated')
  const files = generated(builtInRegistry())
  if (arguments_.includes('--check')) {
    const stale = staleFiles(folder, files)
    for (const name of stale) process.stderr.write(`config/generated/${name} is not up to date; run npm run generate\n`)
    return stale.length > 0 ? 1 : 0
  }
  writeGenerated(folder, files)
  process.stdout.write(`${files.size} files in config/generated\n`)
  return 0
}

if (require.main === module) process.exitCode = main(process.argv.slice(2))
