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
 * lines that announce revisions stand between them and have no offset. The latest are kept in memory, older ones read again.
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
    handle = await open(file, text === '' ? 'w+' : 'r+')
    await handle.truncate(Buffer.byteLength(whole))
    const lines = whole.split('\n').slice(0, -1)
    const [head] = lines
    const id = head === undefined ? randomBytes(9).toString('base64url') : headOf(head, file)
    const log = new FileLog({ handle, file, view, id, release: () => lock.release() })
    if (head === undefined) await log.begin()
    else log.found(lines)
    return log
  } catch (error) {
    await handle?.close()
    await lock.release()
    throw error
  }
}

/** Closings kept in memory at least: a reader that keeps up is never further behind. */
const KEPT = 10_000
/** The place in the file is known of one in so many closings; 8 bytes each. */
const MARK_EVERY = 1_000

interface FileLogOptions {
  readonly handle: FileHandle
  readonly file: string
  readonly view: string
  readonly id: string
  readonly release: () => Promise<void>
}

class FileLog implements ClosingLog {
  readonly id: string
  readonly #o: FileLogOptions
  /** The latest, up to the end. */
  #latest: LoggedClosing[] = []
  #end = 0
  /** Where the lines of closings 0, MARK_EVERY, 2 * MARK_EVERY ... begin. */
  readonly #marks: number[] = []
  #bytes = 0
  #reached: Reached = NOTHING_REACHED
  #waiting: (() => void)[] = []
  #closed = false

  constructor(options: FileLogOptions) {
    this.id = options.id
    this.#o = options
  }

  get end(): number {
    return this.#end
  }

  get reached(): Reached {
    return this.#reached
  }

  begin(): Promise<void> {
    return this.#write(`${JSON.stringify({ version: 1, id: this.id })}\n`)
  }

  /** Takes up the lines of an earlier process, its head included. */
  found(lines: readonly string[]): void {
    const { view, file } = this.#o
    this.#bytes = Buffer.byteLength(lines[0]) + 1
    for (const line of lines.slice(1)) {
      const act = actOf(line, view, file)
      if ('revising' in act) this.#reached = { ...this.#reached, ...act }
      else this.#add(act, this.#bytes)
      this.#bytes += Buffer.byteLength(line) + 1
    }
  }

  async append(closings: readonly Closing[]): Promise<void> {
    if (closings.length === 0) return
    const lines = closings.map(c => `${JSON.stringify([c.kind, c.watermark, ...c.windowEnds])}\n`)
    let at = this.#bytes
    await this.#write(lines.join(''))
    closings.forEach((closing, i) => {
      this.#add(closing, at)
      at += lines[i].length
    })
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  #add(closing: Closing, at: number): void {
    const offset = this.#end++
    if (offset % MARK_EVERY === 0) this.#marks.push(at)
    this.#latest.push({ ...closing, offset })
    if (this.#latest.length >= 2 * KEPT) this.#latest = this.#latest.slice(-KEPT)
    this.#reached = reachedWith(this.#reached, closing)
  }

  async announce(windowEnds: readonly number[]): Promise<void> {
    await this.#write(`${JSON.stringify([ANNOUNCED, ...windowEnds])}\n`)
    this.#reached = { ...this.#reached, revising: windowEnds }
  }

  async read(from: number, limit: number): Promise<readonly LoggedClosing[]> {
    const first = this.#end - this.#latest.length
    if (from >= first) return this.#latest.slice(from - first, from - first + limit)
    return this.#older(from, Math.min(limit, first - from))
  }

  async #older(from: number, limit: number): Promise<readonly LoggedClosing[]> {
    const { handle, view, file } = this.#o
    const mark = Math.floor(from / MARK_EVERY)
    const start = this.#marks[mark]
    const end = this.#marks[Math.ceil((from + limit) / MARK_EVERY)] ?? this.#bytes
    const bytes = Buffer.alloc(end - start)
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, start)
    if (bytesRead < bytes.length) throw damaged(file)
    const acts = bytes
      .toString()
      .split('\n')
      .slice(0, -1)
      .map(line => actOf(line, view, file))
    const closings = acts.flatMap(act => ('revising' in act ? [] : [act]))
    return closings
      .map((closing, i) => ({ ...closing, offset: mark * MARK_EVERY + i }))
      .slice(from - mark * MARK_EVERY)
      .slice(0, limit)
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
    await this.#o.handle.close()
    await this.#o.release()
  }

  /** A write that fails half way is overwritten by the next. */
  async #write(text: string): Promise<void> {
    const bytes = Buffer.from(text)
    await this.#o.handle.write(bytes, 0, bytes.length, this.#bytes)
    await this.#o.handle.datasync()
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

/** A closing, or an announcement of revisions. */
function actOf(line: string, view: string, file: string): Closing | Pick<Reached, 'revising'> {
  const row = parsed(line, file)
  if (!Array.isArray(row) || !row.slice(1).every(Number.isSafeInteger)) throw damaged(file)
  const [kind, ...numbers] = row as [unknown, ...number[]]
  if (kind === ANNOUNCED) return { revising: numbers }
  if (typeof kind !== 'string' || !KINDS.includes(kind)) throw damaged(file)
  const [watermark, ...windowEnds] = numbers
  return { view, kind: kind as ClosingKind, watermark, windowEnds }
}
