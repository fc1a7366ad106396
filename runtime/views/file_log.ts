import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import path from 'node:path'
import { readIfPresent } from '../atomic_file'
import { ConnectError } from '../errors'
import { acquireLock } from '../process_lock'
import type { Closing, ClosingKind, ClosingLog, LoggedClosing, Reached } from './contracts'
import { NOTHING_REACHED, reachedWith } from './plan'

/**
 * The closings of one view in `<dataDir>/views/<pipeline>/<view>.ndjson`: a head line with the log's id, then one closing a line;
 * lines that announce revisions stand between them and have no offset.
 * A line that a crash cut off was never acknowledged and is overwritten. One process at a time (E008_DATA_LOCKED): its owner is
 * the one worker that finalises the view. Throws P001_POSITION_STOP if the file is damaged.
 */
export async function openFileLog(options: {
  readonly dataDir: string
  readonly pipeline: string
  readonly view: string
}): Promise<ClosingLog> {
  const { dataDir, pipeline, view } = options
  const file = path.join(dataDir, 'views', encodeURIComponent(pipeline), `${view}.ndjson`)
  const lock = await acquireLock(file, `the view ${view} of ${pipeline}`)
  let handle: FileHandle | null = null
  try {
    await mkdir(path.dirname(file), { recursive: true })
    const text = (await readIfPresent(file)) ?? ''
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    handle = await open(file, text === '' ? 'w' : 'r+')
    await handle.truncate(Buffer.byteLength(whole))
    const lines = whole.split('\n').slice(0, -1)
    const id = lines.length > 0 ? headOf(lines[0], file) : randomBytes(9).toString('base64url')
    const log = new FileLog(handle, Buffer.byteLength(whole), id, actsOf(lines.slice(1), view, file), () => lock.release())
    if (lines.length === 0) await log.begin()
    return log
  } catch (error) {
    await handle?.close()
    await lock.release()
    throw error
  }
}

class FileLog implements ClosingLog {
  readonly #handle: FileHandle
  readonly #closings: LoggedClosing[]
  readonly #release: () => Promise<void>
  #bytes: number
  #reached: Reached
  #waiting: (() => void)[] = []
  #closed = false

  constructor(
    handle: FileHandle,
    bytes: number,
    readonly id: string,
    acts: Acts,
    release: () => Promise<void>,
  ) {
    this.#handle = handle
    this.#bytes = bytes
    this.#closings = acts.closings
    this.#reached = acts.reached
    this.#release = release
  }

  get end(): number {
    return this.#closings.length
  }

  get reached(): Reached {
    return this.#reached
  }

  begin(): Promise<void> {
    return this.#write(`${JSON.stringify({ version: 1, id: this.id })}\n`)
  }

  async append(closings: readonly Closing[]): Promise<void> {
    if (closings.length === 0) return
    await this.#write(closings.map(c => `${JSON.stringify([c.kind, c.watermark, ...c.windowEnds])}\n`).join(''))
    for (const c of closings) this.#closings.push({ ...c, offset: this.#closings.length })
    this.#reached = closings.reduce(reachedWith, this.#reached)
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  async announce(windowEnds: readonly number[]): Promise<void> {
    await this.#write(`${JSON.stringify([ANNOUNCED, ...windowEnds])}\n`)
    this.#reached = { ...this.#reached, revising: windowEnds }
  }

  async read(from: number, limit: number): Promise<readonly LoggedClosing[]> {
    return this.#closings.slice(from, from + limit)
  }

  appended(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const wake = (): void => {
        signal.removeEventListener('abort', abort)
        resolve()
      }
      const abort = (): void => {
        this.#waiting = this.#waiting.filter(w => w !== wake)
        reject(signal.reason)
      }
      this.#waiting.push(wake)
      signal.addEventListener('abort', abort, { once: true })
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#handle.close()
    await this.#release()
  }

  /** A write that fails half way is overwritten by the next. */
  async #write(text: string): Promise<void> {
    const bytes = Buffer.from(text)
    await this.#handle.write(bytes, 0, bytes.length, this.#bytes)
    await this.#handle.datasync()
    this.#bytes += bytes.length
  }
}

const damaged = (file: string): ConnectError =>
  new ConnectError('P001_POSITION_STOP', `${file} was written by another version or is damaged`)

function parsed(line: string, file: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw damaged(file)
  }
}

function headOf(line: string, file: string): string {
  const head = parsed(line, file) as { readonly version?: unknown; readonly id?: unknown } | null
  if (head?.version !== 1 || typeof head.id !== 'string') throw damaged(file)
  return head.id
}

const ANNOUNCED = 'revising'
const KINDS: readonly string[] = ['close', 'revise', 'final'] satisfies ClosingKind[]

interface Acts {
  readonly closings: LoggedClosing[]
  readonly reached: Reached
}

function actsOf(lines: readonly string[], view: string, file: string): Acts {
  const closings: LoggedClosing[] = []
  let reached = NOTHING_REACHED
  for (const line of lines) {
    const row = parsed(line, file)
    if (!Array.isArray(row) || !row.slice(1).every(Number.isSafeInteger)) throw damaged(file)
    const [kind, ...numbers] = row as [unknown, ...number[]]
    if (kind === ANNOUNCED) reached = { ...reached, revising: numbers }
    else {
      if (typeof kind !== 'string' || !KINDS.includes(kind)) throw damaged(file)
      const [watermark, ...windowEnds] = numbers
      const closing = { view, kind: kind as ClosingKind, watermark, windowEnds, offset: closings.length }
      closings.push(closing)
      reached = reachedWith(reached, closing)
    }
  }
  return { closings, reached }
}
