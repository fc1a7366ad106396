import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { seeded } from '../../support/seeded'

/** What three demos in one folder, one after the other, tell and count of a history that goes on between them. */

const SCRIPTS = path.resolve(__dirname, '../../../scripts/demo')
const DETECTORS = { leaking: 'volume', corrupt: 'values', silent: 'heard' } as const
const KINDS = ['leaking', 'corrupt', 'silent'] as const
const ARRIVES_MS = 6_000
/** When each demo watches. Between them nobody looks. */
const RUNS = [
  { since: 0, until: 200_000 },
  { since: 260_000, until: 400_000 },
  { since: 400_000, until: 600_000 },
] as const

interface Fault {
  readonly fault: string
  readonly device: string
  readonly site: string
  readonly start: number
  readonly end: number
  /** When its label is in the table. */
  readonly arrives: number
}

interface Alert {
  readonly id: string
  readonly database: 'fleet'
  readonly detector: string
  readonly key: Readonly<Record<string, string>>
  readonly start: number
  readonly end: number
  readonly status: 'raised' | 'suppressed' | 'retracted'
  readonly arrives: number
  /** Null: nothing was done to it. */
  readonly of: string | null
}

/** Faults one after the other, each of them on a device and a site of its own, with several alerts each or none; some false alarms. */
function history(seed: number): { readonly faults: readonly Fault[]; readonly alerts: readonly Alert[] } {
  const random = seeded(seed)
  const among = (from: number, to: number): number => Math.floor(from + random() * (to - from))
  const faults: Fault[] = []
  const alerts: Alert[] = []
  const alert = (of: string | null, detector: string, key: Alert['key'], end: number, status: Alert['status']): void => {
    const id = `a-${alerts.length}`
    alerts.push({ id, database: 'fleet', detector, key, start: end - 20_000, end, status, arrives: end + among(500, 3_000), of })
  }
  for (let at = 5_000; at < 600_000; at += among(8_000, 30_000)) {
    const n = faults.length
    const kind = KINDS[among(0, 3)]
    const [device, site] = [`dev-${n}`, `site-${n}`]
    const end = at + among(15_000, 40_000)
    faults.push({ fault: `${kind}-${n}`, device, site, start: at, end, arrives: at + among(100, 5_000) })
    const key: Alert['key'] = kind === 'silent' ? { site } : { device }
    for (let more = among(0, 5); more > 0; more--) {
      const status = (['raised', 'raised', 'suppressed', 'retracted'] as const)[among(0, 4)]
      alert(`${kind}-${n}`, DETECTORS[kind], key, at + among(2_000, end - at), status)
    }
    if (random() < 0.2) alert(null, DETECTORS.leaking, { device: `calm-${n}` }, at + among(0, 20_000), 'raised')
  }
  return { faults, alerts }
}

interface RunSays {
  readonly told: readonly { readonly id: string; readonly fault: string | null }[]
  readonly injected: number
  readonly detected: number
}

/** Looks every 2 s at what is in the tables by then, as the demo does, and judges at the end. */
const script = (histories: readonly object[]): string => `
  import { News } from ${JSON.stringify(path.join(SCRIPTS, 'news.mjs'))}
  import { judge } from ${JSON.stringify(path.join(SCRIPTS, 'verdict.mjs'))}
  const sum = (counts, of) => Object.values(counts).reduce((n, c) => n + c[of], 0)
  const there = (all, now) => all.filter(x => x.arrives <= now)
  console.log(JSON.stringify(${JSON.stringify(histories)}.map(({ faults, alerts }) => ${JSON.stringify(RUNS)}.map(({ since, until }) => {
    const news = new News(${ARRIVES_MS})
    const told = []
    for (let now = since; now <= until; now += 2000) {
      for (const { anomaly, fault } of news.of(there(alerts, now), there(faults, now), { since, now }))
        told.push({ id: anomaly.id, fault: fault?.fault ?? null })
    }
    const counts = judge(there(alerts, until), there(faults, until), { devices: until, sites: until }, since).faults
    return { told, injected: sum(counts, 'injected'), detected: sum(counts, 'detected') }
  }))))`

const histories = Array.from({ length: 20 }, (_, seed) => history(seed))
let said: readonly (readonly RunSays[])[]
beforeAll(() => {
  said = JSON.parse(execFileSync(process.execPath, ['--input-type=module'], { input: script(histories), encoding: 'utf8' }))
})

const each = <T>(of: (run: RunSays, history: (typeof histories)[number], watched: (typeof RUNS)[number]) => T): T[] =>
  histories.flatMap((h, i) => RUNS.map((watched, r) => of(said[i][r], h, watched)))

test('each fault is told once in a run, and none that has an alert in it is missing', () => {
  const told = each(run => run.told.flatMap(t => t.fault ?? []).sort())
  const due = each((_, { alerts }, { since, until }) => {
    const seen = alerts.filter(a => a.status === 'raised' && a.end > since && a.arrives <= until - 2 * ARRIVES_MS)
    return [...new Set(seen.flatMap(a => a.of ?? []))].sort()
  })
  for (const [i, names] of told.entries()) {
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(expect.arrayContaining(due[i]))
  }
  // histories of several alerts for one fault, or this proves nothing
  expect(due.flat().length).toBeGreaterThan(100)
  expect(each((_, { alerts }) => alerts.length).every(n => n > 20)).toBe(true)
})

test('what a fault explains is no false alarm, however late its label', () => {
  for (const wrong of each((run, { alerts }) =>
    run.told.filter(t => (t.fault ?? null) !== alerts.find(a => a.id === t.id)?.of),
  )) {
    expect(wrong).toEqual([])
  }
})

test('a demo that goes on tells nothing of windows that ended before it', () => {
  const old = each((run, { alerts }, { since }) => run.told.filter(t => (alerts.find(a => a.id === t.id)?.end ?? 0) <= since))
  expect(old.flat()).toEqual([])
})

test('a demo that goes on counts what was injected while it watched, and nothing of before', () => {
  const counted = each(({ injected, detected }) => ({ injected, detected }))
  const own = each((_, { faults, alerts }, { since, until }) => {
    const watched = faults.filter(f => f.start >= since && f.arrives <= until)
    const found = watched.filter(f => alerts.some(a => a.of === f.fault && a.status !== 'retracted' && a.arrives <= until))
    return { injected: watched.length, detected: found.length }
  })
  expect(counted).toEqual(own)
})

test('how busy the demo itself makes this machine, while it loads its history, is no news', () => {
  const script = `
    import { News } from ${JSON.stringify(path.join(SCRIPTS, 'news.mjs'))}
    const news = new News(${ARRIVES_MS})
    const busy = (id, start, status) => ({ id, database: 'machine', detector: 'core', key: {}, start, end: start + 10_000, status })
    const found = [busy('loading', 5_000, 'raised'), busy('ends after it', 10_000, 'suppressed'), busy('live', 20_000, 'suppressed'), busy('goes on', 30_000, 'suppressed')]
    console.log(JSON.stringify(news.of(found, [], { since: 0, live: 14_000, now: 90_000 }).map(n => [n.anomaly.id, n.how])))`
  expect(JSON.parse(execFileSync(process.execPath, ['--input-type=module'], { input: script, encoding: 'utf8' }))).toEqual([
    ['live', 'new'],
  ])
})
