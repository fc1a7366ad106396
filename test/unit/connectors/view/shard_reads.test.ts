import { getEventListeners } from 'node:events'
import { ShardReads } from '../../../../connectors/view/shard_reads'
import { I32Column } from '../../../../runtime/column'
import { field } from '../../../../runtime/schema'

/** Rows that ClickHouse would give: a value, and the shard it belongs to. */
function windows() {
  const statements: (readonly number[])[] = []
  return {
    statements,
    read: async (
      _ends: readonly number[],
      _most: number | null,
      _signal: AbortSignal,
      shards?: { wanted: readonly number[] },
    ) => {
      const wanted = shards?.wanted ?? []
      statements.push(wanted)
      const column = (values: readonly number[]) => {
        const made = new I32Column({ kind: 'i32' }, false)
        made.reserve(values.length)
        made.values.set(values)
        made.length = values.length
        return made
      }
      return {
        schema: { fields: [field('value', 'i32'), field('_shard', 'i32')] },
        columns: [column(wanted.map(s => 10 * s)), column(wanted)],
        rows: wanted.length,
      }
    },
  }
}

test('shards that ask at once share a statement, and leave nothing on the signals of their sessions', async () => {
  const store = windows()
  const reads = new ShardReads(store)
  const signals = [0, 1, 2].map(() => new AbortController().signal)
  for (let closing = 0; closing < 3; closing++) {
    const sets = await Promise.all(signals.map((signal, shard) => reads.reader(shard, 3).read([closing], null, signal)))
    expect(sets.map(s => [s.rows, ...(s.columns[0] as I32Column).values.subarray(0, s.rows)])).toEqual([
      [1, 0],
      [1, 10],
      [1, 20],
    ])
  }
  expect(store.statements).toEqual([
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2],
  ])
  expect(signals.map(s => getEventListeners(s, 'abort').length)).toEqual([0, 0, 0])
})
