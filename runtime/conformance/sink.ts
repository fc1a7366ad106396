import type { Batch } from '../batch'
import { type Column, createColumn } from '../column'
import { partitionKey } from '../origin'
import type { Sink, SinkContext, SinkDeclaration, SinkLane, WriteResult } from '../plugin'
import { field, type Schema, timestamp } from '../schema'
import { appendValue } from '../value'
import { CALL_MS, type ContextOptions, sinkContextIn, withDataDir, within } from './context'
import { checkEqual, named, type Test } from './test'

/** What a sink is tried with. Each test takes a fixture of its own, so `begin` can give each an empty target. */
export interface SinkFixture extends ContextOptions {
  /** YAML form; absent: `conformance.config` of the declaration. */
  readonly config?: unknown
  readonly format?: SinkContext['format']
  /**
   * The `id` of every row the target holds now, repeated as often as it is there. Absent: the target cannot be looked at, and
   * the tests that would have to are left out.
   */
  ids?(dataDir: string): Promise<readonly number[]>
}

/** Schema of the rows the suite writes. */
export const SINK_SCHEMA: Schema = {
  fields: [
    field('id', 'i64'),
    field('ts', timestamp('ms')),
    field('device', 'utf8'),
    field('value', 'f64', true),
    field('ok', 'bool'),
  ],
}

const PARTITION = { topic: 'conformance', partition: 0 }

/** The tests of a sink's contract (see `Sink`, `TokenLane` and `TransactionLane`). `begin` is called once for each test. */
export function sinkTests(
  declaration: SinkDeclaration,
  begin: () => Promise<SinkFixture> | SinkFixture = () => ({}),
): readonly Test[] {
  const trial = (test: (t: Trial) => Promise<void>) => (): Promise<void> =>
    withDataDir(async dataDir => {
      const fixture = await begin()
      const config = declaration.config.parse(fixture.config ?? declaration.conformance.config)
      const sinks: Sink[] = []
      const make = (): Sink => {
        const sink = declaration.create(config, sinkContextIn(dataDir, fixture))
        sinks.push(sink)
        return sink
      }
      const ids = fixture.ids
        ? async (): Promise<readonly number[]> => (await fixture.ids?.(dataDir))?.toSorted((a, b) => a - b) ?? []
        : null
      try {
        await test({ make, ids })
      } finally {
        for (const sink of sinks) await sink.close()
      }
    })

  return named('sink', {
    'open, lane, write and close in their order': trial(async ({ make, ids }) => {
      const sink = make()
      const lane = await openLane(sink)
      checkEqual(lane.delivery, declaration.capabilities.transactional ? 'transaction' : 'token', 'delivery of the lane')
      checkEqual(await write(lane, 0, 10), { written: 10, failed: [] }, 'the result of a write')
      checkEqual(await write(lane, 10, 15), { written: 5, failed: [] }, 'the result of a second write')
      await within(CALL_MS, 'close of the lane', lane.close())
      await within(CALL_MS, 'close', sink.close())
      if (ids) checkEqual(await ids(), range(0, 15), 'the rows')
    }),

    'the same token twice leaves the rows once': trial(async ({ make, ids }) => {
      if (!ids || !declaration.capabilities.exactly_once || declaration.capabilities.transactional) return
      const sink = make()
      const lane = await openLane(sink)
      await write(lane, 0, 10)
      await write(lane, 0, 10, { resend: true })
      await lane.close()
      await sink.close()
      // another worker sends it once more
      const next = make()
      const nextLane = await openLane(next)
      await write(nextLane, 0, 10, { resend: true })
      await write(nextLane, 10, 12)
      await nextLane.close()
      checkEqual(await ids(), range(0, 12), 'the rows')
    }),

    'highest is the largest offset, or not told': trial(async ({ make }) => {
      const sink = make()
      const lane = await openLane(sink)
      if (lane.delivery !== 'token') return
      const signal = new AbortController().signal
      const before = await within(CALL_MS, 'highest', lane.highest([PARTITION], signal))
      if (before !== null) checkEqual([...before], [[partitionKey(PARTITION), -1]], 'highest of an empty target')
      await write(lane, 0, 10)
      const after = await within(CALL_MS, 'highest', lane.highest([PARTITION], signal))
      checkEqual(after === null, before === null, 'highest is told')
      if (after !== null) checkEqual([...after], [[partitionKey(PARTITION), 9]], 'highest after ten rows')
      await lane.close()
    }),

    'positions and rows are stored together': trial(async ({ make, ids }) => {
      const lane = await openLane(make())
      if (lane.delivery !== 'transaction') return
      const signal = new AbortController().signal
      await write(lane, 0, 10)
      await lane.close()
      const next = await openLane(make())
      if (next.delivery !== 'transaction') return
      const stored = await within(CALL_MS, 'committed', next.committed(signal))
      // null: positions stand in the source's own group
      if (stored !== null) checkEqual(stored.get(partitionKey(PARTITION)), { offset: 10, metadata: 'm10' }, 'the position')
      if (ids) checkEqual(await ids(), range(0, 10), 'the rows')
      await next.close()
    }),

    'a write whose signal has aborted fails': trial(async ({ make }) => {
      const lane = await openLane(make())
      const stop = new AbortController()
      stop.abort(new Error('enough'))
      const outcome = await within(
        CALL_MS,
        'an aborted write',
        write(lane, 0, 10, { signal: stop.signal }).then(
          () => 'written',
          () => 'failed',
        ),
      )
      checkEqual(outcome, 'failed', 'a write with an aborted signal')
      await lane.close()
    }),

    'it opens again on what it made': trial(async ({ make, ids }) => {
      for (const from of [0, 5]) {
        const sink = make()
        const lane = await openLane(sink)
        await write(lane, from, from + 5)
        await lane.close()
        await within(CALL_MS, 'close', sink.close())
      }
      if (ids) checkEqual(await ids(), range(0, 10), 'the rows')
    }),

    'close may come twice, and without open': trial(async ({ make }) => {
      const sink = make()
      await within(CALL_MS, 'close', sink.close())
      await within(CALL_MS, 'close', sink.close())
    }),
  })
}

interface Trial {
  /** A new instance on the fixture's target; closed after the test. */
  make(): Sink
  ids: (() => Promise<readonly number[]>) | null
}

async function openLane(sink: Sink): Promise<SinkLane> {
  const signal = new AbortController().signal
  await within(CALL_MS, 'open', sink.open(SINK_SCHEMA, signal))
  return within(CALL_MS, 'lane', sink.lane({ lane: 0, partitions: [PARTITION], group: null }, signal))
}

/** Writes the rows with ids and offsets `from`..`to - 1`; the token names them, so the same rows have the same token. */
function write(
  lane: SinkLane,
  from: number,
  to: number,
  options: { readonly resend?: boolean; readonly signal?: AbortSignal } = {},
): Promise<WriteResult> {
  const signal = options.signal ?? new AbortController().signal
  const batch = sampleBatch(from, to)
  const done =
    lane.delivery === 'token'
      ? lane.write(batch, {
          token: `conformance|${from}|${to}`,
          resend: options.resend ?? false,
          namedAt: options.resend ? Date.now() : null,
          behind: null,
          signal,
        })
      : lane.write(batch, { positions: [{ ...PARTITION, offset: to, metadata: `m${to}` }], settle: async () => {}, signal })
  return within(CALL_MS, 'write', done)
}

/** Rows of the suite's schema, the value null in every third. */
export function sampleBatch(from: number, to: number): Batch {
  const columns: Column[] = SINK_SCHEMA.fields.map(f => createColumn(f))
  const [id, ts, device, value, ok] = columns
  const start = 1_700_000_000_000
  for (let i = from; i < to; i++) {
    appendValue(id, i)
    appendValue(ts, start + i)
    appendValue(device, `device ${i % 3} é`)
    appendValue(value, i % 3 === 0 ? null : i / 8)
    appendValue(ok, i % 2 === 0)
  }
  const length = to - from
  return {
    schema: SINK_SCHEMA,
    columns,
    length,
    selection: null,
    origin: { lane: 0, ranges: [{ ...PARTITION, from, to: to - 1 }] },
    rows: {
      range: new Int32Array(length),
      offset: Float64Array.from({ length }, (_, i) => from + i),
      timestamp: Float64Array.from({ length }, (_, i) => start + from + i),
    },
    rejected: [],
    raw: row => ({ ...PARTITION, offset: from + row, timestamp: start + from + row, key: null, value: null, headers: [] }),
  }
}

const range = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, i) => from + i)
