// A transform as an outside package would bring it: an ES module, the public entry only, a declaration as its default export.
// It writes a text column in capitals and rejects rows where it is empty.
import { appendValue, ConnectError, createColumn, defineTransform, fields, valueAt } from 'olap-connect/plugin'
import { z } from 'zod'

class Shout {
  #name
  #index = -1

  constructor(name) {
    this.#name = name
  }

  bind(schema) {
    this.#index = schema.fields.findIndex(f => f.name === this.#name)
    const field = schema.fields[this.#index]
    if (!field) throw new ConnectError('C015_UNKNOWN_COLUMN', `there is no column "${this.#name}"`)
    if (field.type.kind !== 'utf8') throw new ConnectError('C020_TYPE_MISMATCH', `"${this.#name}" is no text`)
    return schema
  }

  apply(batch, { reject }) {
    const before = batch.columns[this.#index]
    const after = createColumn(batch.schema.fields[this.#index], batch.length)
    const kept = []
    const rejected = []
    const live = batch.selection ? new Set(batch.selection) : null
    for (let row = 0; row < batch.length; row++) {
      const text = valueAt(before, row)
      appendValue(after, text === null ? null : text.toUpperCase())
      if (live && !live.has(row)) continue
      if (text === '') rejected.push(reject(batch, row, new ConnectError('D004_MISSING_FIELD', `${this.#name} is empty`)))
      else kept.push(row)
    }
    return {
      ...batch,
      columns: batch.columns.with(this.#index, after),
      selection: rejected.length === 0 ? batch.selection : Int32Array.from(kept),
      rejected: [...batch.rejected, ...rejected],
    }
  }
}

export default defineTransform({
  name: 'sample_shout',
  status: 'experimental',
  since: '1.0.0',
  summary: 'Writes a text column in capitals.',
  description: 'Shows how a transform outside of the product is written.',
  config: z.strictObject({ column: fields.columnName().describe('The column.') }),
  capabilities: { stateful: false },
  examples: [
    {
      title: 'Loud devices',
      yaml: `name: loud
plugins: [./sample_transform.mjs]
flows:
  example:
    source: { type: generate, count: 5, fields: { device: { type: choice, of: [a, b] } } }
    transforms:
      - { type: sample_shout, column: device }
    sink: { type: stdout }
`,
    },
  ],
  conformance: { config: { column: 'device' } },
  create: config => new Shout(config.column),
})
