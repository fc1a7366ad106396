import type { z } from 'zod'
import type { Batch, ColumnBlock, RawRecord, RecordBlock } from './batch'
import type { Clock } from './clock'
import type { DeadLetterWriter, Format, Sink, Source, Transform } from './contracts'
import type { Detector, DetectorContext } from './detector'
import type { Emitter } from './events'
import type { DetectorSpec } from './fields'
import type { OffsetRange, TopicPartition } from './origin'
import type { Schema } from './schema'
import type { ViewSpec } from './spec'
import type { SharedClosings, ViewClosings, WindowStore } from './views/contracts'

/**
 * The one declaration every plugin makes, and what its instances are given. This file is the public entry `olap-connect/plugin`;
 * what a third party needs is exported from here, the contracts (`contracts.ts`) too.
 */

/** What an instance is given beside its config. */
export interface PluginContext<Connection = unknown> {
  readonly pipeline: string
  readonly flow: string
  /** The validated connection this plugin uses; undefined where its declaration names none. */
  readonly connection: Connection
  /** Name of that connection in the file. */
  readonly connectionName: string
  readonly lanes: number
  /** Folder of the pipeline file, for relative paths. */
  readonly baseDir: string
  /** Folder for positions and other state of this machine. */
  readonly dataDir: string
  readonly clock: Clock
  readonly events: Emitter
  /** Bytes this flow may hold in memory, read but not yet written. */
  readonly memory: number
  /** Views of the pipeline; absent outside of a running one. */
  readonly views?: readonly ViewSpec[]
  /** The closings of one of them. Closed by the engine. */
  readonly closings?: (view: string) => ViewClosings
  /** Makes a detector of a loaded `detectors:` entry; absent outside of a pipeline, where only the built-in ones are known. */
  readonly detector?: (spec: DetectorSpec, context: DetectorContext) => Detector
  /** Flows of the same run that make what this one reads under a name of its `reads`; absent outside of a running pipeline. */
  readonly makers?: (name: string) => Makers
  /** Prints text and resolves when more may be printed; absent where there is no standard output to print to. */
  readonly stdout?: (text: string) => Promise<void>
}

/** Names of flows that make something which others read. Those that ended well are in neither list. */
export interface Makers {
  /** They may still make it. */
  readonly working: readonly string[]
  /** They have failed for good. */
  readonly failed: readonly string[]
}

/** What a format is given. The registry is that of the connection of the source or sink it serves. */
export interface FormatContext {
  readonly registry: RegistryEndpoint | null
  readonly baseDir: string
  readonly events: Emitter
  /** Topics of the source, or the topic of the sink: names the subjects `<topic>-key` and `<topic>-value`. */
  readonly topics: readonly string[]
  readonly part: 'key' | 'value'
  /** For events; absent outside of a running pipeline. */
  readonly pipeline?: string
  readonly flow?: string
}

export interface RegistryEndpoint {
  readonly url: string
  readonly username?: string
  readonly password?: string
  readonly ca?: string
}

export type PluginStatus = 'stable' | 'beta' | 'experimental'

export interface Example {
  readonly title: string
  /** A whole pipeline file that runs as it is: with embedded services, or none. */
  readonly yaml: string
  /** Text files it needs beside it, by their path as seen from it. */
  readonly files?: Readonly<Record<string, string>>
}

interface DeclarationBase<Config extends z.ZodType> {
  /** The word in YAML; also the file's and the test's name. */
  readonly name: string
  readonly status: PluginStatus
  /** Version that brought it. */
  readonly since: string
  readonly summary: string
  readonly description: string
  readonly config: Config
  readonly examples: readonly Example[]
  readonly conformance: Conformance
}

export interface Conformance {
  /** Tests of the shared suite this plugin cannot pass, with the reason. */
  readonly skip?: Readonly<Record<string, string>>
  /** A minimal valid config (YAML form) with which the suite creates an instance without outside services, where that can be. */
  readonly config?: unknown
  /** Input schema for transforms and sinks in the suite; null or absent: the suite's own. */
  readonly schema?: Schema
}

export interface SourceCapabilities {
  /** Undecoded records (with `value:` in the config) or typed columns. */
  readonly delivers: 'records' | 'columns'
  /** Exactly the same ranges can be read again. */
  readonly exactly_once: boolean
  /** Several workers can share it. */
  readonly groups: boolean
  /** Several rows have the same offset, so rows cannot be told apart by it. Absent: each row has its own. */
  readonly shared_offsets?: boolean
}

export interface SinkCapabilities {
  readonly exactly_once: boolean
  readonly upsert: boolean
  readonly create_table: boolean
  readonly transactional: boolean
}

/** What a connection tells others without them knowing its type. */
export interface ConnectionDeclaration<Config extends z.ZodType = z.ZodType> extends DeclarationBase<Config> {
  readonly kind: 'connection'
  /** Addresses that may be `embedded`, and the embedded service behind each. Replaced before anything is created. */
  readonly embedded: Readonly<Record<string, EmbeddedService>>
  registry?(config: z.output<Config>): RegistryEndpoint | null
}

export type EmbeddedService = 'kafka' | 'clickhouse' | 'schema_registry'

export interface SourceDeclaration<Config extends z.ZodType = z.ZodType, Connection = unknown> extends DeclarationBase<Config> {
  readonly kind: 'source'
  /** Type of the connection it uses; null = none. */
  readonly connection: string | null
  readonly capabilities: SourceCapabilities
  /** True if the input ends by itself with this config. */
  bounded(config: z.output<Config>): boolean
  /** True if this config gives input for ever with no end that a run could catch up with. Absent: never. */
  endless?(config: z.output<Config>): boolean
  /** What it reads, as names that a sink's `writes` may equal: lets the engine order bounded runs and name subjects. */
  reads(config: z.output<Config>): readonly string[]
  create(config: z.output<Config>, context: PluginContext<Connection>): Source
}

export interface SinkDeclaration<Config extends z.ZodType = z.ZodType, Connection = unknown> extends DeclarationBase<Config> {
  readonly kind: 'sink'
  readonly connection: string | null
  readonly capabilities: SinkCapabilities
  writes(config: z.output<Config>): readonly string[]
  create(config: z.output<Config>, context: SinkContext<Connection>): Sink
  /** Throws what the columns of a flow alone show to be wrong, as `open` would, so that it is found in the file. Opens nothing. */
  checkColumns?(config: z.output<Config>, schema: Schema): void
  /** Only where views can stand on its tables: opens the windows of one, whose objects the sink has made. */
  windows?(view: ViewSpec, context: PluginContext<Connection>, signal: AbortSignal): Promise<WindowStore>
  /** Only where closings of views can be kept in this kind of connection. Nothing is opened. */
  closings?(options: ClosingsOptions, context: PluginContext<Connection>): SharedClosings
  /** Only where dead letters can go to this kind of connection. */
  deadLetters?(topic: string, context: PluginContext<Connection>): DeadLetterWriter
}

export interface ClosingsOptions {
  readonly view: string
  /** Into how many shards its keys are split where nothing is there yet. */
  readonly shards: number
  /** After so many milliseconds without a sign of life another worker finalises. */
  readonly sessionTimeout: number
}

export interface SinkContext<Connection = unknown> extends PluginContext<Connection> {
  /** Makes a format for `value:` or `key:` of the sink's config. */
  format(spec: { readonly format: string; readonly config: unknown }, part: 'key' | 'value', topic: string): Format
  /** Topics of the flow's source. */
  readonly sourceTopics: readonly string[]
}

export interface TransformCapabilities {
  /** The output also depends on the batches before. */
  readonly stateful: boolean
  /** The output has rows of its own. Absent: it has those of the input. */
  readonly changes_rows?: boolean
  /** Rows of the output are anomaly records, which are counted once they are written. */
  readonly finds_anomalies?: boolean
}

export interface TransformDeclaration<Config extends z.ZodType = z.ZodType> extends DeclarationBase<Config> {
  readonly kind: 'transform'
  readonly capabilities: TransformCapabilities
  /** The columns that come out, where they are the same whatever goes in: they are known before the input's are. */
  readonly gives?: Schema
  create(config: z.output<Config>, context: PluginContext): Transform
}

export interface FormatDeclaration<Config extends z.ZodType = z.ZodType> extends DeclarationBase<Config> {
  readonly kind: 'format'
  readonly capabilities: { readonly encodes: boolean; readonly needs_registry: boolean }
  create(config: z.output<Config>, context: FormatContext): Format
}

/** `create` is called once for each lane: an instance holds the state of one. */
export interface DetectorDeclaration<Config extends z.ZodType = z.ZodType> extends DeclarationBase<Config> {
  readonly kind: 'detector'
  create(config: z.output<Config>, context: DetectorContext): Detector
}

export type Declaration =
  | ConnectionDeclaration
  | SourceDeclaration
  | SinkDeclaration
  | TransformDeclaration
  | FormatDeclaration
  | DetectorDeclaration

/**
 * The `define` functions only give the config its type. They return the declaration with that type erased, which is what the
 * registry holds: the loader has validated the config by the same declaration before `create` sees it.
 */
export const defineConnection = <C extends z.ZodType>(d: Omit<ConnectionDeclaration<C>, 'kind'>): ConnectionDeclaration =>
  erase({ ...d, kind: 'connection' })
export const defineSource = <C extends z.ZodType, N = unknown>(d: Omit<SourceDeclaration<C, N>, 'kind'>): SourceDeclaration =>
  erase({ ...d, kind: 'source' })
export const defineSink = <C extends z.ZodType, N = unknown>(d: Omit<SinkDeclaration<C, N>, 'kind'>): SinkDeclaration =>
  erase({ ...d, kind: 'sink' })
export const defineTransform = <C extends z.ZodType>(d: Omit<TransformDeclaration<C>, 'kind'>): TransformDeclaration =>
  erase({ ...d, kind: 'transform' })
export const defineFormat = <C extends z.ZodType>(d: Omit<FormatDeclaration<C>, 'kind'>): FormatDeclaration =>
  erase({ ...d, kind: 'format' })
export const defineDetector = <C extends z.ZodType>(d: Omit<DetectorDeclaration<C>, 'kind'>): DetectorDeclaration =>
  erase({ ...d, kind: 'detector' })

const erase = <D extends Declaration>(declaration: unknown): D => declaration as D

export { liveRows } from './batch'
export type { Column } from './column'
export { createColumn } from './column'
export type * from './contracts'
export type { Detector, DetectorContext, Explanation, Point } from './detector'
export { NOT_READY } from './detector'
export { ConnectError } from './errors'
export * as fields from './fields'
export { KeyFloats, packFloats, unpackFloats } from './key_floats'
export { rowJson } from './row_json'
export { takeBatch } from './take'
export { appendValue, valueAt } from './value'
export type { Batch, ColumnBlock, OffsetRange, RawRecord, RecordBlock, Schema, TopicPartition }
