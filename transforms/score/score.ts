import { createHash } from 'node:crypto'
import { z } from 'zod'
import { type Batch, liveRows } from '../../runtime/batch'
import { ConnectError } from '../../runtime/errors'
import { columnName, type DetectorSpec, detector, duration } from '../../runtime/fields'
import {
  type ApplyContext,
  type Detector,
  type DetectorContext,
  defineTransform,
  type PluginContext,
  type Transform,
} from '../../runtime/plugin'
import { type Schema, schemaText } from '../../runtime/schema'
import { unbound } from '../columns'
import { ALARM_RATE, parseAlarms, STARTING_THRESHOLD, Threshold } from './alarms'
import { ANOMALY, AnomalyRows } from './anomaly'
import { detectors as builtIn } from './detectors'
import { type InputPlan, planInput } from './input'
import { LaneState } from './lane'
import { readSections, writeSections } from './sections'

const config = z
  .strictObject({
    detectors: z
      .record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, 'expected a name: letters, digits, "_", "-"'), detector())
      .refine(d => Object.keys(d).length > 0, 'name at least one detector')
      .describe('Detectors by name: `{type: ewma, ...its options}`. Each scores every window or record by itself.'),
    keys: z
      .array(columnName())
      .optional()
      .describe(
        "Columns that tell series apart. Default: the view's keys; records need them (`[]`: all records are one series).",
      ),
    time: columnName().optional().describe('Column with the time of a record; windows of a view have their own.'),
    alarms: z
      .string()
      .regex(ALARM_RATE, 'expected a rate such as 1/day, 0.5/hour, 3/week or 1/month')
      .refine(text => !ALARM_RATE.test(text) || parseAlarms(text) !== null, 'the rate must be more than 0')
      .optional()
      .describe('False alarms to expect from the whole flow on normal data; the threshold follows from the rate of windows.'),
    threshold: z
      .number()
      .min(1)
      .max(16)
      .optional()
      .describe(
        `Score from which on something is an alarm: 4 is one in ten thousand normal windows. Default without alarms: ${STARTING_THRESHOLD}.`,
      ),
    critical: z.number().min(0).prefault(2).describe('Scores this far above the threshold have the severity critical.'),
    refractory: duration()
      .optional()
      .describe(
        'After an alert, those of the same key and detector are suppressed for so long. Default: the length of a window.',
      ),
    emit: z.enum(['anomalies', 'all']).prefault('anomalies').describe('Only anomalies, or the score of every window or record.'),
    expire: duration().prefault('30d').describe('A key without a window or record for so long (event time) is forgotten.'),
    max_keys: z
      .int()
      .min(8)
      .max(50_000_000)
      .prefault(1_000_000)
      .describe('Keys remembered in a lane; beyond, those seen longest ago are forgotten.'),
  })
  .refine(c => c.alarms === undefined || c.threshold === undefined, 'give `alarms` or `threshold`, not both')

type Config = z.output<typeof config>

export const score = defineTransform({
  name: 'score',
  status: 'beta',
  since: '0.1.0',
  summary: 'Scores windows or records with detectors and gives anomaly records.',
  description: `A score is the surprise in tens: -log10 of the share of normal windows of the key that look at least as strange; 4 is one in ten
thousand. What comes out are anomaly records, none, one or several for a window; nothing else passes.

A window of a view is scored when it closes and again at each revision, and learned once, when it is final, in window order. An alert is
\`raised\`, or \`suppressed\` within the refractory period of an earlier one that was as severe; a revision makes it \`revised\` or, if it is no
alarm any more, \`retracted\`; where late records reached only other keys of the window, it stays as it is. A record (no view) is
scored and learned at once. With \`emit: all\` every score is given, status \`normal\`.
A window with nulls in all features of a detector, or of a key that is still warming up, has no score and gives nothing.

The same rows in the same order give the same anomalies, whatever the batches. State is kept a lane: records of one key must stand in one
partition (produce them with the key as the record key), or they are learned as several keys. \`detected_at\` is the time of the source
record (of a view: when the window was closed), not of a clock here.

What was learned is stored every five minutes and when the flow stops, in \`_connect_state\` of the pipeline's ClickHouse where it has
one (so that any worker finds it), else in the data folder. A worker that takes over loads it and lets what came since pass once more,
so it gives the scores, to the bit, that the other would have given; in a record flow that holds where a lane has one partition, because
young keys lean on all keys of the lane, in the order in which its partitions were read. Where late records reached a window, its score
is that of the moment at which it was last revised. Records that a broken session delivers again are scored again (their anomalies have
the same ids) but not learned again.

Memory a key: 56 bytes and its name, and for each detector 56 bytes and what the detector says.`,
  config,
  capabilities: { stateful: true, changes_rows: true, finds_anomalies: true },
  gives: ANOMALY,
  examples: [
    {
      title: 'Windows of a view',
      yaml: `name: score-windows
connections:
  clickhouse: { url: embedded, database: score_windows }
flows:
  ingest:
    source:
      type: generate
      history: 8h # so that detectors are warm
      interval: 5s
      keys: { column: device, count: 20, prefix: d- }
      fields:
        cpu: { type: series, base: 35, spread: 8, noise: 2, burst: { every: 12h, for: 10m, add: 45 } }
    sink: { type: clickhouse, table: cpu, time: ts, order_by: [device, ts] }
  detect:
    source: { type: view, view: cpu_5m }
    transforms:
      - type: score # the keys are those of the view
        detectors:
          level: { type: ewma, features: [mean, peak], warmup: 60 }
        alarms: 1/hour
    sink: { type: stdout }
views:
  cpu_5m:
    from: cpu
    size: 5m
    slide: 1m
    keys: [device]
    columns:
      mean: avg(cpu)
      peak: max(cpu)
`,
    },
    {
      title: 'Records as they come',
      yaml: `name: score-records
flows:
  detect:
    source:
      type: generate
      count: 2000
      start: 2024-01-01T00:00:00Z
      interval: 5m
      keys: { column: device, count: 2, prefix: d- }
      fields:
        cpu: { type: series, base: 40, noise: 3, burst: { every: 12h, for: 10m, add: 70 } }
    transforms:
      - type: score
        keys: [device]
        time: ts
        detectors:
          level: { type: ewma, features: [cpu], warmup: 150 }
          limit: { type: threshold, if: cpu > 99.0 }
        threshold: 4
    sink: { type: stdout }
`,
    },
  ],
  conformance: {
    // detectors as the loader gives them
    config: {
      detectors: {
        level: { type: 'ewma', config: { features: ['cpu'], direction: 'both', half_life: 20, warmup: 3 } },
        rule: { type: 'threshold', config: { if: 'bytes > 150000', features: ['bytes'] } },
      },
      keys: ['device'],
      time: 'ts',
    },
  },
  create: (options, context) => new Score(options, context),
})

interface Bound {
  readonly schema: Schema
  readonly plan: InputPlan
  /** Of all that must be the same for a snapshot to be of use. */
  readonly fingerprint: Buffer
}

class Score implements Transform {
  readonly #config: Config
  readonly #context: PluginContext
  readonly #lanes = new Map<number, LaneState>()
  #bound: Bound | null = null

  constructor(options: Config, context: PluginContext) {
    this.#config = options
    this.#context = context
  }

  bind(schema: Schema): Schema {
    const { keys, time } = this.#config
    const plan = planInput(schema, { keys, time }, this.#context.flow)
    this.#detectors(schema) // only to see that all of them accept the columns
    const keyFields = { fields: plan.keys.map(k => schema.fields[k.index]) }
    const text = JSON.stringify([VERSION, this.#config.detectors, schemaText(keyFields), schema.fields[plan.end].name])
    this.#bound = { schema, plan, fingerprint: createHash('sha256').update(text).digest() }
    this.#lanes.clear()
    return ANOMALY
  }

  apply(batch: Batch, context: ApplyContext): Batch {
    const lane = this.#lane(batch.origin.lane)
    const out = new AnomalyRows(this.#context.pipeline, this.#context.flow)
    const failed = new Map<number, Batch['rejected'][number]>()
    lane.run(batch, out, (row, error) => {
      if (!failed.has(row)) failed.set(row, context.reject(batch, row, error))
    })
    const { pipeline, flow, events } = this.#context
    for (const [detector, scores] of lane.takeScores()) events.emit('rows_scored', { pipeline, flow, detector, scores })
    const { sources, columns } = out
    const { rows, raw } = batch
    const of = (from: Float64Array): Float64Array => Float64Array.from(sources, row => from[row])
    return {
      schema: ANOMALY,
      columns,
      length: sources.length,
      selection: null,
      origin: batch.origin,
      rows: {
        range: Int32Array.from(sources, row => rows.range[row]),
        offset: of(rows.offset),
        timestamp: of(rows.timestamp),
      },
      rejected: [...batch.rejected, ...[...failed].sort(([a], [b]) => a - b).map(([, rejection]) => rejection)],
      raw: row => raw(sources[row]),
      replaced: (batch.replaced ?? 0) + liveRows(batch) - failed.size - sources.length,
    }
  }

  snapshot(lane: number): Buffer {
    const { fingerprint } = this.#bind()
    return writeSections([fingerprint, this.#lane(lane).snapshot()])
  }

  restore(lane: number, bytes: Buffer | null): boolean {
    const { fingerprint } = this.#bind()
    this.#lanes.delete(lane)
    if (bytes === null) return true
    const [made, state] = readSections(bytes)
    if (!made?.equals(fingerprint) || !state) return false
    this.#lane(lane).restore(state)
    return true
  }

  #bind(): Bound {
    if (this.#bound === null) throw unbound('score')
    return this.#bound
  }

  #lane(lane: number): LaneState {
    const known = this.#lanes.get(lane)
    if (known) return known
    const { schema, plan } = this.#bind()
    const { emit, refractory, critical, expire, max_keys } = this.#config
    const detectors = this.#detectors(schema)
    const state = new LaneState(detectors, this.#threshold(detectors), {
      plan,
      emitAll: emit === 'all',
      refractory: refractory ?? null,
      critical,
      expire,
      maxKeys: max_keys,
    })
    this.#lanes.set(lane, state)
    return state
  }

  /** The budget is shared by lanes and by detectors whose scores are compared with it. */
  #threshold(detectors: ReadonlyMap<string, Detector>): Threshold {
    const { alarms, threshold } = this.#config
    const budget = alarms === undefined ? null : parseAlarms(alarms)
    if (budget === null) return new Threshold({ fixed: threshold ?? STARTING_THRESHOLD })
    const sharing = [...detectors.values()].filter(d => d.output !== 'verdict').length
    return new Threshold({ budget: budget / this.#context.lanes / Math.max(1, sharing) })
  }

  #detectors(schema: Schema): ReadonlyMap<string, Detector> {
    const make = this.#context.detector ?? builtInDetector
    return new Map(
      Object.entries(this.#config.detectors).map(([name, spec]) => [
        name,
        make(spec as unknown as DetectorSpec, { name, schema }),
      ]),
    )
  }
}

/** Snapshots of other versions are not read. */
const VERSION = 3

function builtInDetector(spec: DetectorSpec, context: DetectorContext): Detector {
  const found = builtIn.find(d => d.name === spec.type)
  if (!found) throw new ConnectError('C009_UNKNOWN_PLUGIN', `there is no detector "${spec.type}"`)
  return found.create(spec.config as never, context)
}
