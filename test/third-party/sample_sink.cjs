// A sink as an outside package would bring it: CommonJS, the public entry only, a declaration as its export.
// It appends each batch as one line, {token, highest, rows}; a token that stands in the file is not written again.
const { appendFile, readFile, truncate } = require('node:fs/promises')
const path = require('node:path')
const { ConnectError, defineSink, rowJson } = require('olap-connect/plugin')
const { z } = require('zod')

const keyOf = p => `${p.topic}|${p.partition}`

class SampleSink {
  #file
  #tokens = new Set()
  #highest = new Map()

  constructor(file) {
    this.#file = file
  }

  async open() {
    const text = await readFile(this.#file, 'utf8').catch(error => {
      if (error.code === 'ENOENT') return ''
      throw new ConnectError('C012_UNREADABLE_FILE', error.message, { cause: error })
    })
    // what a crash left behind the last whole line was never acknowledged
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    if (whole.length < text.length) await truncate(this.#file, Buffer.byteLength(whole))
    for (const line of whole.split('\n').filter(Boolean)) {
      const { token, highest } = JSON.parse(line)
      this.#remember(token, Object.entries(highest))
    }
  }

  async lane() {
    return {
      delivery: 'token',
      write: (batch, { token, signal }) => this.#write(batch, token, signal),
      highest: async partitions => new Map(partitions.map(p => [keyOf(p), this.#highest.get(keyOf(p)) ?? -1])),
      close: async () => {},
    }
  }

  async close() {}

  async #write(batch, token, signal) {
    signal.throwIfAborted()
    if (!this.#tokens.has(token)) {
      const highest = batch.origin.ranges.map(r => [keyOf(r), r.to])
      const rows = Array.from({ length: batch.length }, (_, i) => rowJson(batch.schema, batch.columns, i))
      const head = JSON.stringify({ token, highest: Object.fromEntries(highest) }).slice(0, -1)
      await appendFile(this.#file, `${head},"rows":[${rows.join(',')}]}\n`, { flush: true })
      this.#remember(token, highest)
    }
    return { written: batch.length, failed: [] }
  }

  #remember(token, highest) {
    this.#tokens.add(token)
    for (const [key, to] of highest) this.#highest.set(key, Math.max(to, this.#highest.get(key) ?? -1))
  }
}

module.exports = defineSink({
  name: 'sample_lines',
  status: 'experimental',
  since: '1.0.0',
  summary: 'Appends batches to a file, each as one line of JSON.',
  description: 'Shows how a sink outside of the product is written.',
  config: z.strictObject({ path: z.string().min(1).describe('The file, relative to the pipeline file.') }),
  connection: null,
  capabilities: { exactly_once: true, upsert: false, create_table: false, transactional: false },
  examples: [
    {
      title: 'A file beside the pipeline',
      yaml: `name: lines
plugins: [./sample_sink.cjs]
flows:
  example:
    source: { type: generate, count: 5, fields: { id: { type: sequence } } }
    sink: { type: sample_lines, path: rows.jsonl }
`,
    },
  ],
  conformance: { config: { path: 'rows.jsonl' } },
  writes: config => [config.path],
  create: (config, context) => new SampleSink(path.resolve(context.baseDir, config.path)),
})
