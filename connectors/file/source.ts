import { ConnectError } from '../../runtime/errors'
import type { LocalInput } from '../../runtime/local_source'
import { partitionKey, type TopicPartition } from '../../runtime/origin'
import type { Chunk } from '../../runtime/plugin'
import type { PositionStore } from '../../runtime/positions'
import type { Field, Schema } from '../../runtime/schema'
import type { TextRules } from './cells'
import { discover } from './discover'
import { inferFields } from './infer'
import { type Generation, type Note, nextNote } from './note'
import { type FileOptions, setName } from './options'
import { type KeyOf, keyReader } from './order'
import { Reading } from './reading'
import { RowBuilder } from './rows'
import { checkHeader, declaredFields, type FileShape, shapeOf, withAdded } from './shape'
import { toUtc } from './timezone'

const CHUNK_ROWS = 8192
const CHUNK_BYTES = 4 * 1024 * 1024

/** What `open` found out. */
interface Opened {
  readonly schema: Schema
  readonly partition: TopicPartition
  /** How many of its fields stand in the files. */
  readonly own: number
  readonly mergeBy: Field | null
  readonly shapes: ReadonlyMap<string, FileShape>
  readonly generations: readonly Generation[]
  /** The note was there before: positions that are found anywhere belong to it. */
  readonly isKnown: boolean
}

/** The records of a set of files as one partition: see `Note` for what keeps their numbers. */
export class FileInput implements LocalInput {
  readonly #options: FileOptions
  readonly #baseDir: string
  readonly #rules: TextRules
  #opened: Opened | null = null
  /** Null once the note is there. It is written before the first record leaves, but not before `begin` accepted the position. */
  #writeNote: (() => Promise<void>) | null = null
  #begun: { readonly from: number; readonly reading: Reading; readonly rows: RowBuilder } | null = null
  #records: number | null = null

  constructor(options: FileOptions, baseDir: string) {
    this.#options = options
    this.#baseDir = baseDir
    this.#rules = { local: toUtc(options.timezone), epoch: options.epoch }
  }

  async open(positions: PositionStore): Promise<{ schema: Schema; partitions: readonly TopicPartition[] }> {
    const options = this.#options
    const files = await discover(options.path, this.#baseDir)
    const shapes = new Map<string, FileShape>()
    for (const file of files) shapes.set(file.id, await shapeOf(file, options))
    const known = (await positions.note()) as Note | null
    const fields = options.schema
      ? declaredFields(options.schema)
      : (known?.inferred?.fields ?? (await inferFields([...shapes.values()], options)))
    for (const shape of shapes.values()) checkHeader(shape, fields, options)
    const schema = withAdded(fields, options)
    const time = columnNamed(schema, 'time', options.time)
    if (time && time.type.kind !== 'timestamp') {
      throw new ConnectError('C020_TYPE_MISMATCH', `time: ${time.name} is ${time.type.kind}`, {
        hint: 'declare it as a timestamp in schema:',
      })
    }
    const set = known ? setBefore(known, positions, options) : setName(options)
    const note = await nextNote(known, { set, files, options, inferred: options.schema ? null : { fields } })
    const partition = { topic: set, partition: 0 }
    this.#writeNote = note === known ? null : () => positions.writeNote(note)
    this.#opened = {
      schema,
      partition,
      own: fields.length,
      mergeBy: columnNamed({ fields }, 'merge_by', options.merge_by),
      shapes,
      generations: note.generations,
      isKnown: known !== null,
    }
    return { schema, partitions: [partition] }
  }

  begin(next: ReadonlyMap<string, number>): void {
    const { schema, partition, own, mergeBy, isKnown } = this.#require()
    const from = next.get(partitionKey(partition)) ?? 0
    if (from > 0 && !isKnown && this.#writeNote) {
      throw new ConnectError(
        'P001_POSITION_STOP',
        `the position is ${from}, but the data folder does not know what was counted`,
        {
          hint: 'bring the data folder back, or give the flow another name to read all again',
        },
      )
    }
    const rows = new RowBuilder({ schema, own, rules: this.#rules, options: this.#options, partition })
    const keyOf = mergeBy ? keyReader(mergeBy, this.#rules) : null
    this.#begun = { from, reading: this.#newReading(keyOf), rows }
  }

  async read(_wanted: (p: TopicPartition) => boolean, signal: AbortSignal): Promise<readonly Chunk[] | null> {
    if (!this.#begun) throw new ConnectError('R001_INTERNAL', 'poll() before begin()')
    const { from, reading, rows } = this.#begun
    signal.throwIfAborted()
    await this.#writeNote?.()
    this.#writeNote = null
    if (reading.next < from) await reading.skip(from, signal)
    const first = reading.next
    while (rows.rows < CHUNK_ROWS && rows.bytes < CHUNK_BYTES) {
      const found = reading.current()
      const cursor = found instanceof Promise ? await found : found
      if (!cursor) break
      rows.add(cursor)
      const waiting = reading.advance()
      if (waiting) await waiting
    }
    if (rows.rows > 0) return [rows.take(first)]
    this.#records = reading.next
    return null
  }

  /** Counts the records where no reading has come to the end yet, which reads all files once. */
  async ends(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    if (this.#records === null) {
      // the order does not matter for counting, and without one nobody has to look at the records
      const reading = this.#newReading(null)
      try {
        this.#records = await reading.count(signal)
      } finally {
        await reading.close()
      }
    }
    return new Map([[partitionKey(this.#require().partition), this.#records]])
  }

  async close(): Promise<void> {
    await this.#begun?.reading.close()
    this.#begun = null
  }

  #newReading(keyOf: KeyOf | null): Reading {
    const { generations, shapes } = this.#require()
    return new Reading({ generations, shapes, options: this.#options, keyOf })
  }

  #require(): Opened {
    if (!this.#opened) throw new ConnectError('R001_INTERNAL', 'the source is not open')
    return this.#opened
  }
}

/** The name under which positions of these files stand, however `path` is written now. Throws P001_POSITION_STOP for another `name`. */
function setBefore(known: Note, positions: PositionStore, options: FileOptions): string {
  const set = known.set ?? positionedSet(positions) ?? setName(options)
  if (options.name === undefined || options.name === set) return set
  throw new ConnectError(
    'P001_POSITION_STOP',
    `the files were read before as the set "${set}", now its name is "${options.name}"`,
    {
      hint: `set name: ${set}, or give the flow another name, and its sink another table or topic, to read all again`,
    },
  )
}

/** The one that was read furthest, for notes that do not hold the name. All count the records of the same note. */
function positionedSet(positions: PositionStore): string | null {
  const [furthest] = [...positions.read(positions.keys())].sort(([, a], [, b]) => b.offset - a.offset)
  return furthest ? furthest[0].replace(/\|0$/, '') : null
}

function columnNamed(schema: Schema, option: string, name: string | undefined): Field | null {
  if (name === undefined) return null
  const found = schema.fields.find(f => f.name === name)
  if (found) return found
  throw new ConnectError('C015_UNKNOWN_COLUMN', `${option}: the files have no column "${name}"`, {
    hint: `they have ${schema.fields.map(f => f.name).join(', ')}`,
  })
}
