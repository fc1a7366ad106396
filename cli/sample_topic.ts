import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { stringify } from 'yaml'
import { ConnectError } from '../runtime/errors'
import type { Schema } from '../runtime/schema'
import type { Io } from './io'
import { jsonColumns } from './json_columns'
import type { SCAFFOLD_VALUES } from './scaffold'
import { withPipeline } from './session'
import { followTopic } from './topic_reader'

/** What a topic holds, as its first records show. */
export interface TopicSample {
  readonly value: (typeof SCAFFOLD_VALUES)[number]
  /** Null: the topic is empty. */
  readonly schema: Schema | null
  readonly rows: readonly string[]
}

/** As many as a `file` source looks at. */
const LOOK_AT = 1000
const SHOW = 3

export interface SampleOptions {
  readonly topic: string
  /** Addresses, `embedded` or a `${VARIABLE}`, as in a pipeline file. */
  readonly brokers: string
  readonly registry: string | null
  /** The address that `registry` stands for where nobody named one; it is told, and how to name another. */
  readonly assumed: string | null
  readonly data: string
}

/** Reads the first records of a topic, and their schema from the registry where they are Avro. Commits nothing. */
export async function sampleTopic({ topic, brokers, registry, assumed, data }: SampleOptions, io: Io): Promise<TopicSample> {
  const folder = mkdtempSync(path.join(tmpdir(), 'connect-init-'))
  const file = path.join(folder, 'sample.yaml')
  const kafka = { brokers, ...(registry === null ? {} : { schema_registry: registry }) }
  const flow = { source: { type: 'kafka', topics: [topic], value: 'bytes' }, sink: { type: 'stdout' } }
  writeFileSync(file, stringify({ name: 'sample', connections: { kafka }, flows: { sample: flow } }))
  try {
    return await withPipeline(file, data, io, async open => {
      const read = async (format: string, limit: number): Promise<{ rows: string[]; schema: Schema | null }> => {
        const rows: string[] = []
        let schema: Schema | null = null
        const reading = {
          connection: 'kafka',
          topic,
          from: 'beginning' as const,
          value: { format, config: {} },
          bounded: true,
          schema: (found: Schema) => {
            schema = found
          },
        }
        await followTopic(open, reading, async row => rows.push(row) < limit)
        return { rows, schema }
      }
      const { rows: raw } = await read('bytes', LOOK_AT)
      const value = formatOf(raw, registry !== null)
      if (raw.length === 0) return { value, schema: null, rows: [] }
      const guessed = value === 'avro' ? assumed : null
      if (guessed !== null) await io.err(`its schemas are looked for in ${guessed}; ${NAME_REGISTRY}\n`)
      const { rows, schema } = await read(value, SHOW).catch((error: unknown) => {
        throw guessed === null ? error : withoutRegistry(error, guessed)
      })
      return { value, schema: value === 'json' ? jsonColumns(raw.map(textOf)) : schema, rows: rows.map(withoutProvenance) }
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const NAME_REGISTRY = '--registry URL or the variable SCHEMA_REGISTRY_URL names another'

/** A registry that nobody named does not answer, or has not these schemas: what is missing is its address. */
export function withoutRegistry(error: unknown, guessed: string): unknown {
  if (!(error instanceof ConnectError)) return error
  const { code, message, stage, retriable } = error
  const hint = `nobody named a schema registry, so it was ${guessed}: ${NAME_REGISTRY}`
  return new ConnectError(code, message, { stage, retriable, cause: error, hint })
}

const bytesOf = (row: string): Buffer => Buffer.from((JSON.parse(row) as { value?: string | null }).value ?? '', 'base64')
const textOf = (row: string): string => bytesOf(row).toString()

/** By the values: Confluent's Avro begins with a zero byte, JSON objects parse. An empty topic is taken for what is usual. */
function formatOf(rows: readonly string[], registry: boolean): TopicSample['value'] {
  const values = rows.map(bytesOf)
  if (values.length === 0) return registry ? 'avro' : 'json'
  if (registry && values.every(v => v.length > 5 && v[0] === 0)) return 'avro'
  return values.every(isJsonObject) ? 'json' : 'string'
}

function isJsonObject(value: Buffer): boolean {
  try {
    const parsed: unknown = JSON.parse(value.toString())
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
  } catch {
    return false
  }
}

/** Cells of the reading itself stand first and begin with `_`; the text of the others is kept as it is, all digits of it. */
function withoutProvenance(row: string): string {
  return row.replace(/"_(key|partition|offset|time)":("(?:[^"\\]|\\.)*"|[^,}]*),?/g, '').replace(/,}$/, '}')
}
