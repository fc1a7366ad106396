import path from 'node:path'
import { mask, unmask } from '../../../config/mask'
import { type Scope, substitute } from '../../../config/substitute'

const scope: Scope = {
  env: { A: 'one', EMPTY: '', REF: '${A}' },
  baseDir: '/base',
  readFile: file => {
    if (file === path.resolve('/base/secret.txt')) return 'geheim\n'
    if (file === '/abs/one') return 'x\r\n\n'
    throw Object.assign(new Error('no'), { code: 'ENOENT' })
  },
}

test.each([
  ['text', 'text'],
  ['${A}', 'one'],
  ['<${A}|${A}>', '<one|one>'],
  ['${B:-two}', 'two'],
  ['${A:-two}', 'one'],
  ['${EMPTY}', ''],
  ['${EMPTY:-two}', 'two'],
  ['${B:-}', ''],
  ['${B:-a:b,c}', 'a:b,c'],
  ['${B:-${A}}', 'one'],
  ['${B:-${C:-${A}!}}', 'one!'],
  ['${B:-{}}', '{}'],
  ['$${A}', '${A}'],
  ['$$ $x $', '$$ $x $'],
  ['${file:secret.txt}', 'geheim'],
  ['${file:/abs/${A}}', 'x\r\n'],
  // what a variable holds is not read again
  ['${REF}', '${A}'],
])('%s gives %s', (text, expected) => {
  const result = substitute(text, scope)
  expect(result.failures).toEqual([])
  expect(result.text).toBe(expected)
})

test.each([
  ['${B}', 'C011_UNSET_VARIABLE', '${B}'],
  ['x${B:-${C}}', 'C011_UNSET_VARIABLE', '${B:-${C}}'],
  ['${file:none}', 'C012_UNREADABLE_FILE', '${file:none}'],
  ['${file:${B}}', 'C011_UNSET_VARIABLE', '${file:${B}}'],
  ['${}', 'C005_INVALID_VALUE', '${}'],
  ['${A-x}', 'C005_INVALID_VALUE', '${A-x}'],
  ['${1A}', 'C005_INVALID_VALUE', '${1A}'],
  ['${A', 'C005_INVALID_VALUE', '${A'],
])('%s is refused', (text, code, reference) => {
  const [failure] = substitute(text, scope).failures
  expect(failure).toMatchObject({ code, reference })
})

test('names of object methods are no variables', () => {
  expect(substitute('${constructor}', scope).failures).toHaveLength(1)
})

test('what came from files is told apart', () => {
  expect(substitute('${A}-${file:secret.txt}', scope)).toMatchObject({ filled: ['one', 'geheim'], fromFiles: ['geheim'] })
})

test('masking changes no offset and is undone', () => {
  const text = 'a: {b: ${X:-{y}, z}, c: ${file:/a/b}} # ${open\nd: $${e}'
  expect(mask(text)).toHaveLength(text.length)
  expect(mask(text)).not.toBe(text)
  expect(unmask(mask(text))).toBe(text)
})
