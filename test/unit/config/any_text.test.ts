import fc from 'fast-check'
import { type LoadResult, loadPipeline } from '../../../config/load'
import { registry } from './plugins'

const VALID = `name: demo
connections:
  queue: {brokers: "\${B:-embedded}", tls: false}
  store: {url: http://h}
flows:
  ingest:
    source:
      type: topic
      topics: [a, b]
      value: {format: csv, columns: {a: i64}}
      columns: {k: key}
      idle: 5s
    transforms:
      - {type: filter, if: a > 1 && b < 2}
      - {type: rename, fields: {a: b}}
    sink: &sink
      type: table
      table: x
      flush: {rows: 10, bytes: 1MiB}
    on_error: {dead_letter: dead}
  again:
    source: {type: ticks, columns: {n: i64}}
    sink: *sink
    lanes: 2
`

const load = (text: string): LoadResult => loadPipeline('p.yaml', { registry, env: { B: 'x' }, readFile: () => text })

function expectPlaced(text: string): void {
  const result = load(text)
  if (result.ok) return
  const lines = text.split('\n')
  expect(result.problems.length).toBeGreaterThan(0)
  for (const { line, column, message, hint } of result.problems) {
    expect(line).toBeGreaterThanOrEqual(1)
    expect(line).toBeLessThanOrEqual(lines.length)
    expect(column).toBeGreaterThanOrEqual(1)
    expect(column).toBeLessThanOrEqual(lines[line - 1].length + 1)
    expect(message).not.toBe('')
    expect(message).not.toContain('Invalid input')
    expect(hint).not.toBe('')
  }
}

test('the file itself is valid', () => {
  expect(load(VALID)).toMatchObject({ ok: true })
})

test('any text gives a result with positions inside it', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), expectPlaced), { seed: 1, numRuns: 300 })
})

test('any text of the characters that mean something to YAML gives a result', () => {
  const unit = fc.constantFrom(
    ...'abn: -[]{},&*!#|>\'"%@`?\n\t $~<0.1'.split(''),
    'name',
    'flows',
    '${',
    '<<',
    '\n  ',
    ': ',
    '- ',
  )
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 60 }), parts => expectPlaced(parts.join(''))),
    { seed: 2, numRuns: 500 },
  )
})

test('a valid file with a piece cut out, doubled or replaced gives a result with positions inside it', () => {
  const piece = fc.tuple(fc.nat(VALID.length), fc.nat(12))
  const replacement = fc.oneof(
    fc.constantFrom('', ' ', '\n', ': ', '[', '}', '!x', '~', '5', 'yes', '*sink', '${U}', '0'),
    fc.string({ maxLength: 5 }),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(piece, replacement), { minLength: 1, maxLength: 3 }), edits => {
      let text = VALID
      for (const [[at, length], inserted] of edits) text = text.slice(0, at) + inserted + text.slice(at + length)
      expectPlaced(text)
    }),
    { seed: 3, numRuns: 400 },
  )
})

test('any JSON value at any place of the file is accepted or refused with a position', () => {
  const lines = VALID.split('\n')
  fc.assert(
    fc.property(fc.nat(lines.length - 2), fc.jsonValue({ maxDepth: 2 }), (index, value) => {
      const line = lines[index]
      const colon = line.indexOf(':')
      fc.pre(colon !== -1)
      const changed = `${line.slice(0, colon)}: ${JSON.stringify(value)}`
      expectPlaced([...lines.slice(0, index), changed, ...lines.slice(index + 1)].join('\n'))
    }),
    { seed: 4, numRuns: 300 },
  )
})
