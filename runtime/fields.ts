import { z } from 'zod'

/**
 * Field builders for declarations. Each is a zod schema that takes what stands in YAML and gives what the code uses (durations
 * in milliseconds, sizes in bytes). Metadata (`secret`, `advanced`, `examples`, `plugin`) is zod's own `.meta()`, read by the
 * loader, the scrubber, the JSON Schema and the reference page. Defaults: use `.prefault()` with the YAML form ('200ms'), not
 * `.default()`, which vanishes from the JSON Schema after a transform.
 */

export interface FieldMeta {
  /** Never shown: scrubbed from logs, errors, plans. */
  readonly secret?: boolean
  readonly advanced?: boolean
  readonly examples?: readonly unknown[]
  /** The value names a plugin of this kind: `json` or `{format: json, ...}`. The loader validates the rest by its declaration. */
  readonly plugin?: 'format' | 'detector'
  readonly [key: string]: unknown
}

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** Milliseconds of `250ms`, `5s`, `1.5m`, `4h`, `90d`; null if the text is none of these. */
export function parseDuration(text: string): number | null {
  const match = DURATION.exec(text)
  return match ? Math.round(Number(match[1]) * MILLISECONDS[match[2]]) : null
}

const BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, kB: 1e3, MB: 1e6, GB: 1e9 }
const SIZE = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|kB|MB|GB)$/

/** Bytes of `512KiB`, `32MiB`, `1GB`; null if the text is none of these. */
export function parseBytes(text: string): number | null {
  const match = SIZE.exec(text)
  return match ? Math.round(Number(match[1]) * BYTES[match[2]]) : null
}

const parsed = (parse: (text: string) => number | null, pattern: RegExp, what: string) =>
  z
    .string()
    // a check of several fields must not see the text as it stands: all that it says of it follows from this mistake
    .regex(pattern, { error: `expected ${what}`, abort: true })
    .transform((text, context) => {
      const value = parse(text)
      if (value === null) {
        context.addIssue({ code: 'custom', message: `expected ${what}` })
        return z.NEVER
      }
      return value
    })

/** A duration as `200ms`, `5s`, `10m`, `4h`, `90d`; milliseconds in code. */
export const duration = () => parsed(parseDuration, DURATION, 'a duration such as 200ms, 5s, 10m, 4h or 90d')

/** A size as `512KiB`, `32MiB`, `1GB`; bytes in code. */
export const bytes = () => parsed(parseBytes, SIZE, 'a size such as 512KiB, 32MiB or 1GB')

/** A string that must never be shown. */
export const secret = () => z.string().meta({ secret: true } satisfies FieldMeta)

/** A topic name (Kafka: letters, digits, `.`, `_`, `-`, at most 249). */
export const topicName = () =>
  z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,249}$/, 'expected a topic name: letters, digits, ".", "_", "-", at most 249')
    .refine(name => name !== '.' && name !== '..', 'a topic cannot be named "." or ".."')

/** A column name. Names that start with `_` are kept for provenance. */
export const columnName = () =>
  z
    .string()
    .min(1)
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected a column name: letters, digits, "_"')

/**
 * A format: `avro`, or `{format: avro, ...its options}`. After loading it is a FormatSpec with the options validated by that
 * format's declaration.
 */
export const format = () =>
  z.union([z.string(), z.looseObject({ format: z.string() })]).meta({ plugin: 'format' } satisfies FieldMeta)

/** A detector: `{type: ewma, ...its options}`. After loading it is a DetectorSpec, validated by that detector's declaration. */
export const detector = () => z.looseObject({ type: z.string() }).meta({ plugin: 'detector' } satisfies FieldMeta)

export interface DetectorSpec {
  readonly type: string
  readonly config: unknown
}

/** When a lane's batch is cut: by whichever limit is met first. */
export const flush = () =>
  z
    .strictObject({
      rows: z.int().min(1).max(10_000_000).prefault(100_000).describe('Rows at which a batch is cut.'),
      bytes: bytes().prefault('32MiB').describe('Source bytes at which a batch is cut.'),
      interval: duration().prefault('200ms').describe('Age of the oldest waiting record at which a batch is cut.'),
    })
    .prefault({})

export type Flush = z.output<ReturnType<typeof flush>>

const columnSource = () =>
  z
    .string()
    .regex(
      /^(key(\.[^?]+)?|timestamp|topic|partition|offset|connection|headers|header\.[^?]+)\??$/,
      'expected key, key.<field>, timestamp, topic, partition, offset, connection, headers or header.<name>, with a trailing ? where null is allowed',
    )

/** Options of every source that delivers undecoded records; the engine's decode stage reads them. */
export const rawSourceFields = {
  value: format().describe('Format of the record values.'),
  key: format().prefault('string').describe('Format of the record keys; read only where `columns` asks for them.'),
  columns: z
    .record(columnName(), columnSource())
    .prefault({})
    .describe('Further columns: the record key, timestamp, headers, topic, partition, offset or connection.'),
  on_tombstone: z
    .enum(['reject', 'skip'])
    .prefault('reject')
    .describe('A record without value: reject it (stop or dead letter) or skip it (counted as filtered).'),
} as const

export interface FormatSpec {
  readonly format: string
  readonly config: unknown
}

export interface RawSourceOptions {
  readonly value: FormatSpec
  readonly key: FormatSpec
  readonly columns: Readonly<Record<string, string>>
  readonly on_tombstone: 'reject' | 'skip'
}

/** What an inline schema may name; parsed by `parseType` in runtime/type_text.ts. */
export const inlineSchema = () =>
  z
    .record(columnName(), z.string())
    .describe('Columns and their types, e.g. {ts: timestamp(ms), device: utf8, cpu: f64?}; a trailing ? allows null.')
