import { appendFile, mkdir } from 'node:fs/promises'
import path from 'node:path'
import { readIfPresent, writeAtomically } from '../../runtime/atomic_file'
import { ConnectError } from '../../runtime/errors'
import type { Reading } from './reading'

/** Readings beyond this many are dropped once their position is stored: an hour and more at one a second. */
const MOST = 8_192

/**
 * Readings that may have to be read again, because a machine cannot be asked a second time what it was doing. One JSON object a
 * line, `{offset, ...reading}`, written before the reading is delivered. A line that a crash cut off was never delivered.
 */
export class Journal {
  readonly #file: string
  /** Ascending by offset without gaps. */
  #readings: Reading[] = []
  #first = 0

  private constructor(file: string) {
    this.#file = file
  }

  /** Throws P001_POSITION_STOP if the file is damaged. */
  static async open(file: string): Promise<Journal> {
    const journal = new Journal(file)
    const text = (await readIfPresent(file)) ?? ''
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    const lines = whole
      .split('\n')
      .slice(0, -1)
      .map(line => parsed(line, file))
    if (lines.length > 0) journal.#first = lines[0].offset
    journal.#readings = lines.map(({ offset: _, ...reading }) => reading)
    if (lines.some(({ offset }, i) => offset !== journal.#first + i)) throw damaged(file)
    if (whole !== text) await journal.#rewrite()
    await mkdir(path.dirname(file), { recursive: true })
    return journal
  }

  /** Offset of the next reading. */
  get end(): number {
    return this.#first + this.#readings.length
  }

  /** Offset of the oldest reading that is kept. */
  get first(): number {
    return this.#first
  }

  read(from: number, limit: number): readonly Reading[] {
    return this.#readings.slice(from - this.#first, from - this.#first + limit)
  }

  /** Begins anew at an offset; what was kept is dropped. */
  async begin(offset: number): Promise<void> {
    this.#first = offset
    this.#readings = []
    await this.#rewrite()
  }

  /** Those before `needed` may be dropped. */
  async append(reading: Reading, needed: number): Promise<void> {
    const offset = this.end
    await appendFile(this.#file, lineOf(offset, reading))
    this.#readings.push(reading)
    const old = Math.min(needed, offset) - this.#first
    if (this.#readings.length <= MOST || old < MOST / 2) return
    this.#readings = this.#readings.slice(old)
    this.#first += old
    await this.#rewrite()
  }

  async #rewrite(): Promise<void> {
    await writeAtomically(this.#file, this.#readings.map((r, i) => lineOf(this.#first + i, r)).join(''))
  }
}

const lineOf = (offset: number, reading: Reading): string => `${JSON.stringify({ offset, ...reading })}\n`

const damaged = (file: string, cause?: unknown): ConnectError =>
  new ConnectError('P001_POSITION_STOP', `${file} was written by another version or is damaged`, { cause })

function parsed(line: string, file: string): Reading & { readonly offset: number } {
  try {
    const read = JSON.parse(line) as Reading & { readonly offset: number }
    if (Number.isSafeInteger(read.offset) && Number.isFinite(read.ts)) return read
  } catch (cause) {
    throw damaged(file, cause)
  }
  throw damaged(file)
}
