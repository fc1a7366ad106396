import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import path from 'node:path'

/**
 * An append-only file of JSON lines. Entries appended together are one write, so they survive a killed process together; a line torn
 * by one is cut off at the next start. Nothing is flushed to the disk itself: a power cut can lose the last entries.
 */
export class Journal<Entry> {
  readonly #file: number
  #size: number

  private constructor(file: number, size: number) {
    this.#file = file
    this.#size = size
  }

  /** Opens the file, makes it if it is missing, and gives every entry to `replay` in order. */
  static open<Entry>(file: string, replay: (entry: Entry) => void): Journal<Entry> {
    mkdirSync(path.dirname(file), { recursive: true })
    const handle = openSync(file, 'a+')
    const bytes = readFileSync(handle)
    let start = 0
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      const line = bytes.toString('utf8', start, end)
      try {
        replay(JSON.parse(line) as Entry)
      } catch (error) {
        closeSync(handle)
        throw new Error(`${file} is damaged at byte ${start}: ${error instanceof Error ? error.message : String(error)}`)
      }
      start = end + 1
    }
    if (start < fstatSync(handle).size) ftruncateSync(handle, start)
    return new Journal<Entry>(handle, start)
  }

  append(entries: readonly Entry[]): void {
    const bytes = Buffer.from(entries.map(entry => `${JSON.stringify(entry)}\n`).join(''))
    try {
      // A full disk can write a part: what is there is cut off, so that the next entry does not join a torn line.
      if (writeSync(this.#file, bytes) !== bytes.length) throw new Error('the disk took only a part of the entry')
      this.#size += bytes.length
    } catch (error) {
      ftruncateSync(this.#file, this.#size)
      throw error
    }
  }

  close(): void {
    closeSync(this.#file)
  }
}
