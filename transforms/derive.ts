import { z } from 'zod'
import type { Batch } from '../runtime/batch'
import { columnName } from '../runtime/fields'
import { type ApplyContext, defineTransform, type PluginContext, type Transform } from '../runtime/plugin'
import { type Field, fieldIndex, type Schema } from '../runtime/schema'
import { compileDerivation, type Derivation } from './cel/expression'
import { unbound } from './columns'
import { RowErrors, reportSlow } from './rows'

export const derive = defineTransform({
  name: 'derive',
  status: 'stable',
  since: '0.1.0',
  summary: 'Adds or replaces columns by expressions.',
  description:
    'Each expression is CEL over the columns as they come in (not over each other) and is checked against their types before ' +
    'anything runs; the type of the new column follows from it (int gives i64, double f64, string utf8); `cast` changes it. ' +
    'Arithmetic with null is null. A record for which an expression fails is rejected with D012.',
  config: z.strictObject({
    fields: z
      .record(columnName(), z.string().min(1))
      .describe('Column: CEL expression. A column of that name is replaced in its place, a new one comes last.')
      .meta({ examples: [{ ratio: 'bytes_out / bytes_in', site: 'device.substring(0, 2)' }] }),
  }),
  capabilities: { stateful: false },
  examples: [
    {
      title: 'A number and a text',
      yaml: `name: derive
flows:
  example:
    source:
      type: generate
      count: 5
      keys: { column: device, count: 2, prefix: d- }
      fields: { cpu: { type: uniform, min: 0, max: 100 } }
    transforms:
      - type: derive
        fields:
          load: cpu * 0.01
          level: 'cpu > 90.0 ? "high" : "normal"'
    sink: { type: stdout }
`,
    },
  ],
  conformance: { config: { fields: { load: 'cpu * 0.01', device: 'device + "-" + string(status)' } } },
  create: (config, context) => new Derive(config.fields, context),
})

class Derive implements Transform {
  #bound: { readonly schema: Schema; readonly derivations: readonly { readonly at: number; readonly of: Derivation }[] } | null =
    null

  constructor(
    readonly fields: Readonly<Record<string, string>>,
    readonly context: PluginContext,
  ) {}

  bind(schema: Schema): Schema {
    const out: Field[] = [...schema.fields]
    const derivations = Object.entries(this.fields).map(([name, text]) => {
      const of = compileDerivation(name, text, schema, `fields.${name}`)
      const found = fieldIndex(schema, name)
      const at = found >= 0 ? found : out.length
      out[at] = of.field
      return { at, of }
    })
    this.#bound = { schema: { ...schema, fields: out }, derivations }
    return this.#bound.schema
  }

  apply(batch: Batch, context: ApplyContext): Batch {
    if (this.#bound === null) throw unbound('derive')
    const errors = new RowErrors(batch, context)
    const columns = [...batch.columns]
    let slow = 0
    for (const { at, of } of this.#bound.derivations) {
      const result = of.compute(batch, errors.add)
      columns[at] = result.column
      slow += result.slow
    }
    reportSlow(this.context, 'derive', slow)
    return errors.applyTo({ ...batch, schema: this.#bound.schema, columns })
  }
}
