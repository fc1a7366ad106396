import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { visibleCommands } from '../../cli/completion/model'
import { exampleFiles } from '../../cli/example_files'
import { createProgram } from '../../cli/program'
import { builtInRegistry } from '../../cli/registry'
import { loadPipeline } from '../../config/load'
import { makersOf } from '../../runtime/makers'
import { commandOf, words } from '../support/command_lines'
import { collectingIo, inProcess } from '../support/in_process'
import { temporaryFolder } from '../support/temporary_folder'

/** What a newcomer reads is right: example files and the README's YAML are valid, its commands, scripts and links exist. */

const root = path.resolve(__dirname, '../..')
const examples = readdirSync(path.join(root, 'config/examples'))
  .filter(name => name.endsWith('.yaml'))
  .map(name => `config/examples/${name}`)
const readme = readFileSync(path.join(root, 'README.md'), 'utf8')
const blocks = (language: string): readonly string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(m => m[1])

/** Variables without a default in examples and README, and a file for the secret. */
const ENV = { NAB_DIR: '/data/nab', REGISTRY_PASSWORD: 'a', CLICKHOUSE_PASSWORD: 'b' }
const folder = temporaryFolder()
const registry = builtInRegistry()

test.each(examples)('%s is valid', async file => {
  expect(await inProcess(['validate', path.join(root, file)], ENV)).toMatchObject({ code: 0, err: '' })
})

test('README tells what each example shows', () => {
  for (const file of examples) expect(readme).toMatch(new RegExp(`^\\| \\[[^|]*\\]\\(${file}\\) +\\| \\w`, 'm'))
})

test('every plugin stands in an example that runs', () => {
  const used = exampleFiles()
  const missing = builtInRegistry().all.map(d => `${d.kind} ${d.name}`)
  expect(missing.filter(plugin => !used.has(plugin))).toEqual([])
})

test('an example that is broken is noticed', async () => {
  const text = readFileSync(path.join(root, examples[0]), 'utf8').replace('type: generate', 'type: generat')
  expect(await inProcess(['validate', folder.file('broken.yaml', text)], ENV)).toMatchObject({ code: 2 })
})

test('the pipeline of the README is the example, to the letter', () => {
  const [whole] = blocks('yaml')
  expect(whole).toBe(readFileSync(path.join(root, 'config/examples/ec2-cpu.yaml'), 'utf8'))
})

test.each(blocks('yaml').map((text, i) => ({ i, text })))('YAML block $i of the README is valid', async ({ i, text }) => {
  const secret = folder.file('kafka', 'secret')
  const yaml = text.replace('/run/secrets/kafka', secret)
  // connections alone: a flow between them makes a pipeline of it
  const { flows } = parse(yaml) as { flows?: unknown }
  const flow = `flows: {a: {source: {type: kafka, topics: [t], value: avro}, sink: {type: clickhouse, table: t}}}\n`
  const file = folder.file(`block_${i}.yaml`, flows ? yaml : `name: block\n${yaml}${flow}`)
  expect(await inProcess(['validate', file], ENV)).toMatchObject({ code: 0, err: '' })
})

const parsed = (line: string): Promise<string> => commandOf(words(line).slice(1))

const commandLines = [
  ...blocks('sh').flatMap(block => block.split('\n')),
  ...examples.flatMap(file =>
    readFileSync(path.join(root, file), 'utf8')
      .split('\n')
      .map(line => line.replace(/^# +/, '')),
  ),
].filter(line => line.startsWith('connect '))

test('there are command lines to check', () => expect(commandLines.length).toBeGreaterThan(5))

test.each(commandLines)('%s', async line => {
  expect(await parsed(line)).toBe(words(line)[1])
  for (const word of words(line)) if (word.startsWith('config/')) expect(existsSync(path.join(root, word))).toBe(true)
})

const runs = commandLines.map(words).filter(line => line[1] === 'run')

test.each(runs.map(line => line.filter(word => word.endsWith('.yaml'))))('what %s %s reads is there or made', (...files) => {
  const pipelines = files.map(file => {
    const loaded = loadPipeline(path.join(root, file), { registry, env: ENV })
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
    return loaded.spec
  })
  const missing = pipelines.flatMap(pipeline =>
    pipeline.flows.flatMap(spec => {
      const { type, connection, config } = spec.source
      if (type !== 'kafka') return []
      const topics = registry.get('source', type).reads(config)
      return topics.filter(
        name => makersOf({ pipeline, spec, connection, name }, pipelines, registry, () => 'working').working.length === 0,
      )
    }),
  )
  expect(missing).toEqual([])
})

test('docs/operations.md explains the words of the log and the last lines, and README sends there', () => {
  const operations = readFileSync(path.join(root, 'docs/operations.md'), 'utf8')
  const heading = 'Words of the log and the last lines'
  const section = operations.split('\n## ').find(text => text.startsWith(heading)) ?? ''
  const words = [...section.matchAll(/^- _(\w+)_:/gm)].map(m => m[1])
  expect(words).toEqual(['lane', 'session', 'generation', 'closed', 'revised', 'final', 'late', 'reopened'])
  expect(readme).toContain(`docs/operations.md#${heading.toLowerCase().replaceAll(' ', '-')}`)
})

test('a wrong option in a command line is noticed', async () => {
  await expect(parsed('connect run config/examples/nab.yaml --until-cought-up')).rejects.toThrow('unknown option')
})

test('the table of commands names every command, and options that each has', () => {
  const program = createProgram(collectingIo().io, async () => {})
  const rows = [...readme.matchAll(/^\| `connect (\w+)[^`]*` *\|(.*)\|$/gm)]
  const seen = visibleCommands(program).map(c => c.name())
  expect(rows.map(r => r[1]).sort()).toEqual(seen.filter(name => name !== 'help').sort())
  for (const [, name, text] of rows) {
    const options = program.commands.find(c => c.name() === name)?.options.map(o => o.long)
    for (const [option] of text.matchAll(/--[\w-]+/g)) expect(options).toContain(option)
  }
})

test('scripts, files and links of the README exist', () => {
  const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  for (const [, script] of readme.matchAll(/npm run ([\w:]+)/g)) expect(Object.keys(scripts)).toContain(script)
  const files = [...readme.matchAll(/\]\(([^)#]+)\)/g), ...readme.matchAll(/`(test\/[\w/.-]+)`/g)].map(m => m[1])
  expect(files.length).toBeGreaterThan(15)
  expect(files.filter(file => !file.startsWith('http') && !existsSync(path.join(root, file)))).toEqual([])
})

test('the figures of the README are those of bench/README.md', () => {
  const table = (text: string): readonly (readonly string[])[] =>
    [...text.matchAll(/^\| (this program|kafkajs|ClickHouse's own).*$/gm)].map(([row]) => row.split('|').map(cell => cell.trim()))
  const measured = new Map(table(readFileSync(path.join(root, 'bench/README.md'), 'utf8')).map(row => [row[1], row]))
  const shown = table(readme)
  expect(shown).toHaveLength(3)
  // bench/README.md: contender, rows/s, worker, ClickHouse, ...
  for (const [, contender, worker, clickhouse] of shown) {
    const row = measured.get(contender)
    expect([contender, worker, clickhouse]).toEqual([contender, row?.[3], row?.[4]])
  }
})
