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
  /**
   * Name of the set in positions, as it was when the files were first read: `path` may be written in another way since, and under
   * another name there would be no position, so that all would be read again. Absent in notes of before it was kept.
   */
  readonly set?: string
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
const OR_ANEW = 'or give the flow another name, and its sink another table or topic, to read all again'

/**
 * The note with a generation more if anything has come since `note`; null stands for the first look. Files that `path` now reaches
 * by another way are the same files. Throws P001_POSITION_STOP where bytes that were counted are gone or changed.
 */
export async function nextNote(
  known: Note | null,
  now: {
    readonly set: string
    readonly files: readonly FoundFile[]
    readonly options: FileOptions
    readonly inferred: Schema | null
  },
): Promise<Note> {
  const settings = settingsOf(now.options, known)
  if (known && known.settings !== settings) {
    throw new ConnectError('P001_POSITION_STOP', 'the files were read before with settings that count records in another way', {
      hint: `take back the change of format, csv, merge_by, unsorted or max_record, ${OR_ANEW}`,
    })
  }
  const before = known ? await found(known.generations, now.files) : []
  const ends = lastStretches(before)
  const generation: Stretch[] = []
  for (const file of now.files) {
    const from = ends.get(file.id)?.to ?? 0
    if (file.size <= from) continue
    generation.push({ id: file.id, from, to: file.size, fingerprint: await fingerprint(file.path, file.size) })
  }
  if (known && known.set === now.set && known.generations === before && generation.length === 0) return known
  const generations = known && generation.length === 0 ? before : [...before, generation]
  return { version: 1, set: now.set, settings, inferred: known?.inferred ?? now.inferred, generations }
}

const lastStretches = (generations: readonly Generation[]): ReadonlyMap<string, Stretch> =>
  new Map(generations.flat().map(stretch => [stretch.id, stretch]))

/**
 * The generations with the ids under which their files are found now; the same object if none changed. What `data/*.csv` finds as
 * `a.csv`, `**` finds as `data/a.csv`: one place ends with the other, and the bytes that were read are the same.
 */
async function found(generations: readonly Generation[], files: readonly FoundFile[]): Promise<readonly Generation[]> {
  const byId = new Map(files.map(f => [f.id, f]))
  const taken = new Set<string>()
  const others: { readonly stretch: Stretch; readonly because: ConnectError }[] = []
  for (const stretch of lastStretches(generations).values()) {
    const file = byId.get(stretch.id)
    const what = file ? await difference(stretch, file) : 'is not there any more'
    if (what === null) taken.add(stretch.id)
    else others.push({ stretch, because: stopped(file?.path ?? placeOf(stretch.id), what) })
  }
  const renamed = new Map<string, string>()
  for (const { stretch, because } of others) {
    const same: FoundFile[] = []
    for (const f of files) {
      if (!taken.has(f.id) && mayBe(f, stretch) && (await difference(stretch, f)) === null) same.push(f)
    }
    if (same.length === 0) throw because
    if (same.length > 1) throw stopped(placeOf(stretch.id), 'is there several times')
    taken.add(same[0].id)
    renamed.set(stretch.id, same[0].id)
  }
  if (renamed.size === 0) return generations
  return generations.map(g => g.map(s => ({ ...s, id: renamed.get(s.id) ?? s.id })))
}

/** Without the number of its path. */
const placeOf = (id: string): string => id.slice(id.indexOf(':') + 1)

function mayBe(file: FoundFile, stretch: Stretch): boolean {
  const [now, before] = [`/${placeOf(file.id)}`, `/${placeOf(stretch.id)}`]
  return now.endsWith(before) || before.endsWith(now)
}

const stopped = (name: string, what: string): ConnectError =>
  new ConnectError('P001_POSITION_STOP', `${name} was read before and ${what}`, {
    hint: `bring back the file, or the path that leads to it, as it was, ${OR_ANEW}`,
  })

/** What speaks against `stretch` having been read from `file`; null: nothing. */
async function difference(stretch: Stretch, file: FoundFile): Promise<string | null> {
  if (file.size < stretch.to) return 'has become shorter'
  if (isCompressed(file.path) && file.size !== stretch.to) return 'has grown, which a compressed file must not'
  return (await fingerprint(file.path, stretch.to)) === stretch.fingerprint ? null : 'has changed'
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

/**
 * What decides where records begin and in which order they are counted. Types and names of columns do not, nor does `path`: the order
 * of what was read stands in the generations. Notes of before that was so hold the number of paths, which is one in all others.
 */
function settingsOf(options: FileOptions, known: Note | null): string {
  const { format, csv, merge_by, unsorted, max_record, path, timezone, epoch } = options
  const { null_values, ...cut } = csv
  const order = merge_by === undefined ? null : { merge_by, unsorted, timezone, epoch }
  const digest = (paths: number): string => {
    const decisive = { format: format ?? null, cut, order, max_record, paths }
    return createHash('sha256').update(JSON.stringify(decisive)).digest('hex').slice(0, 32)
  }
  const former = digest(path.length)
  return known?.settings === former ? former : digest(1)
}
