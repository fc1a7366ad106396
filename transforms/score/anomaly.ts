import { type Column, createColumn } from '../../runtime/column'
import { field, type Schema, timestamp } from '../../runtime/schema'
import { appendValue } from '../../runtime/value'

/**
 * The anomaly record. Its Avro schema follows from this by the avro format (full name `olap_connect.Anomaly`); `id` is also the
 * record key, so that a compacted topic holds the latest verdict of each window and detector.
 */

export const STATUSES = ['raised', 'revised', 'retracted', 'suppressed', 'normal'] as const
/** `normal` stands only in what `emit: all` adds. */
export type Status = (typeof STATUSES)[number]

export const SEVERITIES = ['none', 'warning', 'critical'] as const

export const ANOMALY: Schema = {
  name: 'olap_connect.Anomaly',
  key: ['id'],
  fields: [
    {
      ...field('id', 'utf8'),
      doc: 'view|detector|keys|window_end, of a record also |topic|partition|offset; a backslash before \\ | , in a key',
    },
    field('pipeline', 'utf8'),
    field('flow', 'utf8'),
    { ...field('view', 'utf8'), doc: 'name of the view; of the flow where records are scored' },
    field('detector', 'utf8'),
    { ...field('key', { kind: 'map', value: field('value', 'utf8', true) }), doc: 'key columns as text' },
    field('window_start', timestamp('ms')),
    field('window_end', timestamp('ms')),
    {
      ...field('features', {
        kind: 'map',
        value: field('value', {
          kind: 'struct',
          name: 'olap_connect.AnomalyFeature',
          fields: [
            field('value', 'f64', true),
            field('expected', 'f64', true),
            field('lower', 'f64', true),
            field('upper', 'f64', true),
            { ...field('contribution', 'f64', true), doc: 'share of the score, 0 to 1' },
          ],
        }),
      }),
    },
    { ...field('score', 'f64'), doc: 'surprise in tens: 4 is one in ten thousand' },
    field('severity', { kind: 'dictionary', symbols: SEVERITIES, name: 'olap_connect.AnomalySeverity' }),
    field('model', 'utf8', true),
    field('model_version', 'utf8', true),
    { ...field('rev', 'i64'), doc: 'revision of the window; grows with each revision of it' },
    field('status', { kind: 'dictionary', symbols: STATUSES, name: 'olap_connect.AnomalyStatus' }),
    { ...field('detected_at', timestamp('ms')), doc: 'time of the source record that gave the verdict, else window_end' },
  ],
}

export interface FeatureValue {
  readonly value: number
  readonly expected: number
  readonly lower: number
  readonly upper: number
  readonly contribution: number
}

export interface Anomaly {
  readonly id: string
  readonly view: string
  readonly detector: string
  readonly key: ReadonlyMap<string, string | null>
  readonly windowStart: number
  readonly windowEnd: number
  /** Numbers that are NaN or infinite are null in the record. */
  readonly features: ReadonlyMap<string, FeatureValue>
  readonly score: number
  readonly severity: number
  readonly rev: number | bigint
  readonly status: Status
  readonly detectedAt: number
}

/** Collects anomalies as columns, each with the input row it came from. */
export class AnomalyRows {
  readonly columns: readonly Column[] = ANOMALY.fields.map(f => createColumn(f))
  readonly sources: number[] = []
  readonly #pipeline: string
  readonly #flow: string

  constructor(pipeline: string, flow: string) {
    this.#pipeline = pipeline
    this.#flow = flow
  }

  add(source: number, a: Anomaly): void {
    const features = new Map([...a.features].map(([name, f]) => [name, finite(f)]))
    const cells = [
      a.id,
      this.#pipeline,
      this.#flow,
      a.view,
      a.detector,
      a.key,
      a.windowStart,
      a.windowEnd,
      features,
      a.score,
      SEVERITIES[a.severity],
      null,
      null,
      a.rev,
      a.status,
      a.detectedAt,
    ]
    cells.forEach((cell, i) => {
      appendValue(this.columns[i], cell)
    })
    this.sources.push(source)
  }
}

const finite = (f: FeatureValue): Readonly<Record<string, number | null>> =>
  Object.fromEntries(Object.entries(f).map(([name, value]) => [name, Number.isFinite(value) ? value : null]))
