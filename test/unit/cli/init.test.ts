import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { connect } from '../../../cli/program'
import { type ScaffoldSource, scaffold } from '../../../cli/scaffold'
import { schemaOf } from '../../support/batches'
import { collectingIo, inProcess } from '../../support/in_process'
import { temporaryFolder } from '../../support/temporary_folder'

/** A new pipeline file is valid as it is written, whatever was asked for. */

const folder = temporaryFolder()
const { path: root } = folder
const at = (name: string): string => path.join(root, name)

test.each([
  ['generated rows', ['--source', 'generate']],
  ['this machine', ['--source', 'host']],
  ['a topic', ['--topic', 'shop.orders-v2']],
  ['addresses', ['--topic', 'orders', '--brokers', 'k1:9092,k2:9092', '--registry', 'http://registry:8081']],
  ['variables', ['--topic', 'orders', '--brokers', '${BROKERS:-k:9092}', '--value', 'json']],
  ['text', ['--topic', 'orders', '--value', 'string']],
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

describe('files', () => {
  const csv = 'time,device,cpu,note\n2024-01-01T00:00:00Z,d-1,12.5,\n2024-01-01T00:00:01Z,d-2,7,late\n'
  const init = (...args: readonly string[]) => inProcess(['init', ...args])

  test('their columns are written down, with types', async () => {
    const out = at('columns.yaml')
    const outcome = await init('--path', folder.file('cpu.csv', csv), '--out', out, '--name', 'load', '--table', 'Rows')
    expect(outcome).toMatchObject({ code: 0, err: '', out: expect.stringContaining('4 columns found') })
    const text = readFileSync(out, 'utf8')
    expect(text).toContain(
      '      schema: # from the first records; a trailing ? allows null\n        time: timestamp(ms)\n        device: utf8\n        cpu: f64\n        note: utf8?\n',
    )
    expect(text).toContain('      time: time # the event time of a record\n')
    expect(text).toContain('      order_by: [device, time]\n')
    expect(await inProcess(['validate', out])).toMatchObject({ code: 0, err: '' })
    expect((await inProcess(['schema', out])).out).toContain('file: time timestamp(ms), device utf8, cpu f64, note utf8?\n')
  })

  test('the path is written as seen from the file', async () => {
    folder.file('cpu.csv', csv)
    mkdirSync(at('pipelines'), { recursive: true })
    const { io } = collectingIo()
    const out = path.join('pipelines', 'load.yaml')
    expect(await connect(['init', '--path', 'cp*.csv', '--out', out], { ...io, cwd: root })).toBe(0)
    expect(readFileSync(at(out), 'utf8')).toContain('path: "../cp*.csv"\n')
    expect((await inProcess(['schema', at(out)])).out).toContain('cpu f64')
  })

  test('several of the same time are put into one order; of one alone nothing is said', async () => {
    mkdirSync(at('parts'), { recursive: true })
    for (const part of ['a', 'b']) folder.file(`parts/${part}.csv`, csv)
    const written = async (given: string): Promise<string> => {
      const out = at('parts.yaml')
      expect(await init('--path', given, '--out', out, '--force', '--name', 'p', '--table', 't')).toMatchObject({
        code: 0,
        err: '',
      })
      return readFileSync(out, 'utf8')
    }
    expect(await written(at('parts/a.csv'))).not.toContain('merge_by')
    expect(await written(at('parts'))).toContain('      merge_by: time #')
    const text = await written(at('parts/*.csv'))
    expect(text).toContain('      merge_by: time #')
    expect(text).toContain('Add it before the first run')
    // with the view that stands in comments; without merge_by the same file is warned of
    const viewed = text.replace(/^# (?=views:| {2}(?!connect))/gm, '')
    expect(await inProcess(['validate', folder.file('viewed.yaml', viewed)])).toMatchObject({ code: 0, err: '' })
    // the pattern, the folder with and without its slash
    for (const path of ['parts/*.csv', 'parts/', 'parts']) {
      const text = viewed.replace(/^ *merge_by: .*\n/m, '').replace('parts/*.csv', path)
      const outcome = await inProcess(['validate', folder.file('unordered.yaml', text)])
      expect([outcome.code, outcome.err]).toEqual([
        0,
        expect.stringMatching(/:\d+:7: .*warning.*late for the view t_5m.*merge_by: TIME/s),
      ])
    }
    const alone = viewed.replace(/^ *merge_by: .*\n/m, '').replace('parts/*.csv', 'parts/a.csv')
    expect(await inProcess(['validate', folder.file('alone.yaml', alone)])).toMatchObject({ code: 0, err: '' })
  })

  test('of several files without a key the name of the file is one', async () => {
    mkdirSync(at('metric'), { recursive: true })
    for (const part of ['a', 'b']) folder.file(`metric/${part}.csv`, 'time,cpu\n2024-01-01T00:00:00Z,1.5\n')
    const out = at('metric.yaml')
    expect(await init('--path', at('metric'), '--out', out, '--name', 'p', '--table', 't')).toMatchObject({ code: 0, err: '' })
    const text = readFileSync(out, 'utf8')
    expect(text).toContain('      columns: { file: file_stem } #')
    expect(text).toContain('      order_by: [file, time]\n')
    expect(text).toContain('#     keys: [file]\n')
    const viewed = text.replace(/^# (?=views:| {2}(?!connect))/gm, '')
    expect(await inProcess(['validate', folder.file('metric_viewed.yaml', viewed)])).toMatchObject({ code: 0, err: '' })
    expect((await inProcess(['schema', out])).out).toMatch(/file: time timestamp\(ms\), cpu f64, file utf8/)
  })

  test.each([
    ['data/cpu/*.csv', 'cpu'],
    ['/var/log/web.ndjson.gz', 'web'],
    ['*.csv', 'files'],
    ['./data/**/*', 'data'],
  ])('%s is about %s', async (pattern, name) => {
    const out = at(`${name}_named.yaml`)
    expect((await init('--path', pattern, '--out', out)).code).toBe(0)
    expect(readFileSync(out, 'utf8')).toContain(`name: ${name}\n`)
  })

  test('names that are no words are left to be found', async () => {
    const out = at('odd.yaml')
    expect((await init('--path', folder.file('odd.csv', 'a b,c\n1,2\n'), '--out', out)).code).toBe(0)
    expect(readFileSync(out, 'utf8')).toContain('      # schema: {')
    expect(await inProcess(['validate', out])).toMatchObject({ code: 0, err: '' })
  })

  test('none is there yet: said, and written without columns', async () => {
    const out = at('later.yaml')
    const outcome = await init('--path', at('later/*.csv'), '--out', out)
    const told = `no file matches ${at('later/*.csv')} yet, so its columns are not known`
    expect(outcome).toMatchObject({ code: 0, err: expect.stringContaining(`\nNOTE: ${told}`) })
    expect(readFileSync(out, 'utf8')).toMatch(/# NO FILE MATCHED THIS PATH.*\n {6}path: /)
    expect((await init('--path', at('later/*.csv'), '--out', out, '--force', '--json')).out).toContain(told)
    expect(await inProcess(['validate', out])).toMatchObject({ code: 0, err: '' })
  })
})

const kafka: ScaffoldSource = { type: 'kafka', topic: 'cpu', value: 'avro', brokers: 'embedded', registry: 'embedded' }
const write = (schema: ReturnType<typeof schemaOf> | null): string =>
  scaffold({ name: 'cpu', source: kafka, table: 'cpu', schema, samples: ['{"a":1}'], editorSchema: 'x', file: 'cpu.yaml' })

test('the columns that were found say what is the time and what orders the table', () => {
  const text = write(schemaOf({ seen: 'timestamp(ms)?', ts: 'timestamp(us)', host: 'utf8?', device: 'utf8', cpu: 'f64' }))
  expect(text).toContain('      time: ts ')
  expect(text).toContain('      order_by: [device, ts]\n')
  expect(text).toContain('#   host: utf8?\n')
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
  const generate = ['init', '--source', 'generate', '--out', out]
  const refused = await inProcess(generate)
  expect([refused.code, readFileSync(out, 'utf8')]).toEqual([2, 'mine'])
  expect(refused.err).toContain('is there already')
  expect((await inProcess([...generate, '--force', '--json'])).code).toBe(0)
  expect(readFileSync(out, 'utf8')).toContain('flows:')
})

test.each([
  // nobody can be asked here
  [[], '--source is missing'],
  [['--table', 't', '--json'], '--source is missing'],
  [['--source', 'kafka'], '--topic is missing'],
  [['--source', 'file'], '--path is missing'],
  [['--topic', 'a b'], '--topic a b: expected a topic name'],
  [['--source', 'host', '--name', 'Big'], '--name Big: expected small letters'],
  [['--source', 'host', '--table', 'a-b'], '--table a-b: expected letters'],
  [['--from-topic', 'a', '--source', 'file'], '--from-topic goes with --source kafka'],
  [['--topic', 'a', '--path', 'x.csv'], '--path goes with --source file, not with kafka'],
  [['--path', 'x.csv', '--source', 'generate'], '--path goes with --source file, not with generate'],
  [['--path', 'x.csv', '--brokers', 'k:9092'], '--brokers goes with --source kafka, not with file'],
  [['--topic', 'a', '--from-topic', 'b'], '--topic a and --from-topic b are two topics'],
])('%s is refused', async (args, message) => {
  const { code, out, err } = await inProcess(['init', ...args, '--out', at('refused.yaml')])
  expect([code, out + err]).toEqual([2, expect.stringContaining(message)])
  expect(existsSync(at('refused.yaml'))).toBe(false)
})

test('on a terminal it asks for what no option says, again until the answer will do', async () => {
  const { io, out, err } = collectingIo()
  const answers = ['kafka', 'orders', '', 'xml', 'json', 'Shop', 'shop', '', at('asked.yaml')]
  const code = await connect(['init'], { ...io, inIsTerminal: true, stdin: Readable.from([`${answers.join('\n')}\n`]) })
  expect([code, out()]).toEqual([0, expect.stringContaining('is written')])
  expect(err()).toMatch(/Source \(kafka, file, host, generate\) \[generate\]: Topic: Brokers, HOST:PORT \[embedded\]: /)
  expect(err()).toContain('expected avro, json, string')
  expect(err()).toContain('expected small letters')
  expect(await inProcess(['validate', at('asked.yaml')])).toMatchObject({ code: 0 })
  expect(readFileSync(at('asked.yaml'), 'utf8')).toMatch(/name: shop\n.*value: json\n.*table: orders /s)
})

test('on a terminal a file name that is free is proposed, and one that is taken asked for again', async () => {
  const { io, err } = collectingIo()
  for (const name of ['free.yaml', 'free-2.yaml']) folder.file(name, 'mine')
  const stdin = Readable.from([`free\n\n${at('free.yaml')}\n\n`])
  expect(await connect(['init', '--source', 'host'], { ...io, cwd: root, inIsTerminal: true, stdin })).toBe(0)
  expect(err()).toMatch(/File \[free-3\.yaml\]: {3}is there already\nFile \[free-3\.yaml\]: $/)
  expect([readFileSync(at('free.yaml'), 'utf8'), existsSync(at('free-3.yaml'))]).toEqual(['mine', true])
})

test('an input that ends is no answer', async () => {
  const { io, err } = collectingIo()
  expect(await connect(['init'], { ...io, inIsTerminal: true })).toBe(1)
  expect(err()).toContain('R003_ABORTED')
})
