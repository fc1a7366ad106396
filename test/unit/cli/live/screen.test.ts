import { canRedraw, Screen, wantsColor } from '../../../../cli/live/screen'
import { liveTable } from '../../../../cli/live/table'
import { collectingIo } from '../../../support/in_process'

/** A terminal that understands what `Screen` uses, and nothing else. */
class Terminal {
  lines: string[] = ['']
  #row = 0
  constructor(public columns: number) {}

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal reads
    for (const [part] of text.matchAll(/\u001b\[\d*[A-Z]|\r|\n|[^\u001b\r\n]+/g)) {
      if (part === '\r') continue
      if (part === '\n') this.#down()
      else if (part.endsWith('A') && part.startsWith('\u001b')) this.#row -= Number(part.slice(2, -1))
      else if (part === '\u001b[0J') this.lines = [...this.lines.slice(0, this.#row), '']
      else if (part.startsWith('\u001b')) throw new Error(`unknown sequence ${JSON.stringify(part)}`)
      else {
        for (let at = 0; at < part.length; at += this.columns) {
          if (at > 0) this.#down()
          this.lines[this.#row] = part.slice(at, at + this.columns)
        }
      }
    }
  }

  /** The terminal wraps what stands there when it is made narrower. */
  narrow(columns: number): void {
    this.lines = this.lines.flatMap(l => (l === '' ? [''] : (l.match(new RegExp(`.{1,${columns}}`, 'g')) ?? [])))
    this.#row = this.lines.length - 1
    this.columns = columns
  }

  #down(): void {
    this.#row++
    this.lines[this.#row] ??= ''
  }
}

function world(columns = 40) {
  jest.useFakeTimers()
  const terminal = new Terminal(columns)
  let picture: readonly string[] = []
  const screen = new Screen({
    write: async text => terminal.write(text),
    size: () => ({ columns: terminal.columns, rows: 10 }),
    lines: () => picture,
  })
  return {
    terminal,
    screen,
    async draw(lines: readonly string[]) {
      picture = lines
      await jest.advanceTimersByTimeAsync(300)
    },
  }
}

afterEach(() => jest.useRealTimers())

test('the table is drawn over itself, and log lines stay above it', async () => {
  const { terminal, screen, draw } = world()
  await draw(['head', 'row 1', 'row 2'])
  await screen.above('first log line\n')
  await draw(['head', 'row 1b'])
  await screen.above('second without an end')
  await draw(['head', 'row 1c', 'row 2c', 'row 3c'])
  expect(terminal.lines).toEqual(['first log line', 'second without an end', 'head', 'row 1c', 'row 2c', 'row 3c', ''])
  await screen.close()
  expect(terminal.lines).toEqual(['first log line', 'second without an end', ''])
  await screen.above('after\n')
  expect(terminal.lines).toEqual(['first log line', 'second without an end', 'after', ''])
})

test('a terminal that is made narrower leaves no rest of the old picture', async () => {
  const { terminal, screen, draw } = world(20)
  await screen.above('log\n')
  await draw(['0123456789abcdef', 'x'])
  terminal.narrow(10)
  await draw(['01234567', 'y'])
  expect(terminal.lines).toEqual(['log', '01234567', 'y', ''])
})

test('the last picture can stay', async () => {
  const { terminal, screen, draw } = world()
  await draw(['head', 'row'])
  await screen.close('picture')
  expect(terminal.lines).toEqual(['head', 'row', ''])
})

test('at most four pictures a second, and none while the terminal has not taken the last', async () => {
  jest.useFakeTimers()
  let writes = 0
  let taken: () => void = () => {}
  const screen = new Screen({
    write: () => {
      writes++
      return new Promise(resolve => {
        taken = resolve
      })
    },
    size: () => ({ columns: 80, rows: 24 }),
    lines: () => ['a'],
  })
  await jest.advanceTimersByTimeAsync(1_000)
  expect(writes).toBe(1)
  for (let i = 0; i < 100; i++) {
    taken()
    await jest.advanceTimersByTimeAsync(20)
  }
  // two seconds
  expect(writes).toBeGreaterThanOrEqual(1 + 7)
  expect(writes).toBeLessThanOrEqual(1 + 9)
  const closing = screen.close()
  taken()
  await closing
})

test('where it draws, and with colours', () => {
  const { io } = collectingIo()
  const terminal = { ...io, errIsTerminal: true }
  const env = (more: Record<string, string>) => ({ ...terminal, env: more })
  expect(canRedraw(io)).toBe(false)
  expect(canRedraw(env({ TERM: 'xterm' }))).toBe(true)
  expect(canRedraw(env({ TERM: 'dumb' }))).toBe(false)
  expect(liveTable(env({ TERM: 'dumb' }), () => null)).toBeNull()
  expect(wantsColor(env({ TERM: 'xterm' }))).toBe(true)
  expect(wantsColor(env({ TERM: 'xterm', NO_COLOR: '1' }))).toBe(false)
  expect(wantsColor(env({ TERM: 'xterm', NO_COLOR: '' }))).toBe(true)
})
