import { z } from 'zod'
import { ConnectError } from '../runtime/errors'
import { defineTransform, type Transform } from '../runtime/plugin'
import type { Schema } from '../runtime/schema'
import { requireColumn, unbound } from './columns'

export const dropFields = defineTransform({
  name: 'drop_fields',
  status: 'stable',
  since: '0.1.0',
  summary: 'Leaves out columns.',
  description: 'Either `fields`, the columns to leave out, or `keep`, the only ones to keep (in the order of the schema).',
  config: z
    .strictObject({
      fields: z.array(z.string()).min(1).optional().describe('Columns to leave out.'),
      keep: z.array(z.string()).min(1).optional().describe('Columns to keep; all others are left out.'),
    })
    .refine(c => (c.fields === undefined) !== (c.keep === undefined), 'give either `fields` or `keep`'),
  capabilities: { stateful: false },
  examples: [
    {
      title: 'Two columns out',
      yaml: `name: drop-fields
flows:
  example:
    source:
      type: generate
      count: 5
      keys: { column: device, count: 2, prefix: d- }
      fields: { cpu: { type: uniform, min: 0, max: 100 }, debug: { type: choice, of: [a, b] }, trace_id: { type: uuid } }
    transforms:
      - { type: drop_fields, fields: [debug, trace_id] }
    sink: { type: stdout }
`,
    },
    {
      title: 'Only three columns',
      yaml: `name: keep-fields
flows:
  example:
    source:
      type: generate
      count: 5
      keys: { column: device, count: 2, prefix: d- }
      fields: { cpu: { type: uniform, min: 0, max: 100 }, debug: { type: choice, of: [a, b] } }
    transforms:
      - { type: drop_fields, keep: [ts, device, cpu] }
    sink: { type: stdout }
`,
    },
  ],
  conformance: { config: { fields: ['status'] } },
  create: ({ fields, keep }): Transform => {
    let kept: { readonly schema: Schema; readonly indexes: readonly number[] } | null = null
    return {
      bind(schema) {
        const where = fields ? 'fields' : 'keep'
        const named = new Set((fields ?? keep ?? []).map(name => requireColumn(schema, name, where)))
        const indexes = schema.fields.map((_, i) => i).filter(i => named.has(i) !== (fields !== undefined))
        if (indexes.length === 0) throw new ConnectError('C016_SCHEMA', `${where}: no column would be left`)
        kept = { schema: { ...schema, fields: indexes.map(i => schema.fields[i]) }, indexes }
        return kept.schema
      },
      apply(batch) {
        if (kept === null) throw unbound('drop_fields')
        return { ...batch, schema: kept.schema, columns: kept.indexes.map(i => batch.columns[i]) }
      },
    }
  },
})
