import type { Io } from '../io'

/** Terminals that understand the few control sequences used here; `dumb` (Emacs, some CI) does not. */
export const canRedraw = (io: Io): boolean => io.errIsTerminal && io.env.TERM !== 'dumb'

/** https://no-color.org: any value but the empty one. */
export const wantsColor = (io: Io): boolean => !io.env.NO_COLOR && io.env.TERM !== 'dumb'

export interface ScreenOptions {
  readonly write: (text: string) => Promise<void>
  readonly size: () => { readonly columns: number; readonly rows: number }
  readonly lines: (size: { readonly width: number; readonly height: number }) => readonly string[]
}

/** Redraws a second; faster says nothing more to a person. */
const EVERY_MS = 250

/**
 * A table that stays at the foot of the terminal. Whatever else is written goes above it through `above` and stays in the
 * terminal's history as it would without.
 */
export class Screen {
  readonly #options: ScreenOptions
  readonly #timer: NodeJS.Timeout
  /** Lines that stand there now. */
  #drawn: readonly string[] = []
  /** True while the terminal has not taken the last picture; it then gets the next one instead of a queue of old ones. */
  #busy = false
  #open = true

  constructor(options: ScreenOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#redraw(), EVERY_MS)
    this.#timer.unref()
  }

  /** Writes text above the table. A last line without its end is ended. */
  above(text: string, write = this.#options.write): Promise<void> {
    if (!this.#open) return write(text)
    const whole = text === '' || text.endsWith('\n') ? text : `${text}\n`
    const erase = this.#erase()
    if (write === this.#options.write) return write(`${erase}${whole}${this.#picture(this.#drawn)}`)
    // to the other stream of the same terminal
    return (async () => {
      this.#drawn = []
      await this.#options.write(erase)
      await write(whole)
    })()
  }

  /** Takes the table away, or leaves its last picture in the terminal's history. */
  async close(leave: 'nothing' | 'picture' = 'nothing'): Promise<void> {
    if (!this.#open) return
    this.#open = false
    clearInterval(this.#timer)
    const erase = this.#erase()
    const { columns } = this.#options.size()
    const last = leave === 'picture' ? this.#options.lines({ width: columns, height: Number.POSITIVE_INFINITY }) : []
    this.#drawn = []
    if (erase !== '' || last.length > 0) await this.#options.write(`${erase}${this.#picture(last)}`)
  }

  #redraw(): void {
    if (this.#busy) return
    const { columns, rows } = this.#options.size()
    const lines = this.#options.lines({ width: columns, height: Math.max(3, rows - 1) })
    const text = `${this.#erase()}${this.#picture(lines)}`
    this.#drawn = lines
    this.#busy = true
    void this.#options.write(text).finally(() => {
      this.#busy = false
    })
  }

  #picture(lines: readonly string[]): string {
    return lines.map(line => `${line}\n`).join('')
  }

  /** Up to the first line of the table and clear from there; a terminal that was made narrower has wrapped its lines. */
  #erase(): string {
    if (this.#drawn.length === 0) return ''
    const { columns } = this.#options.size()
    const rows = this.#drawn.reduce((n, line) => n + Math.max(1, Math.ceil(visible(line) / Math.max(1, columns))), 0)
    return `\u001b[${rows}A\r\u001b[0J`
  }
}

/** Characters that take a place. */
const visible = (line: string): number => line.replace(/\p{Cc}\[[\d;]*m/gu, '').length
