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
    { title: 'Two columns out', yaml: 'type: drop_fields\nfields: [debug, trace_id]\n' },
    { title: 'Only three columns', yaml: 'type: drop_fields\nkeep: [ts, device, cpu]\n' },
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
