import type { FormatSpec } from './fields'

/** Plain types of a loaded pipeline: defaults filled in, durations in milliseconds, references resolved, `connection:` lists expanded. */

export interface PipelineSpec {
  readonly name: string
  /** Path of the file it came from. */
  readonly file: string
  readonly baseDir: string
  readonly connections: Readonly<Record<string, ConnectionSpec>>
  /** Connection that keeps the pipeline's own topics; null if the pipeline has no Kafka. */
  readonly home: string | null
  readonly flows: readonly FlowSpec[]
  readonly views: readonly ViewSpec[]
  /** Bytes in flight per worker. */
  readonly memory: number
  readonly shutdownTimeout: number
}

export interface ConnectionSpec {
  readonly name: string
  readonly type: string
  /** Validated by the connection's declaration. Addresses may still read `embedded`. */
  readonly config: unknown
}

export interface FlowSpec {
  /** `ingest`, or `ingest@kafka_eu` where a list of connections was expanded. */
  readonly name: string
  readonly source: PluginSpec
  readonly transforms: readonly PluginSpec[]
  readonly sink: PluginSpec
  readonly onError: OnError
  readonly lanes: number
}

export interface PluginSpec {
  readonly type: string
  /** Name of the connection; null where the plugin uses none. */
  readonly connection: string | null
  /** Validated and transformed by the plugin's declaration; format fields are FormatSpec. */
  readonly config: unknown
  /** Where it stands in the file, for errors found later (binding a schema): `file:line:column`. */
  readonly at: string
}

/**
 * A view: aggregates of a table's rows by key, in windows of event time `[start, end)` of `size` that begin every `slide`; without
 * `size` one row a key over everything. Durations in milliseconds; size, slide and offset are whole seconds and slide divides size.
 */
export interface ViewSpec {
  readonly name: string
  /** Connection of the table. */
  readonly connection: string
  /** Table that flows of this pipeline write. */
  readonly from: string
  /** Event time column of the table; null only for a view without windows. */
  readonly time: string | null
  /** Null: no windows. */
  readonly window: { readonly size: number; readonly slide: number; readonly offset: number } | null
  readonly keys: readonly string[]
  /** SQL. */
  readonly where: string | null
  /** Name -> SQL over aggregate functions. */
  readonly columns: Readonly<Record<string, string>>
  readonly delay: number
  readonly lateness: number
  /** Null: rows of windows are kept for ever. */
  readonly retain: number | null
  /** How long partial aggregates are kept, in event time, after the last window they belong to is final. */
  readonly panesRetain: number
  /** `file:line:column`. */
  readonly at: string
}

export type OnError =
  | { readonly kind: 'stop' }
  | { readonly kind: 'dead_letter'; readonly connection: string; readonly topic: string }
  | { readonly kind: 'dead_letter_file'; readonly path: string }

export type { FormatSpec }
