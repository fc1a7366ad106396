import type { Batch } from '../../runtime/batch'
import { ConnectError } from '../../runtime/errors'
import { KeyFloats, packFloats, unpackFloats } from '../../runtime/key_floats'
import { KeyTable } from '../../runtime/key_table'
import { partitionKey } from '../../runtime/origin'
import type { Detector, Explanation, Point } from '../../runtime/plugin'
import { valueAt } from '../../runtime/value'
import { STARTING_THRESHOLD, type Threshold } from './alarms'
import { type Alert, Alerts } from './alerts'
import type { AnomalyRows, Status } from './anomaly'
import { Calibrator } from './calibrate'
import { type InputPlan, KIND, type Windows, windowsOf } from './input'
import { numbersOf } from './numbers'
import { Refractory } from './refractory'
import { readSections, writeSections } from './sections'

export interface LaneOptions {
  readonly plan: InputPlan
  readonly emitAll: boolean
  /** Milliseconds; null: the length of a window. */
  readonly refractory: number | null
  /** Scores this far above the threshold are critical. */
  readonly critical: number
  /** Milliseconds of event time without a point after which a key is forgotten; null: never. */
  readonly expire: number | null
  readonly maxKeys: number
}

/** A detector with what belongs to it in one lane. */
interface Judge {
  readonly name: string
  readonly detector: Detector
  readonly calibrator: Calibrator
  readonly refractory: Refractory
  readonly point: Point
  readonly why: Explanation
  /** Columns of its features, of the batch in hand. */
  inputs: readonly Float64Array[]
  /** Scores given since the last `takeScores`. */
  scores: number
}

/** Of a key: time of its latest point, end of its latest closed window, end of its latest learned window. */
const [SEEN, CLOSED, LEARNED, WIDTH] = [0, 1, 2, 3]
const NEVER = Number.NEGATIVE_INFINITY

/** A window closes, is revised and becomes final in different records. */
const NO_RECORD = -1

/** Sections of a snapshot that are not a detector's. */
const FIXED = 4

/** How full the table is after keys had to go because there were too many. */
const KEPT_SHARE = 7 / 8

/**
 * All that is known of one lane, and the main loop over its rows. Everything here is a function of the rows in their order,
 * never of how they were cut into batches.
 */
export class LaneState {
  readonly #options: LaneOptions
  readonly #judges: readonly Judge[]
  readonly #threshold: Threshold
  readonly #times = new KeyFloats(WIDTH, [NEVER])
  readonly #alerts = new Alerts()
  /** Event time at which expired keys are looked for next. */
  readonly #clock = Float64Array.of(NEVER)
  #keys: KeyTable
  /** Largest offset learned of each partition. */
  #applied = new Map<string, number>()

  constructor(detectors: ReadonlyMap<string, Detector>, threshold: Threshold, options: LaneOptions) {
    this.#options = options
    this.#threshold = threshold
    this.#keys = new KeyTable(Math.max(1, options.plan.keys.length))
    this.#judges = [...detectors].map(([name, detector]) => {
      const values = (): Float64Array => new Float64Array(detector.features.length)
      return {
        name,
        detector,
        calibrator: new Calibrator(),
        refractory: new Refractory(),
        point: { key: 0, time: 0, row: 0, x: values() },
        why: { expected: values(), lower: values(), upper: values(), contribution: values() },
        inputs: [],
        scores: 0,
      }
    })
  }

  /** How many scores each detector gave since the last call, for those that gave any. */
  takeScores(): readonly (readonly [detector: string, scores: number])[] {
    return this.#judges.flatMap(judge => {
      const { name, scores } = judge
      judge.scores = 0
      return scores > 0 ? [[name, scores] as const] : []
    })
  }

  /** Keys that are known. */
  get keys(): number {
    return this.#keys.count
  }

  get threshold(): number {
    return this.#threshold.value
  }

  /** Scores and learns the live rows in order; `onFailure` is told of rows that cannot be scored. */
  run(batch: Batch, out: AnomalyRows, onFailure: (row: number, error: ConnectError) => void): void {
    const { plan } = this.#options
    const failed = new Set<number>()
    const fail = (row: number, error: ConnectError): void => {
      failed.add(row)
      onFailure(row, error)
    }
    for (const judge of this.#judges) {
      judge.inputs = judge.detector.features.map(name =>
        numbersOf(batch.columns[batch.schema.fields.findIndex(f => f.name === name)], batch.length),
      )
      judge.detector.prepare?.(batch, fail)
    }
    const windows = windowsOf(plan, batch)
    const again = this.#again(batch)
    const rows = batch.selection ?? Int32Array.from({ length: batch.length }, (_, i) => i)
    const columns = plan.keys.map(k => batch.columns[k.index])
    const ids = new Int32Array(rows.length)
    let from = 0
    while (from < rows.length) {
      const part = rows.subarray(from)
      if (columns.length > 0) this.#keys.ids(columns, part, part.length, ids)
      this.#grow(columns.length > 0 ? this.#keys.count : 1)
      let i = 0
      for (; i < part.length; i++) {
        const row = part[i]
        if (failed.has(row)) continue
        // forgetting keys gives new ids, so what follows is looked up again
        if (this.#mustForget(ids[i], this.#now(row, windows, batch))) break
        this.#row(ids[i], row, again[row] === 1, windows, batch, out, fail)
      }
      from += i
      if (i < part.length) this.#forget(this.#now(rows[from], windows, batch))
    }
  }

  /**
   * Rows that come a second time (1 each), because a session ended before they were committed. They are scored again, so that
   * nothing is lost, but not learned again.
   */
  #again(batch: Batch): Uint8Array {
    const { ranges } = batch.origin
    const { range, offset } = batch.rows
    const keys = ranges.map(partitionKey)
    const before = keys.map(key => this.#applied.get(key) ?? -1)
    const largest = [...before]
    const again = new Uint8Array(batch.length)
    const { selection } = batch
    const count = selection === null ? batch.length : selection.length
    for (let i = 0; i < count; i++) {
      const row = selection === null ? i : selection[i]
      const r = range[row]
      if (offset[row] <= before[r]) again[row] = 1
      else if (offset[row] > largest[r]) largest[r] = offset[row]
    }
    keys.forEach((key, r) => {
      if (largest[r] >= 0) this.#applied.set(key, largest[r])
    })
    return again
  }

  #grow(keys: number): void {
    this.#times.grow(keys)
    for (const { detector, calibrator, refractory } of this.#judges) {
      detector.grow(keys)
      calibrator.grow(keys)
      refractory.state.grow(keys)
    }
  }

  #row(
    key: number,
    row: number,
    again: boolean,
    windows: Windows,
    batch: Batch,
    out: AnomalyRows,
    fail: (row: number, error: ConnectError) => void,
  ): void {
    const kind = windows.kind[row]
    if (kind > KIND.record) {
      fail(row, new ConnectError('D006_WRONG_TYPE', '_kind is none of close, revise, final'))
      return
    }
    const end = windows.end[row]
    const times = this.#times.values
    const at = key * WIDTH
    if (end > times[at + SEEN]) times[at + SEEN] = end
    // a window that became final at once was never announced as closed
    const closes = kind === KIND.record || kind === KIND.close || (kind === KIND.final && end > times[at + CLOSED])
    const scores = closes || kind === KIND.revise
    const learns = !again && (kind === KIND.record || (kind === KIND.final && end > times[at + LEARNED]))
    for (const judge of this.#judges) {
      const { detector, point, inputs } = judge
      point.key = key
      point.time = end
      point.row = row
      for (let f = 0; f < inputs.length; f++) point.x[f] = inputs[f][row]
      if (scores) {
        const raw = detector.score(point)
        const score = this.#score(judge, key, raw)
        if (!Number.isNaN(score)) judge.scores++
        if (closes ? score >= this.#threshold.value : kind === KIND.revise) {
          this.#verdict(judge, score, closes, row, windows, batch, out)
        } else if (this.#options.emitAll && !Number.isNaN(score)) this.#emit(judge, 'normal', score, row, windows, batch, out)
        if (learns) this.#learn(judge, raw)
      } else if (learns) this.#learn(judge, detector.output === 'raw' ? detector.score(point) : Number.NaN)
    }
    // last, so that every row is judged by what was learned from rows before it
    if (learns) this.#threshold.count(end)
    if (closes && end > times[at + CLOSED]) times[at + CLOSED] = end
    if (learns && end > times[at + LEARNED]) times[at + LEARNED] = end
  }

  /**
   * Only what is final is learned, by the calibrator too: what a window looks like when it closes depends on when its late records
   * came, and what is learned must be the same whenever it is read.
   */
  #learn({ detector, calibrator, point }: Judge, raw: number): void {
    if (detector.output === 'raw' && !Number.isNaN(raw)) calibrator.learn(point.key, raw)
    detector.learn(point)
  }

  #score({ detector, calibrator }: Judge, key: number, raw: number): number {
    if (Number.isNaN(raw) || detector.output === 'score') return raw
    if (detector.output === 'verdict') return raw > 0 ? Math.max(STARTING_THRESHOLD, this.#threshold.value) : 0
    return calibrator.score(key, raw)
  }

  /** Status of an alert, or of a revision, and what follows from it. */
  #verdict(judge: Judge, score: number, closes: boolean, row: number, windows: Windows, batch: Batch, out: AnomalyRows): void {
    const { key, time } = judge.point
    const by = { rev: Number(windows.rev(row)), offset: batch.rows.offset[row] }
    const before = closes ? undefined : this.#alerts.get(judge.name, key, time)
    // a window is revised with all of its keys, though late records reached some: what has been learnt since must not move an
    // alert on the others. A revision that comes again may never have gone out.
    if (before?.rev === by.rev && before.offset !== by.offset) return
    const alarm = score >= this.#threshold.value
    const emit = (status: Status): void => this.#emit(judge, status, score, row, windows, batch, out)
    if (!alarm) {
      if (before) {
        this.#alerts.delete(judge.name, key, time)
        judge.refractory.retract(key, time)
        emit('retracted')
      } else if (this.#options.emitAll && !Number.isNaN(score)) emit('normal')
      return
    }
    if (before) {
      this.#alerts.set(judge.name, key, time, { ...before, ...by })
      emit(before.status === 'suppressed' ? 'suppressed' : 'revised')
      return
    }
    const period = this.#options.refractory ?? windows.end[row] - windows.start[row]
    const record = this.#options.plan.windows ? NO_RECORD : by.offset
    const hidden = judge.refractory.hides(key, time, record, this.#severity(score), period)
    const status: Alert['status'] = hidden ? 'suppressed' : 'raised'
    if (this.#options.plan.windows) this.#alerts.set(judge.name, key, time, { status, ...by })
    emit(status)
  }

  #severity(score: number): number {
    if (!(score >= this.#threshold.value)) return 0
    return score >= this.#threshold.value + this.#options.critical ? 2 : 1
  }

  #emit(judge: Judge, status: Status, score: number, row: number, windows: Windows, batch: Batch, out: AnomalyRows): void {
    const { detector, why, point, name } = judge
    const { plan } = this.#options
    detector.explain(point, why)
    const features = detector.features.map((feature, f) => {
      const [expected, lower, upper, contribution] = [why.expected[f], why.lower[f], why.upper[f], why.contribution[f]]
      return [feature, { value: point.x[f], expected, lower, upper, contribution }] as const
    })
    const key = new Map(plan.keys.map(k => [k.name, textOf(valueAt(batch.columns[k.index], row))]))
    const windowEnd = windows.end[row]
    const recorded = batch.rows.timestamp[row]
    out.add(row, {
      id: [plan.view, name, [...key.values()].map(idPart).join(','), windowEnd, ...this.#recordId(batch, row)].join('|'),
      view: plan.view,
      detector: name,
      key,
      windowStart: windows.start[row],
      windowEnd,
      features: new Map(features),
      // a revision that cannot be scored any more
      score: Number.isNaN(score) ? 0 : score,
      severity: this.#severity(score),
      rev: windows.rev(row),
      status,
      detectedAt: recorded >= 0 ? recorded : windowEnd,
    })
  }

  /** Several records of a key may have one time, and the verdict on one must not replace that on another. */
  #recordId({ origin, rows }: Batch, row: number): readonly (string | number)[] {
    if (this.#options.plan.windows) return []
    const { topic, partition } = origin.ranges[rows.range[row]]
    return [topic, partition, rows.offset[row]]
  }

  // ------------------------------------------------------------------------------------------------------------ forgetting

  /** Event time for what expires. A time ahead of its own record's timestamp is an error of one key that must not forget the others. */
  #now(row: number, windows: Windows, batch: Batch): number {
    const recorded = batch.rows.timestamp[row]
    return recorded >= 0 ? Math.min(windows.end[row], recorded) : windows.end[row]
  }

  #mustForget(key: number, time: number): boolean {
    const { expire, maxKeys } = this.#options
    // all records are one series, which is never forgotten
    if (this.#options.plan.keys.length === 0) return false
    if (key >= maxKeys) return true
    if (expire === null) return false
    if (this.#clock[0] === NEVER) this.#clock[0] = time + expire
    return time >= this.#clock[0]
  }

  /** Forgets keys not seen for `expire`, and where there are too many, those seen longest ago. */
  #forget(time: number): void {
    const { expire, maxKeys } = this.#options
    const seen = (id: number): number => this.#times.values[id * WIDTH + SEEN]
    let ids = Array.from({ length: this.#keys.count }, (_, id) => id).filter(id => seen(id) > NEVER)
    if (expire !== null && time >= this.#clock[0]) {
      ids = ids.filter(id => seen(id) > time - expire)
      this.#clock[0] = time + expire / 2
    }
    const most = Math.max(0, Math.min(maxKeys - 1, Math.floor(maxKeys * KEPT_SHARE)))
    if (ids.length >= maxKeys) {
      // the sort is stable: of keys seen at the same time the older ids go first
      const latest = ids.sort((a, b) => seen(a) - seen(b)).slice(ids.length - most)
      ids = latest.sort((a, b) => a - b)
    }
    const kept = Int32Array.from(ids)
    this.#keys = this.#keys.keep(kept)
    this.#alerts.keep(kept)
    this.#times.keep(kept)
    for (const { detector, calibrator, refractory } of this.#judges) {
      detector.keep(kept)
      calibrator.keep(kept)
      refractory.state.keep(kept)
    }
  }

  // -------------------------------------------------------------------------------------------------------------- snapshot

  snapshot(): Buffer {
    return writeSections([
      this.#keys.snapshot(),
      packFloats([this.#times, this.#clock, this.#threshold.state]),
      this.#alerts.snapshot(),
      Buffer.from(JSON.stringify([...this.#applied].sort(([a], [b]) => (a < b ? -1 : 1)))),
      ...this.#judges.flatMap(({ detector, calibrator, refractory }) => [
        detector.snapshot(),
        calibrator.snapshot(),
        packFloats([refractory.state]),
      ]),
    ])
  }

  /** Throws D001_MALFORMED for bytes that are no snapshot of a lane with the same detectors. */
  restore(bytes: Buffer): void {
    const sections = readSections(bytes)
    if (sections.length !== FIXED + 3 * this.#judges.length) {
      throw new ConnectError('D001_MALFORMED', `a snapshot of ${sections.length} sections`)
    }
    this.#keys = KeyTable.restore(sections[0])
    unpackFloats(sections[1], [this.#times, this.#clock, this.#threshold.state])
    this.#alerts.restore(sections[2])
    this.#applied = new Map(JSON.parse(sections[3].toString()) as [string, number][])
    this.#judges.forEach(({ detector, calibrator, refractory }, j) => {
      detector.restore(sections[FIXED + 3 * j])
      calibrator.restore(sections[FIXED + 1 + 3 * j])
      unpackFloats(sections[FIXED + 2 + 3 * j], [refractory.state])
    })
  }
}

/** Escaped, so that different keys have different ids. */
const idPart = (key: string | null): string => (key === null ? '\\N' : key.replace(/[\\,|]/g, '\\$&'))

const textOf = (value: unknown): string | null => {
  if (value === null) return null
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value)
}
