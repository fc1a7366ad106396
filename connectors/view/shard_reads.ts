import { orAbort } from '../../runtime/retry'
import type { Schema } from '../../runtime/schema'
import type { ColumnSet } from '../../runtime/store'
import { takeColumn } from '../../runtime/take'
import type { WindowStore } from '../../runtime/views/contracts'

/** What a reader of closings asks for rows: those of one shard, or all. */
export type RowReader = Pick<WindowStore, 'read'>

interface Request {
  readonly shard: number
  readonly of: number
  readonly ends: readonly number[]
  readonly most: number | null
  readonly signal: AbortSignal
  readonly settle: (rows: Promise<ColumnSet>) => void
}

/**
 * Rows of closed windows, shard by shard. A closing reaches all shards of a worker at once, and each asks for the same windows: one
 * statement then gives the rows of all of them, so that a worker which has every shard asks as little as if there were one.
 */
export class ShardReads {
  readonly #windows: RowReader
  #waiting: Request[] = []

  constructor(windows: RowReader) {
    this.#windows = windows
  }

  /** Rows of one shard of so many. */
  reader(shard: number, of: number): RowReader {
    return {
      read: async (ends, most, signal) => {
        signal.throwIfAborted()
        const rows = new Promise<ColumnSet>(settle => {
          this.#waiting.push({ shard, of, ends, most, signal, settle })
          // the answer to one fetch wakes the shards one after the other
          if (this.#waiting.length === 1) setImmediate(() => this.#send())
        })
        return orAbort(rows, signal)
      },
    }
  }

  #send(): void {
    const alike = new Map<string, Request[]>()
    for (const request of this.#waiting) {
      const key = `${request.of} ${request.most} ${request.ends.join(' ')}`
      alike.set(key, [...(alike.get(key) ?? []), request])
    }
    this.#waiting = []
    for (const requests of alike.values()) {
      const rows = this.#together(requests)
      for (const request of requests) request.settle(rows.then(of => of(request)))
    }
  }

  /** The rows of each request, by one statement where they fit into its bound. */
  async #together(requests: readonly Request[]): Promise<(request: Request) => ColumnSet | Promise<ColumnSet>> {
    const [{ of, ends, most }] = requests
    const wanted = [...new Set(requests.map(r => r.shard))].sort((a, b) => a - b)
    const all = whenAllAborted(requests.map(r => r.signal))
    const set = await this.#windows.read(ends, most, all.signal, { of, wanted }).finally(all.release)
    if (wanted.length === 1) return () => withoutShard(set)
    if (most === null || set.rows < most) return ({ shard }) => rowsOf(set, shard)
    return async request => withoutShard(await this.#windows.read(ends, most, request.signal, { of, wanted: [request.shard] }))
  }
}

/** A reader that stops must not stop the others. Signals outlive the statement, so it is to be released after it. */
function whenAllAborted(signals: readonly AbortSignal[]): { readonly signal: AbortSignal; readonly release: () => void } {
  if (signals.length === 1) return { signal: signals[0], release: () => {} }
  const all = new AbortController()
  let left = signals.length
  const one = (): void => {
    if (--left === 0) all.abort()
  }
  for (const signal of signals) {
    if (signal.aborted) one()
    else signal.addEventListener('abort', one, { once: true })
  }
  const release = (): void => {
    for (const signal of signals) signal.removeEventListener('abort', one)
  }
  return { signal: all.signal, release }
}

const schemaWithout = (schema: Schema): Schema => ({ ...schema, fields: schema.fields.slice(0, -1) })

const withoutShard = ({ schema, columns, rows }: ColumnSet): ColumnSet => ({
  schema: schemaWithout(schema),
  columns: columns.slice(0, -1),
  rows,
})

function rowsOf({ schema, columns, rows }: ColumnSet, shard: number): ColumnSet {
  const shards = columns[columns.length - 1]
  const own = new Int32Array(rows)
  let count = 0
  if (shards.layout === 'i32') for (let row = 0; row < rows; row++) if (shards.values[row] === shard) own[count++] = row
  const taken = own.subarray(0, count)
  return { schema: schemaWithout(schema), columns: columns.slice(0, -1).map(c => takeColumn(c, taken)), rows: count }
}
