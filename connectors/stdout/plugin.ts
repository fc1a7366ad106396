import { z } from 'zod'
import { type Batch, liveRows } from '../../runtime/batch'
import { ConnectError } from '../../runtime/errors'
import { flush } from '../../runtime/fields'
import { defineSink, type Sink, type TokenLane } from '../../runtime/plugin'
import { rowJson } from '../../runtime/row_json'

const stdoutOptions = z.strictObject({
  limit: z.int().min(0).optional().describe('Prints so many rows and takes the others without printing them.'),
  flush: flush().describe('When the rows read so far are printed.'),
})

/** Rows whose text is handed over at a time, so that a large batch does not become one large string. */
const ROWS_AT_ONCE = 1000

export const stdoutConnector = defineSink({
  name: 'stdout',
  status: 'stable',
  since: '0.1.0',
  summary: 'Prints each row as a line of JSON.',
  description:
    'For trying things out. Timestamps and dates are ISO 8601, bytes base64, decimals strings, NaN and infinities null. What was printed ' +
    'cannot be taken back, so after a restart rows may be printed again.',
  config: stdoutOptions,
  connection: null,
  capabilities: { exactly_once: false, upsert: false, create_table: false, transactional: false },
  examples: [
    {
      title: 'The first ten rows',
      yaml: `name: stdout
flows:
  look:
    source: { type: generate, count: 1000, fields: { cpu: { type: uniform, min: 0, max: 100 } } }
    sink: { type: stdout, limit: 10 }
`,
    },
  ],
  conformance: { config: {}, skip: { 'sink: the same token twice leaves the rows once': 'printed lines cannot be taken back' } },
  writes: () => [],
  create: (config, context) => {
    const print = context.stdout
    if (!print) throw new ConnectError('R001_INTERNAL', 'there is no standard output to print to', { plugin: 'stdout' })
    return stdoutSink(print, config.limit ?? Number.POSITIVE_INFINITY)
  },
})

function stdoutSink(print: (text: string) => Promise<void>, limit: number): Sink {
  let left = limit
  const write = async (batch: Batch, signal: AbortSignal): Promise<void> => {
    const rows = Math.min(left, liveRows(batch))
    for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
      signal.throwIfAborted()
      const to = Math.min(rows, from + ROWS_AT_ONCE)
      const lines: string[] = []
      for (let i = from; i < to; i++)
        lines.push(`${rowJson(batch.schema, batch.columns, batch.selection ? batch.selection[i] : i)}\n`)
      await print(lines.join(''))
      left -= to - from
    }
  }
  const lane: TokenLane = {
    delivery: 'token',
    write: async (batch, { signal }) => {
      await write(batch, signal)
      return { written: liveRows(batch), failed: [] }
    },
    highest: async () => null,
    close: async () => {},
  }
  return { open: async () => {}, lane: async () => lane, close: async () => {} }
}
