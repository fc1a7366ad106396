import { z } from 'zod'
import { columnName } from '../runtime/fields'
import { defineTransform } from '../runtime/plugin'
import type { Schema } from '../runtime/schema'
import { requireColumn, withDistinctNames } from './columns'

export const rename = defineTransform({
  name: 'rename',
  status: 'stable',
  since: '0.1.0',
  summary: 'Gives columns other names.',
  description: 'All renames happen at once, so two columns can swap their names. Costs nothing per record.',
  config: z.strictObject({
    fields: z
      .record(z.string(), columnName())
      .describe('Old name: new name.')
      .meta({ examples: [{ instance: 'device' }] }),
  }),
  capabilities: { stateful: false },
  examples: [
    {
      title: 'One column',
      yaml: `name: rename
flows:
  example:
    source:
      type: generate
      count: 5
      keys: { column: instance, count: 2, prefix: d- }
      fields: { cpu: { type: uniform, min: 0, max: 100 } }
    transforms:
      - { type: rename, fields: { instance: device } }
    sink: { type: stdout }
`,
    },
  ],
  conformance: { config: { fields: { device: 'host' } } },
  create: ({ fields }) => {
    let bound: Schema | null = null
    return {
      bind(schema) {
        for (const name of Object.keys(fields)) requireColumn(schema, name, `fields.${name}`)
        const newName = new Map(Object.entries(fields))
        bound = withDistinctNames(
          { ...schema, fields: schema.fields.map(f => ({ ...f, name: newName.get(f.name) ?? f.name })) },
          'fields',
        )
        return bound
      },
      apply: batch => ({ ...batch, schema: bound ?? batch.schema }),
    }
  },
})
