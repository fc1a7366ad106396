import { KIND } from '../../../../connectors/view/closed_rows'
import { ShardLane } from '../../../../connectors/view/shard_lane'
import { ShardReads } from '../../../../connectors/view/shard_reads'
import { partitionKey } from '../../../../runtime/origin'
import type { Block, Chunk, LaneReader } from '../../../../runtime/plugin'
import { valueAt } from '../../../../runtime/value'
import { closingRecords } from '../../../../runtime/views/closing_record'
import type { Closing, WindowStore } from '../../../../runtime/views/contracts'
import { NOTHING_REACHED } from '../../../../runtime/views/plan'
import { batchOf, type Row, schemaOf } from '../../../support/batches'
import { seeded } from '../../../support/seeded'

const COLUMNS = schemaOf({ window_end: 'timestamp(s)', device: 'utf8', _rev: 'i64' })
const SHARDED = schemaOf({ window_end: 'timestamp(s)', device: 'utf8', _rev: 'i64', _shard: 'i32' })
const SCHEMA = { ...COLUMNS, name: 'v', fields: [...COLUMNS.fields, KIND] }
const { signal } = new AbortController()

/** Every window has six devices, device `dN` is in shard `N % of`. */
const DEVICES = 6

class Windows {
  readonly statements: string[] = []
  read: WindowStore['read'] = async (ends, most, signal, shards) => {
    const { of, wanted } = shards ?? { of: 1, wanted: [0] }
    this.statements.push(`${ends.join(' ')}: ${wanted.join(' ')} of ${of}`)
    await new Promise(resolve => setImmediate(resolve))
    signal.throwIfAborted()
    const all: Row[] = ends.flatMap(end =>
      Array.from({ length: DEVICES }, (_, d) => ({ window_end: end / 1000, device: `d${d}`, _rev: 1, _shard: d % of })).filter(
        r => wanted.includes(r._shard),
      ),
    )
    const rows = all.slice(0, most ?? all.length)
    return { schema: SHARDED, columns: batchOf(SHARDED, rows).columns, rows: rows.length }
  }
}

/** A fetched stretch: closings at these offsets, then the mark of the transaction. */
function stretch(partition: number, from: number, values: readonly Buffer[]): Chunk {
  const count = values.length
  const ends = Int32Array.from(values, (_, i) => values.slice(0, i + 1).reduce((n, v) => n + v.length, 0))
  const starts = Int32Array.from(values, (v, i) => ends[i] - v.length)
  const none = new Int32Array(count).fill(-1)
  const zero = new Int32Array(count)
  const at = { topic: 'closings', partition }
  const block: Block = {
    kind: 'records',
    ...at,
    count,
    buffer: Buffer.concat(values),
    keyStart: none,
    keyEnd: none,
    valueStart: starts,
    valueEnd: ends,
    headersStart: zero,
    headersEnd: zero,
    offset: Float64Array.from(values, (_, i) => from + i),
    timestamp: zero as unknown as Float64Array,
  }
  return { ...at, from, next: from + count + 1, bytes: 100, block: count === 0 ? null : block }
}

/** A lane that gives these stretches, so many a poll. */
function laneOf(lane: number, polls: (readonly Chunk[])[]): LaneReader {
  const partitions = [...new Map(polls.flat().map(c => [partitionKey(c), c])).values()]
  return {
    lane,
    partitions,
    group: null,
    poll: async () => polls.shift() ?? null,
  } as unknown as LaneReader
}

/** Rows as `shard offset end device kind`, by shard, after checking that what was read has no gaps. */
async function readAll(lane: LaneReader): Promise<readonly string[]> {
  const rows: string[] = []
  const next = new Map<number, number>()
  for (let chunks = await lane.poll(signal); chunks !== null; chunks = await lane.poll(signal)) {
    for (const { partition, from, next: after, block } of chunks) {
      expect(from).toBe(next.get(partition) ?? 0)
      next.set(partition, after)
      if (block?.kind !== 'columns') continue
      expect(block.columns).toHaveLength(SCHEMA.fields.length)
      for (let i = 0; i < block.count; i++) {
        const [end, device, , kind] = block.columns.map(c => valueAt(c, i))
        expect(block.offset[i]).toBeGreaterThanOrEqual(from)
        expect(block.offset[i]).toBeLessThan(after)
        rows.push([partition, block.offset[i], end, device, kind].join(' '))
      }
    }
  }
  return rows
}

test('each shard gives the rows of its keys, closing by closing, at the offsets of the closings', async () => {
  const random = seeded(3)
  const whole = (n: number): number => Math.floor(random() * n)
  for (let round = 0; round < 30; round++) {
    const of = 3
    const polls: Chunk[][] = [[]]
    const expected: string[] = []
    for (let shard = 0; shard < of; shard++) {
      let offset = 0
      let end = 0
      for (let n = whole(8); n > 0; n--) {
        // a topic that was given partitions later holds closings for fewer shards
        const shards = n > 4 && shard < 2 ? 2 : of
        const closings = Array.from({ length: whole(4) }, (): Closing => {
          const first = end + 10
          end += 10 * (1 + whole(2))
          const windowEnds = Array.from({ length: (end - first) / 10 + 1 }, (_, i) => (first + 10 * i) * 1000)
          return { view: 'v', kind: 'close', watermark: end, windowEnds }
        })
        closings.forEach((c, i) => {
          for (const e of c.windowEnds)
            for (let d = 0; d < DEVICES; d++)
              if (d % shards === shard) expected.push([shard, offset + i, e / 1000, `d${d}`, 'close'].join(' '))
        })
        if (whole(3) === 0) polls.push([])
        polls[polls.length - 1].push(stretch(shard, offset, closingRecords(closings, shards, NOTHING_REACHED).values))
        offset += closings.length + 1
      }
    }
    const lane = new ShardLane(laneOf(0, polls), SCHEMA, new ShardReads(new Windows()))
    expect([...(await readAll(lane))].sort()).toEqual(expected.sort())
  }
})

const closed = (...ends: number[]): readonly Buffer[] =>
  closingRecords(
    ends.map(end => ({ view: 'v', kind: 'close', watermark: end, windowEnds: [end * 1000] })),
    3,
    NOTHING_REACHED,
  ).values

test('the shards of a worker ask together', async () => {
  const windows = new Windows()
  const reads = new ShardReads(windows)
  const lanes = [0, 1, 2].map(n => new ShardLane(laneOf(n, [[stretch(n, 0, closed(10, 20))]]), SCHEMA, reads))
  const rows = await Promise.all(lanes.map(readAll))
  expect(windows.statements).toEqual(['10000 20000: 0 1 2 of 3'])
  expect(rows.map(r => r.length)).toEqual([4, 4, 4])
})

test('a shard that stops leaves the others their rows', async () => {
  const reads = new ShardReads(new Windows())
  const stop = new AbortController()
  const first = reads.reader(0, 3).read([10_000], null, stop.signal)
  const second = reads.reader(1, 3).read([10_000], null, signal)
  stop.abort(new Error('stopped'))
  await expect(first).rejects.toThrow('stopped')
  expect((await second).rows).toBe(2)
})

test('where the rows of all do not fit into a statement, each asks for its own', async () => {
  const windows = new Windows()
  const reads = new ShardReads(windows)
  const sets = await Promise.all([0, 1, 2].map(n => reads.reader(n, 3).read([10_000], 5, signal)))
  expect(sets.map(s => s.rows)).toEqual([2, 2, 2])
  expect(windows.statements).toHaveLength(4)
})

test('a record that is no closing stops the flow', async () => {
  const lane = new ShardLane(laneOf(0, [[stretch(0, 0, [Buffer.from('{}')])]]), SCHEMA, new ShardReads(new Windows()))
  await expect(lane.poll(signal)).rejects.toMatchObject({ code: 'P001_POSITION_STOP' })
})
