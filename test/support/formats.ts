import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createRegistryServer } from '../../embedded/schema-registry/server'
import { RegistryStore } from '../../embedded/schema-registry/store'
import type { RecordBlock } from '../../runtime/batch'
import type { ConnectError } from '../../runtime/errors'
import { silent } from '../../runtime/events'
import type { Decoder, Encoder, FormatContext } from '../../runtime/plugin'
import type { Schema } from '../../runtime/schema'
import { valueAt } from '../../runtime/value'

export const never = new AbortController().signal

/** Records of one partition; `part` says whether these are keys or values. Bytes of others stand between and around them. */
export function blockOf(records: readonly (Buffer | null)[], part: 'key' | 'value' = 'value'): RecordBlock {
  const count = records.length
  const start = new Int32Array(count).fill(-1)
  const end = new Int32Array(count).fill(-1)
  // 0x02 and 0x80 are valid beginnings of varints, so that reading over an edge gives a value and not an error
  const parts: Buffer[] = [Buffer.from([2, 0x80])]
  let at = 2
  records.forEach((record, i) => {
    if (record) {
      start[i] = at
      end[i] = at + record.length
      parts.push(record)
      at += record.length
    }
    parts.push(Buffer.from([2, 0x80]))
    at += 2
  })
  const none = new Int32Array(count).fill(-1)
  const [key, value] =
    part === 'key'
      ? [
          [start, end],
          [none, none],
        ]
      : [
          [none, none],
          [start, end],
        ]
  return {
    topic: 't',
    partition: 0,
    count,
    buffer: Buffer.concat(parts),
    keyStart: key[0],
    keyEnd: key[1],
    valueStart: value[0],
    valueEnd: value[1],
    headersStart: new Int32Array(count),
    headersEnd: new Int32Array(count),
    offset: Float64Array.from({ length: count }, (_, i) => i),
    timestamp: new Float64Array(count).fill(-1),
  }
}

export type Rejections = Map<number, ConnectError>

/** Decodes blocks with one decoder; rejections by row of the columns. */
export async function decodeBlocks(
  decoder: Decoder,
  blocks: readonly RecordBlock[],
  part: 'key' | 'value' = 'value',
): Promise<Rejections> {
  const rejected: Rejections = new Map()
  let base = 0
  for (const block of blocks) {
    const from = base
    await decoder.decode(block, part, (row, error) => rejected.set(from + row, error), never)
    base += block.count
  }
  return rejected
}

/** Row as an object of plain values. */
export const rowAt = (decoder: Pick<Decoder, 'columns'>, schema: Schema, row: number): Record<string, unknown> =>
  Object.fromEntries(schema.fields.map((f, i) => [f.name, valueAt(decoder.columns[i], row)]))

/** Bytes of every row; throws where the encoder refuses one. */
export const encodeRows = (encoder: Encoder, columns: Decoder['columns'], rows: number): (Buffer | null)[] =>
  Array.from({ length: rows }, (_, row) => {
    const bytes = encoder.encode(columns, row)
    if (bytes instanceof Error) throw bytes
    return bytes
  })

export const formatContext = (over: Partial<FormatContext> = {}): FormatContext => ({
  registry: null,
  baseDir: process.cwd(),
  events: silent,
  topics: ['t'],
  part: 'value',
  ...over,
})

export interface TestRegistry {
  readonly url: string
  /** Registers a schema under a subject of its own, or the one named, and gives its id. */
  add(schema: unknown, subject?: string): number
  /** Refuses connections until `resume`, which listens on the same port. */
  pause(): Promise<void>
  resume(): Promise<void>
  stop(): Promise<void>
}

/** A registry for the tests of one file or `describe`. */
export function testRegistry(): Pick<TestRegistry, 'url' | 'add'> {
  let started: TestRegistry | undefined
  const running = (): TestRegistry => {
    if (!started) throw new Error('the registry is started before the first test')
    return started
  }
  beforeAll(async () => {
    started = await startRegistry()
  })
  afterAll(() => started?.stop())
  return {
    get url() {
      return running().url
    },
    add: (schema, subject) => running().add(schema, subject),
  }
}

let subjects = 0

/** The embedded schema registry in this process, on a free port. */
export async function startRegistry(): Promise<TestRegistry> {
  const folder = mkdtempSync(path.join(tmpdir(), 'registry-'))
  const store = new RegistryStore(folder)
  let server = createRegistryServer(store)
  const listen = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const port = await listen(0)
  const pause = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return {
    url: `http://127.0.0.1:${port}`,
    add: (schema, subject = `subject-${subjects++}`) => store.register(subject, JSON.stringify(schema)),
    pause,
    resume: async () => {
      server = createRegistryServer(store)
      await listen(port)
    },
    stop: async () => {
      await pause()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
