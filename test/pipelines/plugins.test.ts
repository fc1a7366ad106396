import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { connect, envelopeOf, type Outcome, runResult } from '../support/connect'
import { temporaryFolder } from '../support/temporary_folder'

/** Plugins of a third party in a real run, named by `plugins:`. No services: files and the generator in, a file out. */

const SAMPLES = path.resolve(__dirname, '../third-party')
const plugins = `plugins: [${path.join(SAMPLES, 'sample_sink.cjs')}, ${path.join(SAMPLES, 'sample_transform.mjs')}]`

const { path: folder, file: write } = temporaryFolder()
const run = (file: string, ...args: readonly string[]): Promise<Outcome> =>
  connect(['run', file, '--until-caught-up', '--json', '--listen', 'off', '--data', path.join(folder, 'data'), ...args])

interface Line {
  readonly token: string
  readonly rows: readonly Record<string, unknown>[]
}
const linesOf = (name: string): readonly Line[] =>
  readFileSync(path.join(folder, name), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))

test('file -> sample transform -> sample sink; what the transform rejects is a dead letter; again changes nothing', async () => {
  const rows = Array.from({ length: 500 }, (_, id) => ({ id, device: id % 100 === 7 ? '' : `dev-${id}` }))
  write('in.csv', `id,device\n${rows.map(r => `${r.id},"${r.device}"`).join('\n')}\n`)
  const file = write(
    'lines.yaml',
    `name: lines
${plugins}
flows:
  copy:
    source: {type: file, path: in.csv, schema: {id: i64, device: utf8}}
    transforms:
      - {type: sample_shout, column: device}
    sink: {type: sample_lines, path: out.jsonl}
    on_error: {dead_letter: {file: letters.ndjson}}
`,
  )
  const outcome = await run(file)
  expect({ code: outcome.code, flows: runResult(outcome).flows }).toEqual({
    code: 0,
    flows: { copy: { read: 500, written: 495, filtered: 0, dead_lettered: 5, restarts: 0 } },
  })
  const expected = rows.filter(r => r.device !== '').map(r => ({ id: r.id, device: r.device.toUpperCase() }))
  const written = (): readonly unknown[] =>
    linesOf('out.jsonl').flatMap(line => line.rows.map(r => ({ id: Number(r.id), device: r.device })))
  expect(written()).toEqual(expected)
  const letters = readFileSync(path.join(folder, 'letters.ndjson'), 'utf8').trim().split('\n')
  expect(letters.map(l => JSON.parse(l))).toEqual(
    [7, 107, 207, 307, 407].map(offset =>
      expect.objectContaining({ offset, stage: 'transform', plugin: 'sample_shout', code: 'D004_MISSING_FIELD' }),
    ),
  )
  const again = await run(file)
  expect({ code: again.code, flows: runResult(again).flows }).toMatchObject({ code: 0, flows: { copy: { read: 0, written: 0 } } })
  expect(written()).toEqual(expected)
})

test('generate -> sample transform -> sample sink', async () => {
  const file = write(
    'made.yaml',
    `name: made
${plugins}
flows:
  make:
    source:
      type: generate
      count: 1000
      keys: {column: device, count: 10, prefix: d-}
      fields: {value: {type: series, base: 5, noise: 1}}
    transforms:
      - {type: sample_shout, column: device}
    sink: {type: sample_lines, path: made.jsonl}
`,
  )
  const outcome = await run(file)
  expect(outcome.code).toBe(0)
  const { read, written } = runResult(outcome).flows.make
  const rows = linesOf('made.jsonl').flatMap(line => line.rows)
  expect({ read, written, rows: rows.length }).toEqual({ read: 1000, written: 1000, rows: 1000 })
  expect(new Set(rows.map(r => r.device))).toEqual(new Set(Array.from({ length: 10 }, (_, i) => `D-${i}`)))
})

test('an error of the plugin while it binds names its place in the file', async () => {
  const file = write(
    'column.yaml',
    `name: column
${plugins}
flows:
  copy:
    source: {type: file, path: in.csv, schema: {id: i64, device: utf8}}
    transforms:
      - {type: sample_shout, column: devise}
    sink: {type: sample_lines, path: never.jsonl}
`,
  )
  const outcome = await run(file)
  expect({ code: outcome.code, error: envelopeOf(outcome).error }).toMatchObject({
    code: 2,
    error: { code: 'C015_UNKNOWN_COLUMN', message: expect.stringMatching(/column\.yaml:7:\d+: there is no column "devise"/) },
  })
  expect(existsSync(path.join(folder, 'never.jsonl'))).toBe(false)
})

test.each([
  ['a file that is not there', './missing.js', '', 'C012_UNREADABLE_FILE', /missing\.js/],
  ['a package that is not there', 'no-such-connect-plugin', '', 'C012_UNREADABLE_FILE', /no-such-connect-plugin/],
  ['a module that throws', './throws.cjs', 'throw new Error("boom at load")', 'C012_UNREADABLE_FILE', /boom at load/],
  ['a module with a syntax error', './syntax.cjs', 'module.exports = {', 'C012_UNREADABLE_FILE', /syntax\.cjs/],
  ['an export that is no declaration', './plain.cjs', 'module.exports = {name: "x"}', 'C018_PLUGIN_INVALID', /plain\.cjs/],
  [
    'a declaration made by hand',
    './hand.cjs',
    'module.exports = {kind: "sink", name: "hand", config: {}, create() {}}',
    'C018_PLUGIN_INVALID',
    /hand\.cjs/,
  ],
  ['a name that is taken', './taken.cjs', takenName(), 'C018_PLUGIN_INVALID', /stdout/],
])('%s is refused before anything runs', async (_, name, source, code, message) => {
  if (source) write(path.basename(name), source)
  const file = write(
    'wrong.yaml',
    `name: wrong
plugins: [${name}]
flows:
  copy:
    source: {type: file, path: in.csv, schema: {id: i64, device: utf8}}
    sink: {type: stdout}
`,
  )
  for (const outcome of [await run(file), await connect(['validate', file, '--json'])]) {
    const { error } = envelopeOf(outcome)
    expect([outcome.code, error?.code]).toEqual([2, code])
    expect(error?.problems).toEqual([
      expect.objectContaining({ code, line: 2, column: 11, message: expect.stringMatching(message) }),
    ])
  }
})

function takenName(): string {
  return `const sink = require(${JSON.stringify(path.join(SAMPLES, 'sample_sink.cjs'))}); module.exports = {...sink, name: 'stdout'}`
}
