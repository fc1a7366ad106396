import { ConnectError } from '../errors'
import { partitionKey, type TopicPartition } from '../origin'
import type { Chunk, LaneReader, Source, SourceDeclaration } from '../plugin'
import { rowJson } from '../row_json'
import { type Schema, schemaText } from '../schema'
import { CALL_MS, type ContextOptions, contextIn, failure, withDataDir, within } from './context'
import { check, checkEqual, named, type Test } from './test'

/**
 * What a source is tried with. It must hold at least one record, better some thousands, and where it is not bounded nothing may be
 * added while a test runs. Each test takes a fixture of its own, so that each can begin without a position.
 */
export interface SourceFixture extends ContextOptions {
  /** YAML form; absent: `conformance.config` of the declaration. */
  readonly config?: unknown
}

/** The tests of a source's contract (see `Source` and `LaneReader`). `begin` is called once for each test. */
export function sourceTests(
  declaration: SourceDeclaration,
  begin: () => Promise<SourceFixture> | SourceFixture = () => ({}),
): readonly Test[] {
  const trial = (test: (t: Trial) => Promise<void>) => (): Promise<void> =>
    withDataDir(async dataDir => {
      const fixture = await begin()
      const config = declaration.config.parse(fixture.config ?? declaration.conformance.config)
      await test({
        create: () => declaration.create(config, contextIn(dataDir, fixture)),
        bounded: declaration.bounded(config),
      })
    })

  return named('source', {
    'chunks follow one another without gaps': trial(async t => {
      const { chunks, schema } = await readAll(t)
      checkChunks(chunks)
      for (const chunk of chunks) checkBlock(chunk, schema, declaration.capabilities.shared_offsets ?? false)
      check(
        chunks.some(c => c.block),
        'there was no record',
      )
    }),

    'at the end poll gives null, and again; where the source is not bounded it waits': trial(async ({ create, bounded }) => {
      await using(create(), async lanes => {
        for (const lane of lanes) {
          await drain(lane, await starts(lane), bounded)
          if (bounded) checkEqual(await poll(lane), null, 'the poll after the last one')
          else await waits(lane)
        }
      })
    }),

    'ends are where reading ends': trial(async ({ create, bounded }) => {
      await using(create(), async lanes => {
        for (const lane of lanes) {
          const start = await starts(lane)
          const before = await within(CALL_MS, 'ends', lane.ends(never))
          const reached = new Map(start)
          for (const chunk of await drain(lane, start, bounded)) reached.set(partitionKey(chunk), chunk.next)
          checkEqual(sorted(before), sorted(reached), 'ends() before reading')
          checkEqual(sorted(await lane.ends(never)), sorted(reached), 'ends() after reading')
        }
      })
    }),

    'reading again from any offset gives the same records': trial(async t => {
      const all = await readAll(t)
      const texts = rowTexts(all)
      for (const from of offsetsToTry(all.chunks)) {
        const again = await readAll(t, from)
        const expected = texts.filter(t => t.offset >= (from.get(t.key) ?? 0))
        checkEqual(rowTexts(again), expected, `records from ${[...from].map(([k, v]) => `${k}:${v}`).join(' ')} on`)
        check(
          schemaOf(again.schema) === schemaOf(all.schema),
          `the schema changed from ${schemaOf(all.schema)} to ${schemaOf(again.schema)}`,
        )
      }
    }),

    'a position is there for the next instance': trial(async ({ create }) => {
      const stored = new Map<string, string>()
      await using(create(), async lanes => {
        for (const lane of lanes) {
          for (const at of (await lane.committed(never)).values())
            checkEqual(at, { offset: -1, metadata: null }, 'a position before the first')
          lane.begin(await starts(lane))
          await poll(lane)
          const positions = lane.partitions.map((p, i) => ({ ...p, offset: i + 1, metadata: `{"n":${i}}` }))
          await within(CALL_MS, 'commit', lane.commit(positions, never))
          for (const p of positions) stored.set(partitionKey(p), `${p.offset} ${p.metadata}`)
        }
      })
      await using(create(), async lanes => {
        for (const lane of lanes) {
          const found = await lane.committed(never)
          checkEqual([...found.keys()].sort(), lane.partitions.map(partitionKey).sort(), 'partitions of committed()')
          for (const [key, at] of found) checkEqual(`${at.offset} ${at.metadata}`, stored.get(key), `position of ${key}`)
        }
      })
    }),

    'a paused partition delivers nothing until it is resumed': trial(async ({ create }) => {
      await using(create(), async lanes => {
        for (const lane of lanes) {
          lane.begin(await starts(lane))
          lane.pause(lane.partitions)
          const stop = new AbortController()
          const waiting = lane.poll(stop.signal).catch(error => error as Error)
          // whatever it was that was already on its way, a later poll must wait
          lane.resume(lane.partitions)
          const got = await within(CALL_MS, 'poll after resume', waiting)
          check(Array.isArray(got), `poll after resume gave ${String(got)}`)
        }
      })
    }),

    'poll ends with its signal': trial(async ({ create }) => {
      await using(create(), async lanes => {
        for (const lane of lanes) {
          lane.begin(await starts(lane))
          lane.pause(lane.partitions)
          await waits(lane)
        }
      })
    }),

    'commit is refused once the session is over': trial(async ({ create }) => {
      const source = create()
      let lanes: readonly LaneReader[] = []
      await using(source, async open => {
        lanes = open
      })
      for (const lane of lanes) {
        const positions = lane.partitions.map(p => ({ ...p, offset: 1, metadata: '' }))
        await failure(() => within(CALL_MS, 'commit', lane.commit(positions, never)), 'a commit after close()')
      }
    }),

    'close may come twice, and without open': trial(async ({ create }) => {
      const source = create()
      await within(CALL_MS, 'close', source.close())
      await within(CALL_MS, 'close', source.close())
      const opened = create()
      await opened.open(never)
      await within(CALL_MS, 'close', opened.close())
      await within(CALL_MS, 'close', opened.close())
    }),
  })
}

interface Trial {
  /** The same source each time, as a worker that starts again creates it. */
  readonly create: () => Source
  readonly bounded: boolean
}

interface Reading {
  readonly schema: Schema | null
  readonly chunks: readonly Chunk[]
}

/** A signal nobody aborts. */
const never = new AbortController().signal

/** Opens, gives the lanes of the first session, closes. */
async function using(
  source: Source,
  body: (lanes: readonly LaneReader[], schema: Schema | null) => Promise<void>,
): Promise<void> {
  try {
    const schema = await within(CALL_MS, 'open', source.open(never))
    const session = await within(CALL_MS, 'session', source.session(never))
    await body(session.lanes, schema)
  } finally {
    await within(CALL_MS, 'close', source.close())
  }
}

async function readAll({ create, bounded }: Trial, from?: ReadonlyMap<string, number>): Promise<Reading> {
  const chunks: Chunk[] = []
  let schema: Schema | null = null
  await using(create(), async (lanes, opened) => {
    schema = opened
    for (const lane of lanes) {
      // a partition without records is in no reading
      const start = new Map([...(await starts(lane)), ...(from ?? [])])
      chunks.push(...(await drain(lane, start, bounded)))
    }
  })
  return { schema, chunks }
}

const starts = (lane: LaneReader): Promise<ReadonlyMap<string, number>> =>
  within(CALL_MS, 'startOffsets', lane.startOffsets(lane.partitions, never))

const poll = (lane: LaneReader): Promise<readonly Chunk[] | null> => within(CALL_MS, 'poll', lane.poll(never))

/** A poll that has nothing to give rejects with the reason of its signal. */
async function waits(lane: LaneReader): Promise<void> {
  const stop = new AbortController()
  const reason = new ConnectError('R003_ABORTED', 'enough')
  const waiting = failure(() => lane.poll(stop.signal), 'a poll whose signal aborts')
  stop.abort(reason)
  const ended = await within(CALL_MS, 'poll after abort', waiting)
  check(ended === reason, 'poll did not reject with the reason of its signal')
}

/** Reads to the end: until poll says so, or, where it never does, up to what `ends` says. */
async function drain(lane: LaneReader, from: ReadonlyMap<string, number>, bounded: boolean): Promise<readonly Chunk[]> {
  const left = new Map(bounded ? [] : await within(CALL_MS, 'ends', lane.ends(never)))
  const reached = (key: string, next: number): void => {
    if (next >= (left.get(key) ?? 0)) left.delete(key)
  }
  for (const [key, next] of from) reached(key, next)
  lane.begin(from)
  const chunks: Chunk[] = []
  while (bounded || left.size > 0) {
    const got = await poll(lane)
    if (got === null) {
      check(bounded, 'poll gave null, though the source is not bounded')
      return chunks
    }
    for (const chunk of got) {
      check(chunk.next > chunk.from, `an empty chunk at ${chunk.from}`)
      reached(partitionKey(chunk), chunk.next)
    }
    chunks.push(...got)
  }
  return chunks
}

function checkChunks(chunks: readonly Chunk[]): void {
  const next = new Map<string, number>()
  for (const chunk of chunks) {
    const key = partitionKey(chunk)
    const expected = next.get(key)
    if (expected !== undefined) checkEqual(chunk.from, expected, `start of a chunk of ${key}`)
    check(chunk.bytes >= 0, 'a chunk needs its bytes')
    next.set(key, chunk.next)
  }
}

function checkBlock(chunk: Chunk, schema: Schema | null, shared: boolean): void {
  const { block } = chunk
  if (!block) return
  checkEqual([block.topic, block.partition], [chunk.topic, chunk.partition], 'the partition of a block')
  check(block.count > 0, 'a block without rows must be null')
  let last = chunk.from - 1
  for (let i = 0; i < block.count; i++) {
    check(
      (block.offset[i] > last || (shared && i > 0 && block.offset[i] === last)) && block.offset[i] < chunk.next,
      `offset ${block.offset[i]} after ${last} in ${chunk.from}..${chunk.next}`,
    )
    last = block.offset[i]
    check(Number.isFinite(block.timestamp[i]), 'a timestamp must be a number')
  }
  if (block.kind !== 'columns') return
  checkEqual(schemaOf(block.schema), schemaOf(schema), 'the schema of a block against that of open()')
  checkEqual(block.columns.length, block.schema.fields.length, 'columns')
  block.columns.forEach((column, i) => {
    const { name, type, nullable } = block.schema.fields[i]
    checkEqual(column.length, block.count, `length of ${name}`)
    checkEqual([column.type, column.nullable], [type, nullable], `type of ${name}`)
  })
  block.rejected.reduce((before, { row, error }) => {
    check(row > before && row < block.count, `rejected rows must ascend: ${row} after ${before}`)
    check(error instanceof Error && 'code' in error, 'a rejection needs a ConnectError')
    return row
  }, -1)
  const raw = block.raw(0)
  checkEqual([raw.topic, raw.partition, raw.offset], [block.topic, block.partition, block.offset[0]], 'the raw record of row 0')
}

const schemaOf = (schema: Schema | null): string => (schema ? schemaText(schema) : 'none')
const sorted = (map: ReadonlyMap<string, number>): unknown => [...map].sort(([a], [b]) => (a < b ? -1 : 1))

/** Every record as text, in the order of partitions and offsets, so that how it was cut into chunks does not matter. */
function rowTexts(reading: Reading): readonly { key: string; offset: number; text: string }[] {
  const out: { key: string; offset: number; text: string }[] = []
  for (const { block } of reading.chunks) {
    if (!block) continue
    const rejected = new Map(
      block.kind === 'columns' ? block.rejected.map(r => [r.row, `${r.error.code} ${r.error.message}`]) : [],
    )
    for (let i = 0; i < block.count; i++) {
      const base64 = (start: Int32Array, end: Int32Array): string =>
        block.kind === 'records' && start[i] >= 0 ? block.buffer.toString('base64', start[i], end[i]) : 'null'
      const text =
        block.kind === 'columns'
          ? (rejected.get(i) ?? rowJson(block.schema, block.columns, i))
          : `${base64(block.keyStart, block.keyEnd)} ${base64(block.valueStart, block.valueEnd)}`
      out.push({ key: partitionKey(block), offset: block.offset[i], text: `${block.timestamp[i]} ${text}` })
    }
  }
  return out.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.offset - b.offset))
}

/** Starts worth trying for every partition at once: the first, around the cuts of the first reading, the middle, the end. */
function offsetsToTry(chunks: readonly Chunk[]): readonly ReadonlyMap<string, number>[] {
  const byPartition = new Map<string, TopicPartition & { first: number; cuts: number[]; end: number }>()
  for (const chunk of chunks) {
    const key = partitionKey(chunk)
    const known = byPartition.get(key) ?? { topic: chunk.topic, partition: chunk.partition, first: chunk.from, cuts: [], end: 0 }
    known.cuts.push(chunk.next)
    known.end = chunk.next
    byPartition.set(key, known)
  }
  const at = (choose: (p: { first: number; cuts: number[]; end: number }) => number): ReadonlyMap<string, number> =>
    new Map([...byPartition].map(([key, p]) => [key, Math.min(p.end, Math.max(p.first, choose(p)))]))
  return [
    at(p => p.first),
    at(p => p.first + 1),
    at(p => p.cuts[0] - 1),
    at(p => p.cuts[0]),
    at(p => p.cuts[0] + 1),
    at(p => Math.floor((p.first + p.end) / 2)),
    at(p => p.end - 1),
    at(p => p.end),
  ]
}
