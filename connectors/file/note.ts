import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { ConnectError } from '../../runtime/errors'
import type { Schema } from '../../runtime/schema'
import type { FoundFile } from './discover'
import type { FileOptions } from './options'
import { isCompressed } from './pages'

/**
 * What a file source remembers so that record number n is the same record for ever.
 *
 * Offsets count records over all files, so a file that grows or is added must not move the ones already counted. The input is
 * therefore a list of *generations*: the first is what stood there when the flow began; what has come since (longer files, new
 * files) is the second, and its records come after those of the first. Within a generation the rules of the source hold (name
 * order, or `merge_by`). A generation is noted before its first record is delivered, and never changes.
 */
export interface Note {
  readonly version: 1
  /** Changes when records would be counted or cut in another way. */
  readonly settings: string
  /** Schema that was inferred; null where the options give one. */
  readonly inferred: Schema | null
  readonly generations: readonly Generation[]
}

export type Generation = readonly Stretch[]

export interface Stretch {
  readonly id: string
  readonly from: number
  readonly to: number
  /** Of the bytes before `to`: the first 64 KiB and the last 64 KiB. */
  readonly fingerprint: string
}

const SAMPLE_BYTES = 65_536

/**
 * The note with a generation more if anything has come since `note`; null stands for the first look. Throws P001_POSITION_STOP
 * where bytes that were counted are gone or changed.
 */
export async function nextNote(
  note: Note | null,
  files: readonly FoundFile[],
  settings: string,
  inferred: Schema | null,
): Promise<Note> {
  if (note && note.settings !== settings) {
    throw new ConnectError('P001_POSITION_STOP', 'the files were read before with settings that count records in another way', {
      hint: 'take back the change of path, format, csv, merge_by, unsorted or max_record, or give the flow another name to read all again',
    })
  }
  const ends = new Map<string, Stretch>()
  for (const stretch of (note?.generations ?? []).flat()) ends.set(stretch.id, stretch)
  const byId = new Map(files.map(f => [f.id, f]))
  for (const stretch of ends.values()) await check(stretch, byId.get(stretch.id))
  const generation: Stretch[] = []
  for (const file of files) {
    const from = ends.get(file.id)?.to ?? 0
    if (file.size <= from) continue
    generation.push({ id: file.id, from, to: file.size, fingerprint: await fingerprint(file.path, file.size) })
  }
  if (note && generation.length === 0) return note
  return { version: 1, settings, inferred: note?.inferred ?? inferred, generations: [...(note?.generations ?? []), generation] }
}

async function check(stretch: Stretch, file: FoundFile | undefined): Promise<void> {
  const name = file?.path ?? stretch.id.slice(stretch.id.indexOf(':') + 1)
  const stop = (what: string): ConnectError =>
    new ConnectError('P001_POSITION_STOP', `${name} ${what} since it was read`, {
      hint: 'bring back the file as it was, or give the flow another name to read all again',
    })
  if (!file) throw stop('has gone')
  if (file.size < stretch.to) throw stop('became shorter')
  if (isCompressed(file.path) && file.size !== stretch.to) throw stop('grew, which a compressed file must not,')
  if ((await fingerprint(file.path, stretch.to)) !== stretch.fingerprint) throw stop('has changed')
}

async function fingerprint(path: string, size: number): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path, 'r')
  try {
    for (const at of [0, Math.max(0, size - SAMPLE_BYTES)]) {
      const sample = Buffer.alloc(Math.min(SAMPLE_BYTES, size - at))
      const { bytesRead } = await file.read(sample, 0, sample.length, at)
      hash.update(sample.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
  return hash.digest('hex').slice(0, 32)
}

/** What decides where records begin and in which order they are counted. Types and names of columns do not. */
export function settingsOf(options: FileOptions): string {
  const { format, csv, merge_by, unsorted, max_record, path, timezone, epoch } = options
  const { null_values, ...cut } = csv
  const order = merge_by === undefined ? null : { merge_by, unsorted, timezone, epoch }
  const decisive = { format: format ?? null, cut, order, max_record, paths: path.length }
  return createHash('sha256').update(JSON.stringify(decisive)).digest('hex').slice(0, 32)
}
