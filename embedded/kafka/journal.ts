import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { crc32c } from '@node-rs/crc32'
import type { StateEvent } from './state'

/** Compaction while running starts when the file holds this many times the events of the last snapshot, and at least MIN_EVENTS. */
const GROWTH = 4
const MIN_EVENTS = 20_000
/** Snapshot lines written per system call. */
const LINES_PER_WRITE = 1000

const line = (event: StateEvent): string => {
  const json = JSON.stringify(event)
  return `${crc32c(json).toString(16).padStart(8, '0')} ${json}\n`
}

/** undefined for a line that is torn or damaged. */
const parse = (text: string): StateEvent | undefined => {
  const json = text.slice(9)
  return Number.parseInt(text.slice(0, 8), 16) === crc32c(json) ? (JSON.parse(json) as StateEvent) : undefined
}

/**
 * Everything the broker knows that is not in the logs, as an append-only file of events: one line each, its CRC32C before it.
 * An event is durable against the death of the process once `append` returns (it is in the page cache); there is no fsync, so not
 * against the death of the machine.
 */
export class Journal {
  readonly #path: string
  readonly #snapshot: () => Iterable<StateEvent>
  #fd = -1
  #size = 0
  #events = 0
  #eventsAtSnapshot = 0

  private constructor(path: string, snapshot: () => Iterable<StateEvent>) {
    this.#path = path
    this.#snapshot = snapshot
  }

  /** Applies all events of the file, then writes it anew from `snapshot`. A torn last line is dropped; damage before it is an error. */
  static open(path: string, apply: (event: StateEvent) => void, snapshot: () => Iterable<StateEvent>): Journal {
    const journal = new Journal(path, snapshot)
    if (existsSync(path)) {
      const lines = readFileSync(path, 'utf8').split('\n')
      lines.forEach((text, i) => {
        const last = i >= lines.length - 2
        const event = text === '' ? undefined : parse(text)
        if (event !== undefined) apply(event)
        else if (text !== '' && !last)
          throw new Error(`${path}:${i + 1} is damaged: its checksum is wrong and it is not the last line`)
      })
    }
    journal.#compact()
    return journal
  }

  append(event: StateEvent): void {
    this.#write(line(event))
    this.#events++
    if (this.#events > Math.max(MIN_EVENTS, this.#eventsAtSnapshot * GROWTH)) this.#compact()
  }

  #write(text: string): void {
    const bytes = Buffer.from(text)
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#fd, bytes, written)
      this.#size += bytes.length
    } catch (error) {
      // a full disk may leave half a line, which the next line would turn into damage in the middle of the file
      ftruncateSync(this.#fd, this.#size)
      throw error
    }
  }

  /** Writes the snapshot beside the journal and renames it over: a kill at any moment leaves one whole file. */
  #compact(): void {
    const next = `${this.#path}.next`
    const old = this.#fd
    this.#fd = openSync(next, 'a')
    ftruncateSync(this.#fd, 0)
    this.#size = 0
    this.#events = 0
    let lines: string[] = []
    for (const event of this.#snapshot()) {
      lines.push(line(event))
      this.#events++
      if (lines.length === LINES_PER_WRITE) {
        this.#write(lines.join(''))
        lines = []
      }
    }
    this.#write(lines.join(''))
    this.#eventsAtSnapshot = this.#events
    renameSync(next, this.#path)
    if (old >= 0) closeSync(old)
  }

  close(): void {
    closeSync(this.#fd)
    rmSync(`${this.#path}.next`, { force: true })
  }
}
