import { ClosedRows, KIND } from '../../../../connectors/view/closed_rows'
import { valueAt } from '../../../../runtime/value'
import type { LoggedClosing, WindowStore } from '../../../../runtime/views/contracts'
import { batchOf, type Row, schemaOf } from '../../../support/batches'
import { seeded } from '../../../support/seeded'

const COLUMNS = schemaOf({ window_end: 'timestamp(s)', device: 'utf8', _rev: 'i64' })
const schema = { ...COLUMNS, fields: [...COLUMNS.fields, KIND] }
const partition = { topic: 'v', partition: 0 }
const { signal } = new AbortController()

/** Rows by window end in seconds; remembers how much each statement was to give. */
class Rows {
  readonly given: number[] = []
  constructor(readonly rows: ReadonlyMap<number, readonly string[]>) {}
  read: WindowStore['read'] = async (ends, most) => {
    const all = ends.flatMap(end =>
      (this.rows.get(end / 1000) ?? []).map(device => ({ window_end: end / 1000, device, _rev: 1 })),
    )
    const rows: Row[] = all.slice(0, most ?? all.length)
    this.given.push(rows.length)
    return { schema: COLUMNS, columns: batchOf(COLUMNS, rows).columns, rows: rows.length }
  }
}

async function readAll(store: Rows, log: readonly LoggedClosing[], mostRows: number) {
  const reader = new ClosedRows({ windows: store as unknown as WindowStore, schema, partition, mostRows })
  const rows: unknown[] = []
  let next = 0
  while (next < log.length) {
    for (const { from, next: after, block, repeated } of await reader.read(log.slice(next, next + reader.atOnce), signal)) {
      expect(from).toBe(next)
      next = after
      if (block?.kind !== 'columns') continue
      let again = 0
      for (let i = 0; i < block.count; i++) {
        const [end, device, , kind] = block.columns.map(c => valueAt(c, i))
        expect(block.timestamp[i]).toBe(Number(end) * 1000)
        rows.push([block.offset[i], end, device, kind])
        // a row is new when its window closes, and the same row once more after that
        if (kind !== 'close') again++
      }
      expect(repeated).toBe(again)
      expect(block.offset.at(-1)).toBeLessThan(after)
    }
  }
  return rows
}

test('whatever fits into a statement, every closing comes once, in order and whole', async () => {
  const random = seeded(11)
  const whole = (n: number): number => Math.floor(random() * n)
  for (let round = 0; round < 60; round++) {
    const ends = Array.from({ length: 40 }, (_, i) => 1_000 + 10 * i)
    const rows = new Map(
      ends.map(end => [end, Array.from({ length: whole(8) === 0 ? 30 : whole(5) }, (_, k) => `d${k}`)] as const),
    )
    const log: LoggedClosing[] = Array.from({ length: 60 }, (_, offset) => {
      const kind = (['close', 'revise', 'final'] as const)[whole(3)]
      const first = whole(40)
      const windowEnds = ends.slice(first, first + (kind === 'revise' ? 1 + whole(4) : 1)).map(e => e * 1000)
      return { view: 'v', watermark: 0, kind, windowEnds, offset }
    })
    const expected = log.flatMap(c =>
      c.windowEnds.flatMap(end => (rows.get(end / 1000) ?? []).map(device => [c.offset, end / 1000, device, c.kind])),
    )
    const store = new Rows(rows)
    const mostRows = 1 + whole(60)
    const got = await readAll(store, log, mostRows)
    expect(got).toEqual(expected)
    // a single closing may exceed it, nothing else
    const largest = Math.max(...log.map(c => c.windowEnds.reduce((n, e) => n + (rows.get(e / 1000)?.length ?? 0), 0)))
    expect(Math.max(...store.given)).toBeLessThanOrEqual(Math.max(mostRows, largest))
  }
})

test('many closings are read by few statements', async () => {
  const log = Array.from({ length: 20_000 }, (_, offset) => ({
    view: 'v',
    watermark: 0,
    kind: 'close' as const,
    windowEnds: [1000 * offset],
    offset,
  }))
  const store = new Rows(new Map(log.map(c => [c.offset, ['a', 'b']])))
  expect(await readAll(store, log, 100_000)).toHaveLength(40_000)
  expect(store.given.length).toBeLessThan(40)
})
