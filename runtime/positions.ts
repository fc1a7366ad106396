import path from 'node:path'
import { readIfPresent, writeAtomically } from './atomic_file'
import { ConnectError } from './errors'
import { partitionKey } from './origin'
import type { Committed, Position } from './plugin'
import { acquireLock, type ProcessLock } from './process_lock'

/**
 * Where a source without a service of its own (files, generated rows) keeps its positions. The engine sees the same as with
 * Kafka: an offset and metadata for each partition, all written in one step.
 */
export interface PositionStore {
  /** One entry for each key asked for; offset -1 and metadata null where nothing was stored. */
  read(keys: readonly string[]): ReadonlyMap<string, Committed>
  /** Keys of all partitions that have a position. */
  keys(): readonly string[]
  /** Stores all of them or, if it throws, none. */
  write(positions: readonly Position[]): Promise<void>
  /**
   * What the source must remember to read the same records again (fingerprints of files, the start of generated time). Null:
   * nothing was noted yet, so a position found elsewhere (in a sink's transaction) cannot be trusted.
   */
  note(): Promise<unknown>
  writeNote(note: unknown): Promise<void>
  /** Gives the lock back. Safe to call twice. */
  close(): Promise<void>
}

export interface FilePositionsOptions {
  readonly dataDir: string
  readonly pipeline: string
  readonly flow: string
}

interface Stored {
  readonly version: 1
  readonly positions: Readonly<Record<string, Committed>>
}

/**
 * Positions in `<dataDir>/positions/<pipeline>/<flow>.json`, the note beside it in `<flow>.note.json`. One process at a time:
 * throws E008_DATA_LOCKED while another one runs this flow. Throws P001_POSITION_STOP if the file is damaged.
 */
export async function openFilePositions(options: FilePositionsOptions): Promise<PositionStore> {
  const base = path.join(options.dataDir, 'positions', encodeURIComponent(options.pipeline), encodeURIComponent(options.flow))
  const lock = await acquireLock(base, `the position of flow ${options.flow} of ${options.pipeline}`)
  try {
    const text = await readIfPresent(`${base}.json`)
    return new FilePositions(base, lock, text === null ? new Map() : parsePositions(text, `${base}.json`))
  } catch (error) {
    await lock.release()
    throw error
  }
}

class FilePositions implements PositionStore {
  readonly #base: string
  readonly #lock: ProcessLock
  #positions: ReadonlyMap<string, Committed>

  constructor(base: string, lock: ProcessLock, positions: ReadonlyMap<string, Committed>) {
    this.#base = base
    this.#lock = lock
    this.#positions = positions
  }

  read(keys: readonly string[]): ReadonlyMap<string, Committed> {
    return new Map(keys.map(key => [key, this.#positions.get(key) ?? { offset: -1, metadata: null }]))
  }

  keys(): readonly string[] {
    return [...this.#positions.keys()]
  }

  async write(positions: readonly Position[]): Promise<void> {
    const next = new Map(this.#positions)
    for (const p of positions) next.set(partitionKey(p), { offset: p.offset, metadata: p.metadata })
    const stored: Stored = { version: 1, positions: Object.fromEntries(next) }
    await writeAtomically(`${this.#base}.json`, `${JSON.stringify(stored)}\n`)
    this.#positions = next
  }

  async note(): Promise<unknown> {
    const file = `${this.#base}.note.json`
    const text = await readIfPresent(file)
    return text === null ? null : parseJson(text, file)
  }

  async writeNote(note: unknown): Promise<void> {
    await writeAtomically(`${this.#base}.note.json`, `${JSON.stringify(note, null, 1)}\n`)
  }

  async close(): Promise<void> {
    await this.#lock.release()
  }
}

function parsePositions(text: string, file: string): ReadonlyMap<string, Committed> {
  const stored = parseJson(text, file) as Partial<Stored> | null
  if (stored?.version !== 1 || typeof stored.positions !== 'object') {
    throw new ConnectError('P001_POSITION_STOP', `${file} was written by another version or is damaged`)
  }
  return new Map(Object.entries(stored.positions))
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ConnectError('P001_POSITION_STOP', `${file} is damaged: ${(cause as Error).message}`, { cause })
  }
}
