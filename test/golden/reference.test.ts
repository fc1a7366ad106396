import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { plainPage } from '../../config/reference_text'
import { jsonSchema } from '../../config/pipeline_schema'
import { referencePages } from '../../cli/generate'
import { builtInRegistry } from '../../cli/registry'
import { inProcess } from '../support/in_process'
import { temporaryFolder } from '../support/temporary_folder'

/** Every YAML of the reference is a whole pipeline: valid, its columns fit its transforms, and it runs where it needs no service. */

const REFERENCE = path.resolve(__dirname, '../../config/generated/reference')
const ENV = { KAFKA_PASSWORD: 'a', CLICKHOUSE_PASSWORD: 'b' }
const folder = temporaryFolder()
const root = path.dirname(folder.file('here', ''))

interface Example {
  readonly title: string
  readonly yaml: string
  /** Written beside it. */
  readonly files: Map<string, string>
}

/** The code blocks of a page, with the line above each; a file beside an example follows it. */
function examplesOf(page: string): readonly Example[] {
  const examples: Example[] = []
  for (const [, caption, language, text] of readFileSync(path.join(REFERENCE, page), 'utf8').matchAll(
    /^(.*):\n\n```(\w+)\n([\s\S]*?)\n```$/gm,
  )) {
    const [, beside] = /^with `(.*)` beside it$/.exec(caption) ?? []
    if (beside !== undefined) examples.at(-1)?.files.set(beside, text)
    else if (language === 'yaml') examples.push({ title: `${page}: ${caption}`, yaml: text, files: new Map() })
  }
  return examples
}

const pages = readdirSync(REFERENCE).filter(page => page !== 'README.md')
const examples = pages.flatMap(examplesOf)

/** Writes an example and what stands beside it into a folder of its own; gives the path of the pipeline file. */
function written({ yaml, files }: Example): string {
  const own = path.join(root, String(examples.findIndex(e => e.yaml === yaml)))
  for (const [name, text] of [...files, ['pipeline.yaml', yaml]]) {
    const file = path.join(own, name)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, `${text}\n`)
  }
  return path.join(own, 'pipeline.yaml')
}

test('every page has one, and no YAML that is not checked here', () => {
  expect(pages.length).toBe(builtInRegistry().all.length)
  for (const page of pages) expect([page, examplesOf(page).length > 0]).toEqual([page, true])
  const fences = pages.flatMap(page => readFileSync(path.join(REFERENCE, page), 'utf8').match(/^```yaml$/gm) ?? [])
  expect(examples).toHaveLength(fences.length)
})

test.each(examples)('$title', async example => {
  const file = written(example)
  expect(await inProcess(['validate', file], ENV)).toMatchObject({ code: 0, err: '' })
  // binds the transforms: the columns they name are there
  expect(await inProcess(['schema', file], ENV)).toMatchObject({ code: 0, err: '' })
})

/** What ends by itself and takes no longer than its rows. */
const quick = examples.filter(({ yaml }) => !/^connections:|history:|type: host/m.test(yaml))

test('some run here', () => expect(quick.length).toBeGreaterThan(12))

test.each(quick)('$title runs', async example => {
  const file = written(example)
  const data = path.join(path.dirname(file), '.connect')
  const { code, out, err } = await inProcess(['run', file, '--until-caught-up', '--listen', 'off', '--data', data])
  expect([code, err]).toEqual([0, expect.stringContaining('ended well')])
  for (const line of out.trim().split('\n')) expect(JSON.parse(line)).toEqual(expect.any(Object))
})

test('on a terminal a page is plain text that fits, with the same YAML', () => {
  const registry = builtInRegistry()
  for (const [{ examples }, page] of referencePages(registry.all, jsonSchema(registry))) {
    const text = plainPage(page, 80)
    expect(text).not.toMatch(/^#|```|^\|/m)
    for (const { yaml } of examples) for (const line of yaml.trim().split('\n')) expect(text).toContain(line)
    const prose = text.split('\nEXAMPLES\n')[0].split('\n')
    // a row of options may be wider where a type has many words
    for (const line of prose.filter(l => !/^ {2}\S+ {2,}/.test(l))) expect(line.length).toBeLessThanOrEqual(80)
  }
})
