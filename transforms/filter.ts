import { z } from 'zod'
import type { Batch } from '../runtime/batch'
import { type ApplyContext, defineTransform, type PluginContext, type Transform } from '../runtime/plugin'
import type { Schema } from '../runtime/schema'
import { compilePredicate, type Predicate } from './cel/expression'
import { unbound } from './columns'
import { RowErrors, reportSlow } from './rows'

export const filter = defineTransform({
  name: 'filter',
  status: 'stable',
  since: '0.1.0',
  summary: 'Keeps the records for which an expression holds.',
  description:
    'The expression is CEL over the columns and is checked against their types before anything runs. Records for which it is ' +
    'false leave the flow and are counted as filtered. An order comparison with null is false; == and != compare with null. ' +
    'A record whose expression fails, such as by a division by zero, is rejected with D012.',
  config: z.strictObject({
    if: z
      .string()
      .min(1)
      .describe('CEL expression of type bool.')
      .meta({ examples: ['cpu >= 0.0 && cpu <= 100.0', 'status in [200, 204] && !path.startsWith("/health")'] }),
  }),
  capabilities: { stateful: false },
  examples: [
    {
      title: 'A plausible range',
      yaml: `name: filter
flows:
  example:
    source:
      type: generate
      count: 5
      keys: { column: device, count: 2, prefix: d- }
      fields: { cpu: { type: uniform, min: -50, max: 150 } }
    transforms:
      - { type: filter, if: cpu >= 0.0 && cpu <= 100.0 }
    sink: { type: stdout }
`,
    },
    {
      title: 'Only records of European sites',
      yaml: `name: filter-sites
flows:
  example:
    source:
      type: generate
      count: 5
      keys: { column: device, count: 2, prefix: d- }
      fields: { site: { type: choice, of: [eu-west, us-east] } }
    transforms:
      - { type: filter, if: 'site.startsWith("eu-")' }
    sink: { type: stdout }
`,
    },
  ],
  conformance: { config: { if: 'cpu > 50.0 && device != "d1"' } },
  create: (config, context) => new Filter(config.if, context),
})

class Filter implements Transform {
  #predicate: Predicate | null = null

  constructor(
    readonly expression: string,
    readonly context: PluginContext,
  ) {}

  bind(schema: Schema): Schema {
    this.#predicate = compilePredicate(this.expression, schema, 'if')
    return schema
  }

  apply(batch: Batch, context: ApplyContext): Batch {
    if (this.#predicate === null) throw unbound('filter')
    const errors = new RowErrors(batch, context)
    const { rows, slow } = this.#predicate.select(batch, errors.add)
    reportSlow(this.context, 'filter', slow)
    return errors.applyTo({ ...batch, selection: rows })
  }
}
