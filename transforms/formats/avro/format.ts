import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { RecordBlock } from '../../../runtime/batch'
import { ConnectError } from '../../../runtime/errors'
import type { Memory } from '../../../runtime/memory'
import type { Decoder, Encoder, Format, FormatContext } from '../../../runtime/plugin'
import type { Schema } from '../../../runtime/schema'
import type { AvroConfig } from '../avro'
import { AvroDecoder, HEADER } from './decoder'
import { AvroEncoder } from './encode'
import { parseSchema, parseText } from './parse'
import { RegistryClient } from './registry'
import type { Json, Node } from './schema'
import { schemaText } from './serialize'
import { cleanName, fromSchema, toSchema } from './types'
import { Writers } from './writers'

export class AvroFormat implements Format {
  readonly #config: AvroConfig
  readonly #context: FormatContext
  #client: RegistryClient | null = null
  #writers: Writers | null = null
  #reader: { readonly node: Node; readonly schema: Schema } | null = null
  /** Writer schemas already told of. */
  readonly #met = new Set<number>()

  constructor(config: AvroConfig, context: FormatContext) {
    this.#config = config
    this.#context = context
  }

  async open(signal: AbortSignal): Promise<Schema | null> {
    this.#connect()
    const { reader_schema } = this.#config
    const node = reader_schema === undefined ? await this.#latest(signal) : this.#configured(reader_schema).node
    return node && this.#fix(node)
  }

  async infer(block: RecordBlock, part: 'key' | 'value', signal: AbortSignal): Promise<Schema> {
    const { writers } = this.#connect()
    const starts = part === 'key' ? block.keyStart : block.valueStart
    const ends = part === 'key' ? block.keyEnd : block.valueEnd
    const tried = new Set<number>()
    for (let i = 0; i < block.count; i++) {
      const p = starts[i]
      if (p < 0 || ends[i] - p < HEADER || block.buffer[p] !== 0) continue
      const id = block.buffer.readInt32BE(p + 1)
      if (tried.has(id)) continue
      tried.add(id)
      if (!writers.get(id)) await writers.fetch([id], signal)
      const writer = writers.get(id)
      if (writer && 'node' in writer) return this.#fix(writer.node)
    }
    throw new ConnectError('C016_SCHEMA', `no ${part} of the first ${block.count} record(s) has a usable schema id`, {
      hint: 'name the schema by `reader_schema:`, or register it in the schema registry',
    })
  }

  decoder(schema: Schema, capacity: number, memory?: Memory): Decoder {
    const { writers } = this.#connect()
    const reader = this.#reader?.schema === schema ? this.#reader.node : fromSchema(schema, this.#recordName())
    return new AvroDecoder({
      schema,
      reader,
      capacity,
      memory,
      writers,
      onWriter: (id, writer) => this.#tell(id, writer, reader),
    })
  }

  async encoder(schema: Schema, signal: AbortSignal): Promise<Encoder> {
    const { client } = this.#connect()
    const configured = this.#config.schema === undefined ? null : this.#configured(this.#config.schema)
    const node = configured?.node ?? fromSchema(schema, this.#recordName())
    // compiled before it is registered: a schema the columns do not fit should not reach the registry
    new AvroEncoder(node, schema, 0)
    const text = configured?.text ?? schemaText(node)
    const subject = this.#config.subject ?? this.#subject(this.#context.topics[0] ?? '')
    if (this.#config.auto_register) {
      const id = await client.register(subject, text, signal)
      const { pipeline = '', flow = '' } = this.#context
      this.#context.events.emit('schema_registered', { pipeline, flow, subject, id })
      return new AvroEncoder(node, schema, id)
    }
    const id = await client.lookup(subject, text, signal)
    if (id !== null) return new AvroEncoder(node, schema, id)
    throw new ConnectError('K008_REGISTRY', `the schema is not registered under the subject ${subject}`, {
      hint: 'register it, or set auto_register: true',
    })
  }

  async close(): Promise<void> {
    this.#client?.close()
    this.#client = null
    this.#writers = null
  }

  #connect(): { client: RegistryClient; writers: Writers } {
    const { registry, baseDir } = this.#context
    if (!registry) {
      throw new ConnectError('E002_CONNECTION_MISSING', 'the format avro needs a schema registry', {
        hint: 'set `schema_registry:` on the connection',
      })
    }
    const client = this.#client ?? new RegistryClient(registry, baseDir)
    const writers = this.#writers ?? new Writers(client)
    this.#client = client
    this.#writers = writers
    return { client, writers }
  }

  #fix(node: Node): Schema {
    const schema = toSchema(node)
    this.#reader = { node, schema }
    return schema
  }

  #subject(topic: string): string {
    return `${topic}-${this.#context.part}`
  }

  #recordName(): string {
    const topic = this.#context.topics[0]
    return cleanName(topic ? `${topic}${this.#context.part === 'key' ? '_key' : ''}` : 'record')
  }

  /** The latest schema of the topics' subjects; null if none is registered. */
  async #latest(signal: AbortSignal): Promise<Node | null> {
    const { client, writers } = this.#connect()
    const { subject } = this.#config
    const subjects = subject === undefined ? this.#context.topics.map(t => this.#subject(t)) : [subject]
    let found: { readonly node: Node; readonly subject: string } | null = null
    for (const name of subjects) {
      const registered = await client.version(name, 'latest', signal)
      if (!registered) continue
      const node = await writers.parse(registered, signal)
      if (found && schemaText(found.node) !== schemaText(node)) {
        throw new ConnectError('C016_SCHEMA', `the subjects ${found.subject} and ${name} hold different schemas`, {
          hint: 'name the schema to read all topics as by `reader_schema:`, or give each topic a flow of its own',
        })
      }
      found ??= { node, subject: name }
    }
    return found?.node ?? null
  }

  #configured(schema: NonNullable<AvroConfig['schema']>): { readonly node: Node; readonly text: string } {
    if (typeof schema !== 'string') return { node: parseSchema(schema as Json), text: JSON.stringify(schema) }
    let text: string
    try {
      text = readFileSync(resolve(this.#context.baseDir, schema), 'utf8')
    } catch (cause) {
      throw new ConnectError('C012_UNREADABLE_FILE', `the Avro schema ${schema} cannot be read: ${(cause as Error).message}`, {
        cause,
      })
    }
    return { node: parseText(text), text }
  }

  /** Says once per id that records come with another schema than they are read as. */
  #tell(id: number, writer: Node, reader: Node): void {
    if (this.#met.has(id)) return
    this.#met.add(id)
    if (writer === reader || schemaText(writer) === schemaText(reader)) return
    const { pipeline = '', flow = '', topics } = this.#context
    const subject = this.#config.subject ?? topics.map(t => this.#subject(t)).join(', ')
    this.#context.events.emit('schema_evolved', {
      pipeline,
      flow,
      subject,
      detail: `records of schema ${id} are read as the schema this flow started with`,
    })
  }
}
