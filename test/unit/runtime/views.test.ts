import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { systemClock } from '../../../runtime/clock'
import { silent } from '../../../runtime/events'
import type { OffsetRange } from '../../../runtime/origin'
import type { ColumnSet } from '../../../runtime/store'
import type { ClosingLog, WindowStore } from '../../../runtime/views/contracts'
import { openFileLog } from '../../../runtime/views/file_log'
import { Finaliser } from '../../../runtime/views/finaliser'
import { closingsInOrder, endAtOrBefore, windowEnds } from '../../../runtime/views/plan'
import { TableProgress } from '../../../runtime/views/progress'
import { viewSpec } from '../../support/views'

const MINUTE = 60_000
const WINDOWS = { size: 5 * MINUTE, slide: MINUTE, offset: 0 }
const { signal: never } = new AbortController()

describe('the order of closings', () => {
  const said = (lateness: number, close: number[], final: number[]) =>
    closingsInOrder('v', close, final, lateness).map(c => `${c.kind} ${c.windowEnds[0]}`)

  test('a window is judged by what was final before it', () => {
    expect(said(2, [3, 4], [1, 2])).toEqual(['final 1', 'close 3', 'final 2', 'close 4'])
    expect(said(0, [1, 2], [1, 2])).toEqual(['close 1', 'final 1', 'close 2', 'final 2'])
  })

  test('does not depend on the steps in which the watermark moved', () => {
    const ends = [1, 2, 3, 4, 5, 6, 7]
    for (const lateness of [0, 1, 3]) {
      const whole = said(lateness, ends, ends)
      for (const cut of [2, 4, 6]) {
        const upTo = (w: number) => (e: number) => e <= w
        const first = said(lateness, ends.filter(upTo(cut)), ends.filter(upTo(cut - lateness)))
        const closed = new Set(first)
        expect([...first, ...whole.filter(a => !closed.has(a))]).toEqual(whole)
      }
    }
  })
})

test('window ends: every window that covers a pane, aligned to the offset', () => {
  expect(windowEnds([0, MINUTE * 10], WINDOWS)).toEqual([1, 2, 3, 4, 5, 11, 12, 13, 14, 15].map(m => m * MINUTE))
  expect(endAtOrBefore(-1, WINDOWS)).toBe(-MINUTE)
  expect(endAtOrBefore(MINUTE + 20_000, { ...WINDOWS, offset: 20_000 })).toBe(MINUTE + 20_000)
})

describe('the watermark of a table', () => {
  test('is the smallest over the partitions of all flows, and never goes back', () => {
    const table = new TableProgress(['a', 'b'], systemClock)
    const [a, b] = [table.of('a'), table.of('b')]
    a.joined(['t|0', 't|1'], true)
    a.lane(
      new Map([
        ['t|0', 100],
        ['t|1', 50],
      ]),
    )
    expect(table.watermark()).toBeNull()
    b.joined(['u|0'], true)
    b.lane(new Map([['u|0', 70]]))
    expect(table.watermark()).toBe(50)
    b.settled({ watermarks: new Map([['u|0', 90]]), earliest: 80, behind: null, ranges: [] })
    a.idle('t|1', true)
    expect(table.watermark()).toBe(90)
    a.idle('t|1', false)
    expect(table.watermark()).toBe(90)
  })

  test('stands where partitions are elsewhere, not known, or a flow has failed', () => {
    const table = new TableProgress(['a', 'b'], systemClock)
    const [a, b] = [table.of('a'), table.of('b')]
    a.joined(['t|0'], true)
    a.lane(new Map([['t|0', 100]]))
    b.joined(['u|0'], false)
    b.lane(new Map([['u|0', 100]]))
    expect(table.watermark()).toBeNull()
    b.ended(false)
    expect(table.watermark()).toBeNull()
    a.ended(true)
    expect([table.ended, table.complete]).toEqual([true, false])
  })

  test('goes on with the clock while every partition is idle', () => {
    let now = 1000
    const table = new TableProgress(['a'], { ...systemClock, monotonic: () => now })
    const a = table.of('a')
    a.joined(['t|0'], true)
    a.lane(new Map([['t|0', 500]]))
    expect(table.watermark()).toBe(500)
    a.idle('t|0', true)
    table.watermark()
    now += 250
    expect(table.watermark()).toBe(750)
    a.idle('t|0', false)
    now += 250
    expect(table.watermark()).toBe(750)
  })
})

test('how late rows are is told once, also where a batch is sent again', () => {
  const table = new TableProgress(['a', 'b'], systemClock)
  const told: (readonly number[] | null)[] = []
  table.listen({ changed: () => {}, written: (_, behind) => told.push(behind && [...behind]) })
  const settled = (flow: string, late: number, ...ranges: readonly OffsetRange[]) =>
    table.of(flow).settled({ watermarks: new Map(), earliest: null, behind: Float64Array.of(late), ranges })
  const first = { topic: 't', partition: 0, from: 0, to: 9 }
  const second = { topic: 't', partition: 1, from: 0, to: 3 }
  settled('a', 1, first, second)
  settled('a', 2, first, second)
  settled('b', 3, first)
  settled('a', 4, { ...second, from: 4, to: 4 })
  settled('a', 5, first)
  expect(told).toEqual([[1], null, [3], [4], null])
})

describe('with a log on disk', () => {
  let dataDir: string
  beforeEach(() => {
    dataDir = mkdtempSync(path.join(tmpdir(), 'views-'))
  })
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }))
  const open = () => openFileLog({ dataDir, pipeline: 'p', view: 'v' })

  test('closings stand in it after a crash in the middle of a line; a second owner is refused', async () => {
    const log = await open()
    await log.append(closingsInOrder('v', [1, 2], [], 0))
    await expect(open()).rejects.toMatchObject({ code: 'E008_DATA_LOCKED' })
    await log.close()
    const file = path.join(dataDir, 'views', 'p', 'v.ndjson')
    appendFileSync(file, '["close",3')
    const again = await open()
    expect(again.id).toBe(log.id)
    await again.append(closingsInOrder('v', [4], [], 0))
    expect((await again.read(1, 10)).map(c => [c.offset, ...c.windowEnds])).toEqual([
      [1, 2],
      [2, 4],
    ])
    await again.close()
    expect(readFileSync(file, 'utf8')).not.toContain('"close",3')
  })

  test('old closings are read from it again, those of an earlier process too', async () => {
    const all = Array.from({ length: 45_003 }, (_, i) => ({ view: 'v', kind: 'close' as const, watermark: i, windowEnds: [i] }))
    const log = await open()
    for (let i = 0; i < all.length; i += 7_001) {
      await log.append(all.slice(i, i + 7_001))
      await log.announce([i])
    }
    const look = async (one: ClosingLog): Promise<void> => {
      expect(one.end).toBe(all.length)
      expect(one.reached).toEqual({ closed: 45_002, final: Number.NEGATIVE_INFINITY, watermark: 45_002, revising: [42_006] })
      for (const from of [0, 999, 1_000, 13_337, 25_002, 34_999, 35_003, 44_990, 45_003]) {
        const found = await one.read(from, 2_345)
        expect(found.length).toBeGreaterThan(from < all.length ? 0 : -1)
        expect(found).toEqual(all.slice(from, from + found.length).map((c, i) => ({ ...c, offset: from + i })))
      }
      let next = 0
      for (;;) {
        const found = await one.read(next, 1_000)
        if (found.length === 0) break
        expect(found[0].offset).toBe(next)
        next += found.length
      }
      expect(next).toBe(all.length)
    }
    await look(log)
    await log.close()
    const again = await open()
    await look(again)
    await again.close()
  })

  /** Panes in memory: what is counted, and what was finalised of it. */
  class Panes implements WindowStore {
    readonly panes = new Map<number, number>()
    readonly rows = new Map<number, number>()
    add(at: number, n = 1): void {
      const pane = at - (at % MINUTE)
      this.panes.set(pane, (this.panes.get(pane) ?? 0) + n)
    }
    async paneTotals(from: number | null) {
      return [...this.panes]
        .filter(([pane]) => from === null || pane >= from)
        .map(([pane, records]) => ({ pane, records, rows: 1 }))
    }
    async rowTotals(from: number | null) {
      return new Map([...this.rows].filter(([end]) => from === null || end >= from))
    }
    async finalise(ends: readonly number[]) {
      for (const end of ends) {
        let sum = 0
        for (let p = end - WINDOWS.size; p < end; p += MINUTE) sum += this.panes.get(p) ?? 0
        this.rows.set(end, sum)
      }
    }
    async read(): Promise<ColumnSet> {
      throw new Error('nobody reads here')
    }
    async prune() {}
    async close() {}
  }

  async function run(panes: Panes, act: (tell: (at: number, watermark: number) => Promise<void>) => Promise<void>) {
    const log = await open()
    const progress = new TableProgress(['a'], systemClock)
    const view = { ...viewSpec({ lateness: 2 * MINUTE }), window: WINDOWS }
    const finaliser = new Finaliser({
      pipeline: 'p',
      view,
      progress,
      open: async () => panes,
      clock: systemClock,
      events: silent,
      drain: never,
      abort: never,
    })
    const running = finaliser.run(log)
    const a = progress.of('a')
    let told = 0
    a.joined(['t|0'], true)
    a.lane(new Map())
    await act(async (at, watermark) => {
      panes.add(at)
      const ranges = [{ topic: 't', partition: 0, from: told, to: told++ }]
      a.settled({ watermarks: new Map([['t|0', watermark]]), earliest: at, behind: Float64Array.of(watermark - at), ranges })
      const reached = endAtOrBefore(watermark, WINDOWS)
      while (
        !(await log.read(0, log.end)).some(c => c.windowEnds[0] === reached) &&
        log.end > 0 &&
        panes.panes.has(reached - MINUTE)
      )
        await log.appended(never)
    })
    a.ended(true)
    await running
    const closings = await log.read(0, log.end)
    await log.close()
    return { counts: finaliser.counts, closings: closings.map(c => `${c.kind} ${c.windowEnds.map(e => e / MINUTE).join(',')}`) }
  }

  test('windows close with the watermark, are revised, end, and all close when the input ends', async () => {
    const panes = new Panes()
    const first = await run(panes, async tell => {
      for (let m = 0; m < 10; m++) await tell(m * MINUTE, m * MINUTE)
    })
    expect(first.counts).toMatchObject({ windows: 14, reopened: 0 })
    for (const kind of ['close', 'final']) expect(first.closings.filter(c => c.startsWith(kind))).toHaveLength(14)
    expect([...panes.rows.values()].reduce((a, b) => a + b)).toBe(50)
    // the same again changes nothing
    expect((await run(panes, async () => {})).closings).toEqual(first.closings)
    // a record that arrived while nobody looked reopens its windows
    panes.add(3 * MINUTE)
    const later = await run(panes, async () => {})
    expect(later.counts).toEqual({ windows: 0, revisions: 5, late: 0, reopened: 5 })
    expect(later.closings.slice(first.closings.length)).toEqual(['revise 4,5,6,7,8'])
  })

  test('a revision that was written before a crash and that nobody was told of is told by the next, once', async () => {
    const panes = new Panes()
    const first = await run(panes, async tell => {
      for (let m = 0; m < 10; m++) await tell(m * MINUTE, m * MINUTE)
    })
    panes.add(3 * MINUTE)
    const log = await open()
    const ends = [4, 5, 6, 7, 8].map(m => m * MINUTE)
    await log.announce(ends)
    await panes.finalise(ends)
    await log.close()
    const later = await run(panes, async () => {})
    expect(later.closings.slice(first.closings.length)).toEqual(['revise 4,5,6,7,8'])
    expect((await run(panes, async () => {})).closings).toEqual(later.closings)
  })
})
