import { readDocument } from '../../../config/document'
import { Findings, LineIndex } from '../../../config/problem'
import { plain } from '../../../config/tree'

function read(text: string) {
  const findings = new Findings('p.yaml', new LineIndex(text))
  const root = readDocument(text, findings)
  const problems = findings.problems(t => t)
  return { root, problems, places: problems.map(p => `${p.line}:${p.column} ${p.code.slice(0, 4)} ${p.path}`) }
}

test('valid YAML becomes plain values', () => {
  const { root, places } = read('a: 1\nb: [x, "2", true]\nc:\n  d: |\n    text\n')
  expect(places).toEqual([])
  expect(root && plain(root)).toEqual({ a: 1, b: ['x', '2', true], c: { d: 'text\n' } })
})

test.each([
  ['a comma in an unquoted value', 'a: {n: sumIf(x, y)}', '1:8 C017 a'],
  ['the same with a key after it', 'a: {n: sumIf(x, y), m: 2}', '1:8 C017 a'],
  ['the same in a list', 'a: [sumIf(x, y)]', '1:5 C017 a'],
  ['the same across several commas', 'a: {n: if(x, y, z)}', '1:8 C017 a'],
  ['a bracket in an unquoted value', 'a: {n: x in [1, 2]}', '1:13 C017 '],
  ['an exclamation mark', 'where: !ok', '1:8 C007 where'],
  ['an exclamation mark before parentheses', 'where: !(a && b)', '1:8 C007 where'],
  ['an exclamation mark in flow style', 'a: {where: !ok, b: 1}', '1:12 C007 a.where'],
  ['a tag on a mapping', 'a: !x {b: 1}', '1:4 C007 a'],
  ['a standard tag', 'a: !!str 5', '1:4 C007 a'],
  ['a key without value', 'a:\nb: 1', '1:1 C006 a'],
  ['null in words', 'a: null', '1:1 C006 a'],
  ['a tilde', 'a: ~', '1:1 C006 a'],
  ['a null entry', 'a: [1, null]', '1:8 C006 a[1]'],
  ['a lone dash', 'a:\n  - 1\n  -\n', '3:4 C006 a[1]'],
  ['a key twice', 'a: 1\nb: 2\na: 3', '3:1 C008 a'],
  ['a key twice below', 'a: {b: 1, b: 2}', '1:11 C008 a.b'],
  ['a number as key', '1: x', '1:1 C001 '],
  ['a boolean as key', 'true: x', '1:1 C001 '],
  ['a mapping as key', '{a: 1}: x', '1:1 C001 '],
  ['a variable as key', '${A}: x', '1:1 C001 '],
  ['__proto__', '__proto__: {a: 1}', '1:1 C001 '],
  ['not a number', 'a: .nan', '1:4 C005 a'],
  ['infinity', 'a: -.inf', '1:4 C005 a'],
  ['a leading zero', 'a: 010', '1:4 C005 a'],
  ['more digits than a number keeps', 'a: 12345678901234567890', '1:4 C005 a'],
  ['a number cut by a comma', 'a: {limit: 1,000}', '1:12 C017 a'],
  ['a negation that is no tag either', 'a: {if: !(v > 1)}', '1:9 C007 '],
  ['a comment inside quotes that are no quotes', 'if: a == "x #1"', '1:5 C005 if'],
  ['a tab', 'a:\n\tb: 1', '2:1 C001 '],
  ['two documents', 'a: 1\n---\nb: 2', '2:1 C001 '],
  ['an alias without anchor', 'a: *b', '1:4 C001 a'],
  ['an alias inside what it names', 'a: &x [*x]', '1:8 C001 a[0]'],
  ['a colon in a value', 'a: b ? c : d', '1:4 C001 '],
  ['an open quote', 'a: "x\nb: 1', '2:5 C001 '],
  ['text after a quote', 'a: "x" == y', '1:8 C001 '],
  ['an old version of YAML', '%YAML 1.1\n---\na: yes', '1:1 C001 '],
  ['nothing', '', '1:1 C001 '],
  ['only a comment', '# nothing\n', '1:1 C001 '],
  ['a merge of no mapping', '<<: 5\na: 1', '1:5 C003 <<'],
  ['a noncharacter', 'a: \ufdd0', '1:4 C001 '],
])('%s is refused at its place', (_, text, place) => {
  const { places, problems } = read(text)
  expect(places).toEqual([place])
  expect(problems[0].hint).not.toBe('')
})

test.each([
  ['and', 'a: {if: x > 1 && y < 2}'],
  ['parentheses that close', 'a: {x: count(), y: avg(b)}'],
  ['a quoted comma', "a: {n: 'sumIf(x, y)'}"],
  ['a text with a smiley', 'a: [":)", b]'],
  ['an exclamation mark inside', 'a: x != y'],
  ['a date', 'a: 2024-01-01'],
  ['a version', 'a: 1.10.0'],
  ['hexadecimal', 'a: 0x1F'],
  ['a byte order mark', '\ufeffa: 1'],
  ['carriage returns', 'a: 1\r\nb:\r\n  - 2\r\n'],
])('%s is let through', (_, text) => {
  expect(read(text).places).toEqual([])
})

test('several syntax errors are reported together, one a line', () => {
  expect(read('a: "\\q"\nb: @x\nc: 1\n').places).toEqual(['1:5 C001 ', '2:4 C001 '])
})

test('the hint shows how to quote', () => {
  expect(read('where: !ok').problems[0].hint).toBe('quote the value: "!ok"')
})

test('variables may stand unquoted between braces', () => {
  const { root, places } = read('a: {b: ${X:-y, z}, c: [${file:/run/x}]}')
  expect(places).toEqual([])
  expect(root && plain(root)).toEqual({ a: { b: '${X:-y, z}', c: ['${file:/run/x}'] } })
})

test('aliases of aliases are bounded', () => {
  const lines = ['a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]']
  for (let i = 1; i < 12; i++) {
    const list = Array.from({ length: 10 }, () => `*a${i - 1}`).join(', ')
    lines.push(`a${i}: &a${i} [${list}]`)
  }
  const { problems } = read(lines.join('\n'))
  expect(problems.length).toBeGreaterThan(0)
  expect(problems[0].message).toContain('aliases')
})

test('nesting is bounded', () => {
  expect(read(`a: ${'['.repeat(200)}${']'.repeat(200)}`).problems[0].message).toContain('deep')
  expect(read(`a: ${'['.repeat(100_000)}`).problems.length).toBeGreaterThan(0)
})
