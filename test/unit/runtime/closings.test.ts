import { allRead } from '../../../runtime/all_read'
import { systemClock } from '../../../runtime/clock'
import { silent } from '../../../runtime/events'
import type { FlowRun } from '../../../runtime/flow'
import type { PartitionSurvey, Session } from '../../../runtime/plugin'
import { announcement, closingRecords, parseClosing, parseReached } from '../../../runtime/views/closing_record'
import type { Closing } from '../../../runtime/views/contracts'
import { IdleLooks } from '../../../runtime/views/elsewhere'
import { NOTHING_REACHED } from '../../../runtime/views/plan'
import { TableProgress } from '../../../runtime/views/progress'

const closing = (kind: Closing['kind'], watermark: number, ...windowEnds: number[]): Closing => ({
  view: 'v',
  kind,
  watermark,
  windowEnds,
})

const parse = (value: Buffer) => {
  const found = parseClosing('v', value, 'here')
  if (!found) throw new Error('an announcement')
  return found
}

describe('a closing as a record', () => {
  test('is read as it was written, and says how far the view has come with it', () => {
    const closings = [closing('revise', Number.NEGATIVE_INFINITY, 5), closing('close', 10, 10), closing('final', 12, 5, 10)]
    const { values, reached } = closingRecords(closings, 4, NOTHING_REACHED)
    const read = values.map(v => parse(v))
    expect(read.map(({ view, kind, watermark, windowEnds }) => ({ view, kind, watermark, windowEnds }))).toEqual(closings)
    expect(read.map(r => r.shards)).toEqual([4, 4, 4])
    expect(read.map(r => r.reached)).toEqual([
      NOTHING_REACHED,
      { closed: 10, final: Number.NEGATIVE_INFINITY, watermark: 10, revising: [] },
      { closed: 10, final: 10, watermark: 12, revising: [] },
    ])
    expect(reached).toEqual(read[2].reached)
    // whoever takes over goes on from the last record alone
    const [next] = closingRecords([closing('close', 20, 20)], 4, read[2].reached).values
    expect(parse(next).reached).toEqual({ closed: 20, final: 10, watermark: 20, revising: [] })
  })

  test('windows that are about to be revised are known to the next finaliser until somebody is told of them', () => {
    const before = { closed: 20, final: 10, watermark: 25, revising: [15, 20] }
    const value = announcement(before)
    expect(parseClosing('v', value, 'here')).toBeNull()
    expect(parseReached('v', value, 'here')).toEqual(before)
    expect(closingRecords([closing('close', 30, 30)], 1, before).reached.revising).toEqual([15, 20])
    expect(closingRecords([closing('revise', 25, 15, 20)], 1, before).reached.revising).toEqual([])
  })

  test.each([
    ['no JSON', 'close 10'],
    ['null', 'null'],
    ['a newer version', '{"v":2,"kind":"close","watermark":1,"ends":[1],"shards":1,"reached":[1,1,1],"revising":[]}'],
    ['an unknown kind', '{"v":1,"kind":"open","watermark":1,"ends":[1],"shards":1,"reached":[1,1,1],"revising":[]}'],
    ['no windows', '{"v":1,"kind":"close","watermark":1,"ends":[],"shards":1,"reached":[1,1,1],"revising":[]}'],
    ['half a window', '{"v":1,"kind":"close","watermark":1,"ends":[1.5],"shards":1,"reached":[1,1,1],"revising":[]}'],
    ['no shards', '{"v":1,"kind":"close","watermark":1,"ends":[1],"shards":0,"reached":[1,1,1],"revising":[]}'],
  ])('%s is refused with the place where it stands', (_, text) => {
    expect(() => parseClosing('v', Buffer.from(text), 'topic/0 offset 7')).toThrow(
      expect.objectContaining({ code: 'P001_POSITION_STOP', message: expect.stringContaining('topic/0 offset 7') }),
    )
  })
})

describe('partitions that another worker holds', () => {
  const other = (watermark: number | null, idle = false) => ({ watermark, idle, begun: true })

  test('hold the watermark like those here, once they are known', () => {
    const table = new TableProgress(['a'], systemClock)
    const a = table.of('a')
    a.joined(['t|0'], false)
    a.lane(new Map([['t|0', 100]]))
    expect(table.watermark()).toBeNull()
    a.elsewhere(new Map([['t|1', other(40)]]))
    expect(table.watermark()).toBe(40)
    a.elsewhere(new Map([['t|1', other(130)]]))
    expect(table.watermark()).toBe(100)
    // its position is older than what was said before: nothing goes back
    a.elsewhere(new Map([['t|1', other(90)]]))
    expect(table.watermark()).toBe(100)
    a.settled({ watermarks: new Map([['t|0', 200]]), earliest: 200, behind: null, ranges: [] })
    a.elsewhere(new Map([['t|1', other(90, true)]]))
    expect(table.watermark()).toBe(200)
    a.elsewhere(new Map([['t|1', other(null)]]))
    a.settled({ watermarks: new Map([['t|0', 300]]), earliest: 300, behind: null, ranges: [] })
    expect(table.watermark()).toBe(200)
  })

  test('of a session that is over mean nothing for the next', () => {
    const table = new TableProgress(['a'], systemClock)
    const a = table.of('a')
    a.joined(['t|0'], false)
    a.lane(new Map([['t|0', 100]]))
    a.elsewhere(new Map([['t|1', other(500)]]))
    expect(table.watermark()).toBe(100)
    a.left()
    a.elsewhere(new Map([['t|1', other(500)]]))
    expect(table.watermark()).toBe(100)
    a.joined(['t|1'], false)
    a.lane(new Map([['t|1', 500]]))
    expect(table.watermark()).toBe(100)
  })

  test('say that the table is there, and where final windows may have changed', () => {
    const table = new TableProgress(['a'], systemClock)
    const a = table.of('a')
    const written: (number | null)[] = []
    a.joined([], false)
    table.listen({ changed: () => {}, written: earliest => void written.push(earliest) })
    a.elsewhere(new Map([['t|1', { ...other(null), begun: false }]]))
    expect(table.started).toBe(false)
    a.elsewhere(new Map([['t|1', other(40)]]))
    expect([table.started, written]).toEqual([true, []])
    a.elsewhere(new Map([['t|1', other(40, true)]]))
    a.elsewhere(new Map([['t|1', other(40, true)]]))
    expect(written).toEqual([])
    a.elsewhere(new Map([['t|1', other(50)]]))
    expect(written).toEqual([Number.NEGATIVE_INFINITY])
  })

  test('are looked up only while somebody needs them', () => {
    const table = new TableProgress(['a'], systemClock)
    const a = table.of('a')
    const first = table.watch()
    const second = table.watch()
    first()
    first()
    expect(a.watched()).toBe(true)
    second()
    expect(a.watched()).toBe(false)
  })

  test('are idle when two looks at least so far apart agree that they stand at their end', () => {
    const at = (next: number, end: number): PartitionSurvey => ({
      topic: 't',
      partition: 0,
      committed: { offset: next, metadata: null },
      next,
      end,
    })
    const looks = new IdleLooks(100)
    const said = [
      [at(5, 5), 0],
      [at(5, 5), 99],
      [at(5, 5), 100],
      // it went on: the next look is the first again
      [at(5, 6), 110],
      [at(6, 6), 300],
      // also where it moved between two looks
      [at(8, 8), 410],
      [at(8, 8), 509],
      [at(8, 8), 510],
    ] as const
    expect(said.map(([p, now]) => looks.idle(p, now))).toEqual([false, false, true, false, false, false, false, true])
    const never = new IdleLooks(null)
    expect([never.idle(at(5, 5), 0), never.idle(at(5, 5), 1e9)]).toEqual([false, false])
  })
})

describe('the end of a bounded run', () => {
  const over = new AbortController()
  const survey = (...positions: readonly (readonly [next: number, end: number])[]): readonly PartitionSurvey[] =>
    positions.map(([next, end], partition) => ({ topic: 't', partition, committed: { offset: next, metadata: null }, next, end }))

  const flow = (drain: AbortSignal): FlowRun => {
    const abort = new AbortController().signal
    const clock = { ...systemClock, sleep: async () => {} }
    const retryContext = (stage: string, signal: AbortSignal) => ({
      pipeline: 'p',
      flow: 'f',
      stage,
      events: silent,
      clock,
      signal,
    })
    return { clock, drain, abort, retryContext } as unknown as FlowRun
  }
  const session = (looks: readonly (readonly PartitionSurvey[])[], signal = over.signal): Session => {
    let look = 0
    const survey = async () => {
      if (look > looks.length) throw new Error('it goes on waiting')
      return looks[Math.min(look++, looks.length - 1)]
    }
    return { id: 's', over: signal, lanes: [], whole: false, survey }
  }

  test('waits for the other workers, but not for what came after', async () => {
    const looks = [survey([3, 3], [1, 4]), survey([3, 9], [2, 9]), survey([3, 9], [4, 12])]
    expect(await allRead(flow(over.signal), session(looks))).toBe('done')
  })

  test('does not wait where no other worker is, or when a stop is asked for or the group changes', async () => {
    const behind = [survey([3, 3], [1, 4])]
    expect(await allRead(flow(over.signal), { ...session(behind), whole: true })).toBe('done')
    const stop = new AbortController()
    const changed = new AbortController()
    stop.abort()
    changed.abort()
    expect(await allRead(flow(stop.signal), session(behind))).toBe('stopped')
    expect(await allRead(flow(over.signal), session(behind, changed.signal))).toBe('over')
  })
})
