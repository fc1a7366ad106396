import type { Producer } from 'kafkajs'
import { type Bench, CONNECTIONS } from './connect'
import { registerReadings } from './readings'
import { seeded } from './seeded'

/**
 * Input for the whole sentence (topic -> table -> sliding view -> score -> topic) that is the same on every run, and what came out
 * of it, looked at from outside.
 */

const S = 1_000
export const T0 = Date.UTC(2026, 0, 1)
export const PARTITIONS = 4
const DEVICES = 8
export const WINDOW = { size: 10 * S, slide: 5 * S, delay: 2 * S, lateness: 10 * S } as const

export interface Event {
  readonly partition: number
  readonly device: string
  readonly ts: number
  readonly cpu: number
}

export interface Input {
  readonly events: readonly Event[]
  /** `device|window_end` (ms) of windows that records of `late` belong to: when they are scored again depends on when those arrive. */
  readonly touched: ReadonlySet<string>
  /** The same of windows with a burst. */
  readonly bursts: ReadonlySet<string>
}

/** Ends of the windows of a moment. */
export function endsOf(ts: number): readonly number[] {
  const pane = ts - (ts % WINDOW.slide)
  const ends: number[] = []
  for (let end = pane + WINDOW.slide; end <= pane + WINDOW.size; end += WINDOW.slide) ends.push(end)
  return ends
}

/**
 * Each device sends every half second of event time, a little out of order, and now and then a burst, a record that is late but
 * counts, or one that is too late to. A late record is a low one, so that the largest value of its windows stays what it is.
 */
export function makeInput(seed: number, seconds: number): Input {
  const random = seeded(seed)
  const events: Event[] = []
  const touched = new Set<string>()
  const bursts = new Set<string>()
  const burstAt = Array.from({ length: DEVICES }, () => 250 + random() * Math.max(60, seconds - 300))
  for (let half = 0; half < seconds * 2; half++) {
    for (let d = 0; d < DEVICES; d++) {
      const device = `d${d}`
      const partition = d % PARTITIONS
      const at = T0 + half * 500
      const late = random()
      if (late < 0.004) {
        const ts = at - (3 + Math.floor(random() * 9)) * S
        events.push({ partition, device, ts, cpu: 1 })
        for (const end of endsOf(ts)) touched.add(`${device}|${end}`)
      } else if (late < 0.006) events.push({ partition, device, ts: at - 90 * S, cpu: 1_000 })
      const ts = at - Math.floor(random() * WINDOW.delay)
      const burst = half / 2 > burstAt[d] && half / 2 < burstAt[d] + 7
      if (burst) for (const end of endsOf(ts)) bursts.add(`${device}|${end}`)
      const noise = (random() + random() + random() + random() - 2) * 4
      events.push({ partition, device, ts, cpu: 40 + d + noise + (burst ? 45 : 0) })
    }
  }
  return { events, touched, bursts }
}

export interface WindowsWorld {
  readonly name: string
  readonly file: string
  readonly anomalies: string
  produce(events: readonly Event[]): Promise<void>
  close(): Promise<void>
}

/** A topic and a pipeline file of its own. */
export async function createWindowsWorld(bench: Bench, prefix: string): Promise<WindowsWorld> {
  const name = bench.identifier(prefix)
  const anomalies = `${name}_anomalies`
  await bench.createTopic(name, PARTITIONS)
  const encode = await registerReadings(bench, name)
  const seconds = (ms: number): string => `${ms / S}s`
  const file = bench.file(
    `${name}.yaml`,
    `name: ${name}
shutdown_timeout: 20s
${CONNECTIONS}
flows:
  ingest:
    lanes: 2
    source: { type: kafka, topics: [${name}], value: avro, session_timeout: 1500ms }
    sink:
      type: clickhouse
      table: ${name}
      time: ts
      order_by: [device, ts]
      flush: { rows: 300, interval: 20ms }
  detect:
    source: { type: view, view: ${name}_v }
    transforms:
      - type: score
        detectors: { level: { type: ewma, features: [peak], warmup: 20, half_life: 50 } }
        threshold: 4
        emit: all
    sink: { type: kafka, topic: { name: ${anomalies}, partitions: 2, config: { retention.ms: "-1" } } }
views:
  ${name}_v:
    from: ${name}
    size: ${seconds(WINDOW.size)}
    slide: ${seconds(WINDOW.slide)}
    delay: ${seconds(WINDOW.delay)}
    lateness: ${seconds(WINDOW.lateness)}
    keys: [device]
    columns: { n: count(), total: sum(cpu), peak: max(cpu) }
`,
  )
  let producer: Producer | null = null
  return {
    name,
    file,
    anomalies,
    async produce(events) {
      if (!producer) {
        producer = bench.client.producer({ idempotent: true, maxInFlightRequests: 1 })
        await producer.connect()
      }
      await producer.send({
        topic: name,
        messages: events.map(({ partition, ...row }) => ({ partition, key: row.device, value: encode(row) })),
      })
    },
    async close() {
      await producer?.disconnect()
      producer = null
    },
  }
}

/** Rows of the view, one text each. Sums are of doubles: equal to the last bit only if the same rows were added up. */
export async function viewRows(bench: Bench, { name }: WindowsWorld): Promise<readonly string[]> {
  const rows = await bench.sql(
    `SELECT device, toUnixTimestamp64Milli(window_end) AS end, n, round(total, 6) AS total, peak, _rev FROM {db}.${name}_v ORDER BY device, end`,
  )
  return rows.map(r => `${r.device}|${r.end} n ${r.n} total ${r.total} peak ${r.peak} rev ${r._rev}`)
}

/** The same by hand, for the events that count: those at most delay + lateness behind the largest before them in their partition. */
export function expectedRows(events: readonly Event[]): readonly string[] {
  const windows = new Map<string, { device: string; end: number; n: number; total: number; peak: number }>()
  const largest = new Array<number>(PARTITIONS).fill(Number.NEGATIVE_INFINITY)
  for (const { partition, device, ts, cpu } of events) {
    largest[partition] = Math.max(largest[partition], ts)
    if (largest[partition] - ts > WINDOW.delay + WINDOW.lateness) continue
    for (const end of endsOf(ts)) {
      const id = `${device}|${end}`
      const w = windows.get(id) ?? { device, end, n: 0, total: 0, peak: Number.NEGATIVE_INFINITY }
      windows.set(id, { ...w, n: w.n + 1, total: w.total + cpu, peak: Math.max(w.peak, cpu) })
    }
  }
  const all = [...windows.values()].sort((a, b) => (a.device < b.device ? -1 : a.device > b.device ? 1 : a.end - b.end))
  return all.map(w => `${w.device}|${w.end} n ${w.n} total ${Number(w.total.toFixed(6))} peak ${w.peak} rev ${w.n}`)
}

export interface Verdict {
  readonly id: string
  readonly status: string
  readonly score: number
  readonly rev: number
  readonly key: Readonly<Record<string, string>>
  readonly features: unknown
}

/** The latest verdict of each window, by `device|window_end`. */
export async function verdicts(bench: Bench, { anomalies }: WindowsWorld): Promise<ReadonlyMap<string, Verdict>> {
  const latest = new Map<string, Verdict>()
  for (const record of await bench.records(anomalies)) {
    const verdict = (await bench.decode(record)) as Verdict
    latest.set(verdict.id.split('|').slice(-2).join('|'), verdict)
  }
  return latest
}

const HIDDEN = /^(normal|retracted)$/

/**
 * What must be the same whatever happened on the way, as text. Windows that no late record reached: everything, to the bit. Whether
 * a late record comes before or after the watermark closes its window is a matter of timing; if after, the window is revised with
 * all of its keys, and a row is scored again with what has been learnt by then. So of the row that the late record belongs to: what
 * it is, and whether it is an alarm. Of the others in its window: everything of an alert, which a revision leaves alone where the
 * row is what it was; of the rest, which says `normal` with one score or another, only that.
 *
 * No partition is idle here (the pipeline has no `idle:`), so nothing else reaches a window that is closed.
 */
export function comparable(all: ReadonlyMap<string, Verdict>, { touched }: Input): readonly string[] {
  const revised = new Set([...touched].map(id => id.split('|')[1]))
  return [...all]
    .map(([id, v]) => {
      const hidden = HIDDEN.test(v.status)
      if (touched.has(id)) return `${id} rev ${v.rev} ${hidden ? 'normal' : 'alarm'}`
      if (hidden && revised.has(id.split('|')[1])) return `${id} rev ${v.rev} normal`
      return `${id} rev ${v.rev} ${v.status} ${bits(v.score)} ${JSON.stringify(v.features, (_, x) => (typeof x === 'number' ? bits(x) : x))}`
    })
    .sort()
}

/** A double to the bit. */
export function bits(x: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(x)
  return bytes.toString('hex')
}

/** What is in one sorted list and not in the other, the first of each; jest's own comparison of so many lines takes minutes. */
export function differences(found: readonly string[], expected: readonly string[]) {
  const has = [new Set(found), new Set(expected)]
  const missing = expected.filter(x => !has[0].has(x))
  const unexpected = found.filter(x => !has[1].has(x))
  return {
    count: missing.length + unexpected.length + Math.abs(found.length - expected.length),
    missing: missing.slice(0, 3),
    unexpected: unexpected.slice(0, 3),
  }
}

export const SAME = { count: 0, missing: [], unexpected: [] }
