import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { connect } from '../../../cli/program'
import { type ScaffoldSource, scaffold } from '../../../cli/scaffold'
import { schemaOf } from '../../support/batches'
import { collectingIo, inProcess } from '../../support/in_process'
import { temporaryFolder } from '../../support/temporary_folder'

/** A new pipeline file is valid as it is written, whatever was asked for. */

const folder = temporaryFolder()
const root = path.dirname(folder.file('here', ''))
const at = (name: string): string => path.join(root, name)

test.each([
  ['nothing', []],
  ['a topic', ['--topic', 'shop.orders-v2']],
  ['addresses', ['--topic', 'orders', '--brokers', 'k1:9092,k2:9092', '--registry', 'http://registry:8081']],
  ['variables', ['--topic', 'orders', '--brokers', '${BROKERS:-k:9092}', '--value', 'json']],
  ['text', ['--topic', 'orders', '--value', 'string']],
  ['files', ['--path', 'data/**/*.csv', '--name', 'load', '--table', 'Rows']],
  ['a topic that reads like a number', ['--topic', '1.5', '--name', 'n']],
  ['a topic that reads like null', ['--topic', 'null']],
])('%s', async (name, args) => {
  const out = at(`${name.replaceAll(' ', '_')}.yaml`)
  expect(await inProcess(['init', ...args, '--out', out])).toMatchObject({ code: 0, err: '' })
  expect(await inProcess(['validate', out])).toMatchObject({ code: 0, err: '' })
  const [first] = readFileSync(out, 'utf8').split('\n')
  const schema = first.replace('# yaml-language-server: $schema=', '')
  expect(JSON.parse(readFileSync(path.resolve(root, schema), 'utf8'))).toHaveProperty('definitions')
})

const kafka: ScaffoldSource = { type: 'kafka', topic: 'cpu', value: 'avro', brokers: 'embedded', registry: 'embedded' }
const write = (schema: ReturnType<typeof schemaOf> | null): string =>
  scaffold({ name: 'cpu', source: kafka, table: 'cpu', schema, samples: ['{"a":1}'], editorSchema: 'x', file: 'cpu.yaml' })

test('the columns that were found say what is the time and what orders the table', () => {
  const text = write(schemaOf({ seen: 'timestamp(ms)?', ts: 'timestamp(us)', host: 'utf8?', device: 'utf8', cpu: 'f64' }))
  expect(text).toContain('      time: ts ')
  expect(text).toContain('      order_by: [device, ts]\n')
  expect(text).toContain('#   host: utf8, may be null\n')
  expect(text).toContain('#   {"a":1}\n')
  expect(text).not.toContain('recorded_at')
})

test('what stands in comments to be tried is valid too', async () => {
  const text = write(schemaOf({ ts: 'timestamp(ms)', device: 'utf8', cpu: 'f64' }))
  const tried = text
    .replace('    transforms: []\n', '')
    .replace(/^ {4}# (transforms:| {2}- )/gm, '    $1')
    .replace('      # retain', '      retain')
    .replace(/^# (?=views:| {2})/gm, '')
    .replace(/^ {2}(connect .*|ts: |device: |cpu: |\{"a").*\n/gm, '')
  expect(tried).toContain('\nviews:\n  cpu_5m:\n')
  expect(tried).toContain('    transforms:\n      - { type: filter')
  expect(await inProcess(['validate', folder.file('tried.yaml', tried)])).toMatchObject({ code: 0, err: '' })
})

test('a file that is there stays, unless it is to be replaced', async () => {
  const out = folder.file('mine.yaml', 'mine')
  const refused = await inProcess(['init', '--out', out])
  expect([refused.code, readFileSync(out, 'utf8')]).toEqual([2, 'mine'])
  expect(refused.err).toContain('is there already')
  expect((await inProcess(['init', '--out', out, '--force', '--json'])).code).toBe(0)
  expect(readFileSync(out, 'utf8')).toContain('flows:')
})

test.each([
  [['--source', 'kafka'], '--topic is missing'],
  [['--source', 'file'], '--path is missing'],
  [['--topic', 'a b'], '--topic a b: expected a topic name'],
  [['--name', 'Big'], '--name Big: expected small letters'],
  [['--table', 'a-b'], '--table a-b: expected letters'],
  [['--from-topic', 'a', '--source', 'file'], '--from-topic goes with --source kafka'],
])('%s is refused', async (args, message) => {
  const { code, err } = await inProcess(['init', ...args, '--out', at('refused.yaml')])
  expect([code, err]).toEqual([2, expect.stringContaining(message)])
})

test('on a terminal it asks for what no option says, again until the answer will do', async () => {
  const { io, out, err } = collectingIo()
  const answers = ['kafka', 'orders', '', 'xml', 'json', 'Shop', 'shop', '', at('asked.yaml')]
  const code = await connect(['init'], { ...io, inIsTerminal: true, stdin: Readable.from([`${answers.join('\n')}\n`]) })
  expect([code, out()]).toEqual([0, expect.stringContaining('is written')])
  expect(err()).toMatch(/Source \(kafka, file, generate\) \[generate\]: Topic: Brokers, HOST:PORT \[embedded\]: /)
  expect(err()).toContain('expected avro, json, string')
  expect(err()).toContain('expected small letters')
  expect(await inProcess(['validate', at('asked.yaml')])).toMatchObject({ code: 0 })
  expect(readFileSync(at('asked.yaml'), 'utf8')).toMatch(/name: shop\n.*value: json\n.*table: orders /s)
})

test('an input that ends is no answer', async () => {
  const { io, err } = collectingIo()
  expect(await connect(['init'], { ...io, inIsTerminal: true })).toBe(1)
  expect(err()).toContain('R003_ABORTED')
})
