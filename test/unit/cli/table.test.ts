import { visibleCommands } from '../../../cli/completion/model'
import { createProgram } from '../../../cli/program'
import { tableText } from '../../../cli/table'
import { collectingIo, inProcess } from '../../support/in_process'

/** What people read on a terminal fits it, and nothing of it is left out. */

const longest = (text: string): number => Math.max(...text.split('\n').map(line => line.length))

test('wide cells are written in several lines, between words where there are any; narrow ones keep their width', () => {
  const text = tableText(
    ['id', 'note', 'key'],
    [
      ['7', 'seen three times since noon', 'a'.repeat(25)],
      ['12', 'x', 'b'],
    ],
    36,
  )
  expect(text).toBe(
    `
id  note             key
--  ---------------  ---------------
 7  seen three       aaaaaaaaaaaaaaa
    times since      aaaaaaaaaa
    noon
12  x                b
`.slice(1),
  )
})

test('all text is there, whatever the width; columns stay readable', () => {
  const words = Array.from({ length: 60 }, (_, i) => `w${i}`)
  const rows = [[words.join(' '), words.join(''), '1']]
  for (const width of [1, 30, 80, 200, Number.POSITIVE_INFINITY]) {
    const text = tableText(['words', 'one', 'n'], rows, width)
    if (width >= 30) expect(longest(text)).toBeLessThanOrEqual(Math.max(width, words.join(' ').length * 2))
    if (width >= 30 && width < 1000) expect(longest(text)).toBeLessThanOrEqual(width)
    const columns = text.split('\n').slice(2)
    const [first, second] = text
      .split('\n')[1]
      .split('  ')
      .map(dashes => dashes.length)
    expect(
      columns
        .map(l => l.slice(0, first).trim())
        .filter(Boolean)
        .join(' '),
    ).toBe(words.join(' '))
    expect(columns.map(l => l.slice(first + 2, first + 2 + second).trim()).join('')).toBe(words.join(''))
  }
})

test('the list of plugins and the help of each command fit 100 columns', async () => {
  const { io } = collectingIo()
  const names = visibleCommands(createProgram(io, async () => {})).map(c => c.name())
  expect(names).toContain('run')
  for (const args of [['plugins'], ['--help'], ...names.filter(n => n !== 'help').map(n => ['help', n])]) {
    const { out } = await inProcess(args)
    expect([args, longest(out) > 20, longest(out) <= 100]).toEqual([args, true, true])
  }
})
