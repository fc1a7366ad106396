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

export type OnError =
  | { readonly kind: 'stop' }
  | { readonly kind: 'dead_letter'; readonly connection: string; readonly topic: string }
  | { readonly kind: 'dead_letter_file'; readonly path: string }

export type { FormatSpec }
