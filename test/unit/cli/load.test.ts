import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { envelopeSchema } from '../../../cli/envelope_schema'
import { connect } from '../../../cli/program'
import { collectingIo } from '../../support/in_process'
import { temporaryFolder } from '../../support/temporary_folder'

/** Every problem of every file in one pass, whatever is wrong with the others. */

const folder = temporaryFolder()
const root = path.dirname(folder.file('here', ''))
const flow = (source: string): string => `flows:\n  f:\n    source: ${source}\n    sink: {type: stdout}\n`
const ROWS = '{type: generate, count: 1, fields: {v: {type: sequence}}}'

folder.file('good.yaml', `name: good\n${flow(ROWS)}`)
folder.file('twin.yaml', `name: good\n${flow(ROWS)}`)
folder.file('typo.yaml', `name: typo\n${flow('{type: generate, cuont: 1, fields: {v: {type: sequence}}}')}`)
folder.file('plugins.yaml', `name: plugins\nplugins: [./good.yaml, no-such-package]\n${flow('{type: mine, v: 1}')}lanes: 1\n`)
mkdirSync(path.join(root, 'empty'))
mkdirSync(path.join(root, 'both'))
folder.file('both/a.yaml', `name: a\n${flow(ROWS)}`)
folder.file('both/b.yaml', `name: b\n${flow(ROWS)}`)

async function run(...args: readonly string[]) {
  const { io, out, err } = collectingIo()
  const code = await connect(args, { ...io, cwd: root })
  return { code, out: out(), err: err() }
}

test('missing files, empty folders and plugins hide nothing', async () => {
  const { code, err } = await run('validate', 'nowhere.yaml', 'typo.yaml', 'empty', 'plugins.yaml', 'good.yaml', 'twin.yaml')
  expect(code).toBe(2)
  expect(err).toContain(
    `nowhere.yaml: C012_UNREADABLE_FILE there is no such file\n  looked for ${path.join(root, 'nowhere.yaml')}\n`,
  )
  expect(err).toContain('empty: C012_UNREADABLE_FILE the folder holds no .yaml file\n')
  expect(err).toContain('did you mean `count`?')
  expect(err).toContain('plugins.yaml:2:11: C012_UNREADABLE_FILE plugins: the plugin ./good.yaml cannot be loaded')
  expect(err).toContain('plugins.yaml:2:24: C012_UNREADABLE_FILE plugins: there is no package no-such-package')
  // an unknown key is wrong whatever the plugins are; an unknown plugin may be one of those
  expect(err).toMatch(/plugins.yaml:\d+:1: C002_UNKNOWN_KEY lanes/)
  expect(err).not.toContain('C009')
  expect(err).toContain('twin.yaml:1:1: C008_DUPLICATE_KEY name: the pipeline of good.yaml is called "good" too')
  expect(err.trim().split('\n').at(-1)).toBe('7 problems in 5 of 6 files')
})

test('the same in the envelope', async () => {
  const { out } = await run('validate', 'nowhere.yaml', 'typo.yaml', '--json')
  const { error } = envelopeSchema.parse(JSON.parse(out))
  expect(error?.problems?.map(p => [p.file, p.code])).toEqual([
    ['nowhere.yaml', 'C012_UNREADABLE_FILE'],
    ['typo.yaml', 'C002_UNKNOWN_KEY'],
  ])
})

test('the sum says in how many of the files that were looked at', async () => {
  const all = await run('validate', 'both', 'typo.yaml', '--json')
  expect(envelopeSchema.parse(JSON.parse(all.out)).summary).toBe('1 problem in 1 of 3 files')
  const { err } = await run('validate', 'typo.yaml')
  expect(err.trim().split('\n').at(-1)).toBe('1 problem in 1 file')
  const both = await run('validate', 'typo.yaml', 'nowhere.yaml')
  expect(both.err.trim().split('\n').at(-1)).toBe('2 problems in 2 files')
})

test('a file that is named twice is one', async () => {
  expect(await run('validate', 'good.yaml', './good.yaml')).toMatchObject({
    code: 0,
    out: '1 file(s) with 1 flow(s) are valid\n',
  })
})

test('a missing format is asked for by the names there are', async () => {
  folder.file('value.yaml', `name: value\nconnections: {kafka: {brokers: "k:9092"}}\n${flow('{type: kafka, topics: [t]}')}`)
  const { err } = await run('validate', 'value.yaml')
  expect(err).toContain('missing key `value`')
  expect(err).toMatch(/ {2}add `value:` with one of (?=.*\bavro\b)(?=.*\bjson\b)/)
})

test('a command about one pipeline refuses a folder of several', async () => {
  const { code, err } = await run('schema', 'both')
  expect([code, err]).toEqual([
    2,
    expect.stringContaining('C019_USAGE: both holds 2 pipelines\n  name one: both/a.yaml, both/b.yaml'),
  ])
})

test('what a view names and no flow writes is a warning, for the table may have more columns', async () => {
  folder.file(
    'view.yaml',
    `name: view
connections: {clickhouse: {url: embedded}}
flows:
  f:
    source: {type: generate, keys: {column: instance, count: 5}, fields: {cpu: {type: normal}}}
    transforms: [{type: rename, fields: {instance: device}}]
    sink: {type: clickhouse, table: cpu, time: ts}
views:
  wrong:
    from: cpu
    size: 5m
    keys: [devic, host]
    where: cppu > 1
    columns:
      mean: "avg(cpuu) + avg(other) - min(cpu)"
      right: "quantile(0.5)(cpu) / max(cpu) + countIf('cpuu' = device) + maxIf(cpu, device IN ('devic')) -- devic"
      lambda: "sum(arraySum(cpx -> cpx + 1, [cpu]))"
`,
  )
  const { code, out, err } = await run('validate', 'view.yaml')
  expect(code).toBe(0)
  expect(out).toBe('1 file(s) with 1 flow(s) are valid\n')
  const lines = err.split('\n')
  expect(lines.filter(line => line.startsWith('view.yaml:'))).toEqual([
    'view.yaml:12:12: warning views.wrong.keys: the flows of this file write no column "devic" into cpu',
    'view.yaml:12:19: warning views.wrong.keys: the flows of this file write no column "host" into cpu',
    'view.yaml:15:13: warning views.wrong.columns.mean: the flows of this file write no column "cpuu" into cpu',
    'view.yaml:13:12: warning views.wrong.where: the flows of this file write no column "cppu" into cpu',
  ])
  expect(err).toContain('did you mean "device"?')
  expect(err).toContain('they write ts, device, cpu')
})

test('what is written in other words, or misspelt, is told as it is written here', async () => {
  folder.file(
    'words.yaml',
    `name: words
flows:
  f:
    source: {type: file, path: "*.csv", schema: {time: timestamp(ms), v: f64}, time: tme}
    transforms: [{type: score, keys: [], time: time, alarms: 1 per hour, detectors: {a: {type: ewma, features: [v]}}}]
    sink: {type: stdout}
`,
  )
  const { err } = await run('validate', 'words.yaml')
  expect(err).toContain('did you mean time?')
  expect(err).toContain('  write 1/hour\n')
  expect(err).not.toContain('give a value that is allowed here')
})
