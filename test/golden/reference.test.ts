import path from 'node:path'
import { referencePages } from '../../cli/generate'
import { builtInRegistry } from '../../cli/registry'
import { jsonSchema } from '../../config/pipeline_schema'
import { plainPage } from '../../config/reference_text'
import { inProcess } from '../support/in_process'
import {
  ends,
  needsServices,
  type ReferenceExample,
  referenceExamples,
  referenceFiles,
  referenceText,
  writeExample,
} from '../support/reference'
import { temporaryFolder } from '../support/temporary_folder'

/**
 * Every YAML of the reference is a whole pipeline: valid, its columns fit its transforms, and it runs. Those that need services run in
 * `test/pipelines/reference.test.ts`.
 */

const ENV = { KAFKA_PASSWORD: 'a', CLICKHOUSE_PASSWORD: 'b' }
const folder = temporaryFolder()
const root = path.dirname(folder.file('here', ''))
const examples = referenceExamples()
const written = (example: ReferenceExample): string => writeExample(example, path.join(root, String(examples.indexOf(example))))

test('every page has one, and no YAML that is not checked here', () => {
  const pages = referenceFiles()
  expect(pages.length).toBe(builtInRegistry().all.length)
  expect(pages.filter(page => !examples.some(e => e.page === page))).toEqual([])
  const fences = pages.flatMap(page => referenceText(page).match(/^```yaml$/gm) ?? [])
  expect(examples).toHaveLength(fences.length)
})

test.each(examples)('$title', async example => {
  const file = written(example)
  expect(await inProcess(['validate', file], ENV)).toMatchObject({ code: 0, err: '' })
  // binds the transforms: the columns they name are there
  expect(await inProcess(['schema', file], ENV)).toMatchObject({ code: 0, err: '' })
})

const quick = examples.filter(example => ends(example) && !needsServices(example))

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
  for (const [declaration, page] of referencePages(registry.all, jsonSchema(registry))) {
    const text = plainPage(page, 80)
    expect(text).not.toMatch(/^#|```|^\|/m)
    for (const { yaml } of declaration.examples) for (const line of yaml.trim().split('\n')) expect(text).toContain(line)
    const prose = text.split('\nEXAMPLES\n')[0].split('\n')
    // a row of options may be wider where a type has many words
    for (const line of prose.filter(l => !/^ {2}\S+ {2,}/.test(l))) expect(line.length).toBeLessThanOrEqual(80)
  }
})
