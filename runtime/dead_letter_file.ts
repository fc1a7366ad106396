import { type FileHandle, mkdir, open } from 'node:fs/promises'
import path from 'node:path'
import { ConnectError } from './errors'
import type { DeadLetter, DeadLetterWriter } from './plugin'

/**
 * Dead letters as lines of JSON, appended to a file:
 *
 *     {id, pipeline, flow, stage, plugin, code, message, topic, partition, offset, timestamp, key_base64, value_base64, headers}
 *
 * `timestamp` is milliseconds since 1970 or null; `headers` a list of [name, value in base64 or null]. A letter counts as written
 * when it is on the disk (fsync). At least once: `id` tells a repeated one.
 */
export class DeadLetterFile implements DeadLetterWriter {
  #file: FileHandle | null = null

  constructor(readonly path: string) {}

  /** Throws C012_UNREADABLE_FILE where the file cannot be written. */
  async open(): Promise<void> {
    if (this.#file) return
    try {
      await mkdir(path.dirname(this.path), { recursive: true })
      this.#file = await open(this.path, 'a+')
      await this.#closeLastLine(this.#file)
    } catch (cause) {
      throw new ConnectError('C012_UNREADABLE_FILE', `dead letters: ${(cause as Error).message}`, { cause, stage: 'dead_letter' })
    }
  }

  async write(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!this.#file) throw new ConnectError('R001_INTERNAL', 'write() before open()', { stage: 'dead_letter' })
    try {
      await this.#file.appendFile(letters.map(l => `${letterJson(l)}\n`).join(''))
      await this.#file.sync()
    } catch (cause) {
      throw new ConnectError('P003_DEAD_LETTER_FAILED', `${this.path}: ${(cause as Error).message}`, {
        cause,
        stage: 'dead_letter',
      })
    }
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close()
  }

  /** A crash can leave half a line; what follows must not be glued to it. */
  async #closeLastLine(file: FileHandle): Promise<void> {
    const { size } = await file.stat()
    if (size === 0) return
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
    if (buffer[0] !== 10) await file.appendFile('\n')
  }
}

function letterJson({ id, pipeline, flow, stage, plugin, error, record }: DeadLetter): string {
  const base64 = (bytes: Buffer | null): string | null => bytes?.toString('base64') ?? null
  return JSON.stringify({
    id,
    pipeline,
    flow,
    stage,
    plugin,
    code: error.code,
    message: error.message,
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestamp < 0 ? null : record.timestamp,
    key_base64: base64(record.key),
    value_base64: base64(record.value),
    headers: record.headers.map(([name, value]) => [name, base64(value)]),
  })
}
