import { ConnectError } from '../../../runtime/errors'
import { type Names, parseText } from './parse'
import type { RegisteredSchema, RegistryClient } from './registry'
import type { Node } from './schema'

/** How long an id that the registry did not know is not asked for again: bad records come in floods. */
const FORGET_MS = 30_000
/** Most unknown ids remembered, so that records with random ids do not fill the memory. */
const MAX_UNKNOWN = 10_000
/** Requests at a time. */
const PARALLEL = 4
/** Schemas may reference others; deeper chains are refused. */
const MAX_REFERENCES = 100

/** What an id stands for: its schema, or why its records cannot be read. */
export type Writer = { readonly node: Node } | { readonly error: ConnectError }

/** Writer schemas by id. A known id never changes, so it is asked for once. */
export class Writers {
  readonly #known = new Map<number, Writer>()
  readonly #unknown = new Map<number, { readonly writer: Writer; readonly until: number }>()
  constructor(readonly client: RegistryClient) {}

  get(id: number): Writer | undefined {
    const known = this.#known.get(id)
    if (known) return known
    const unknown = this.#unknown.get(id)
    return unknown && unknown.until > performance.now() ? unknown.writer : undefined
  }

  /** Fetches ids that `get` does not know. Throws retriable errors while the registry is away. */
  async fetch(ids: readonly number[], signal: AbortSignal): Promise<void> {
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < ids.length) await this.#fetchOne(ids[next++], signal)
    }
    await Promise.all(Array.from({ length: Math.min(PARALLEL, ids.length) }, worker))
  }

  async #fetchOne(id: number, signal: AbortSignal): Promise<void> {
    const registered = await this.client.byId(id, signal)
    if (registered) {
      this.#known.set(id, await this.#read(registered, signal))
      return
    }
    if (this.#unknown.size >= MAX_UNKNOWN) this.#unknown.clear()
    const error = new ConnectError('D002_UNKNOWN_SCHEMA_ID', `the schema registry knows no schema ${id}`)
    this.#unknown.set(id, { writer: { error }, until: performance.now() + FORGET_MS })
  }

  async #read(registered: RegisteredSchema, signal: AbortSignal): Promise<Writer> {
    try {
      return { node: await this.parse(registered, signal) }
    } catch (error) {
      if (!(error instanceof ConnectError) || error.retriable || error.code[0] === 'E') throw error
      const message = `schema ${registered.id} cannot be used: ${error.message}`
      return { error: new ConnectError('D003_INCOMPATIBLE_SCHEMA', message, { cause: error }) }
    }
  }

  /** A registered schema with all it references. Throws C016_SCHEMA where it is no Avro schema. */
  async parse(registered: RegisteredSchema, signal: AbortSignal): Promise<Node> {
    const names: Names = new Map()
    const budget = { left: MAX_REFERENCES }
    await this.#references(registered, names, new Set(), budget, signal)
    return parseText(registered.schema, names)
  }

  async #references(
    schema: RegisteredSchema,
    names: Names,
    seen: Set<string>,
    budget: { left: number },
    signal: AbortSignal,
  ): Promise<void> {
    if (schema.schemaType !== 'AVRO') throw new ConnectError('C016_SCHEMA', `it is ${schema.schemaType}, not Avro`)
    for (const { subject, version } of schema.references) {
      const key = `${subject} ${version}`
      if (seen.has(key)) continue
      seen.add(key)
      if (budget.left-- <= 0) throw new ConnectError('C016_SCHEMA', `it references more than ${MAX_REFERENCES} schemas`)
      const referenced = await this.client.version(subject, version, signal)
      if (!referenced)
        throw new ConnectError('C016_SCHEMA', `it references ${subject} version ${version}, which is not registered`)
      await this.#references(referenced, names, seen, budget, signal)
      parseText(referenced.schema, names)
    }
  }
}
