import { z } from 'zod'
import type { Batch } from '../runtime/batch'
import { type Column, createColumn } from '../runtime/column'
import { ConnectError } from '../runtime/errors'
import { type ApplyContext, defineTransform, type PluginContext, type Transform } from '../runtime/plugin'
import { type Field, fieldTypeName, type Schema } from '../runtime/schema'
import { parseType } from '../runtime/type_text'
import { appendEmpty, appendValue, valueAt } from '../runtime/value'
import { type Convert, converter, type OnFraction } from './cast/convert'
import { type NumberCast, numberCast } from './cast/kernels'
import { requireColumn, unbound } from './columns'
import { RowErrors, reportSlow } from './rows'

const EXPECTED = 'expected a type such as i64, f32, utf8, dictionary, timestamp(ms), decimal(10, 2), list<i64>'

export const cast = defineTransform({
  name: 'cast',
  status: 'stable',
  since: '0.1.0',
  summary: 'Changes the types of columns.',
  description:
    'Numbers are range-checked; texts are parsed (numbers, true/false/1/0, UUIDs, RFC 3339 times, taken as UTC without a zone); ' +
    'a number becomes a timestamp in the unit of the target (seconds for timestamp(s)); anything becomes utf8. A value that does ' +
    'not fit is rejected with D005, one that cannot be read with D006. A column that can be null stays so; a `?` makes one. ' +
    'An i64 that a double cannot hold exactly is rejected; f32 rounds.',
  config: z.strictObject({
    fields: z
      .record(
        z.string(),
        z.string().refine(text => parseType(text) !== null, EXPECTED),
      )
      .describe('Column: new type.')
      .meta({ examples: [{ cpu: 'f32', ts: 'timestamp(ms)', site: 'dictionary' }] }),
    on_fraction: z
      .enum(['reject', 'truncate', 'round'])
      .prefault('reject')
      .describe('A value between two of the target (1.5 as i64, microseconds as milliseconds): reject, truncate or round it.'),
  }),
  capabilities: { stateful: false },
  examples: [
    {
      title: 'Smaller types',
      yaml: `name: cast
flows:
  example:
    source:
      type: generate
      count: 5
      keys: { column: device, count: 2, prefix: d- }
      fields: { cpu: { type: uniform, min: 0, max: 100 }, site: { type: choice, of: [eu, us] } }
    transforms:
      - { type: cast, fields: { cpu: f32, site: dictionary } }
    sink: { type: stdout }
`,
    },
    {
      title: 'A text as a time',
      yaml: `name: cast-time
flows:
  example:
    source:
      type: generate
      count: 5
      keys: { column: device, count: 2, prefix: d- }
      fields: { seen: { type: choice, of: ["2024-01-01T00:00:00.123456Z"] } }
    transforms:
      - type: cast
        fields: { seen: timestamp(ms) }
        on_fraction: truncate
    sink: { type: stdout }
`,
    },
  ],
  conformance: { config: { fields: { status: 'i64', cpu: 'f32', device: 'dictionary' } } },
  create: (config, context) => new Cast(config.fields, config.on_fraction, context),
})

interface Step {
  readonly at: number
  readonly to: Field
  readonly convert: Convert
  readonly kernel: NumberCast | null
}

class Cast implements Transform {
  #bound: { readonly schema: Schema; readonly steps: readonly Step[] } | null = null

  constructor(
    readonly fields: Readonly<Record<string, string>>,
    readonly fraction: OnFraction,
    readonly context: PluginContext,
  ) {}

  bind(schema: Schema): Schema {
    const fields = [...schema.fields]
    const steps = Object.entries(this.fields).map(([name, text]) => {
      const at = requireColumn(schema, name, `fields.${name}`)
      const from = schema.fields[at]
      const parsed = parseType(text)
      if (parsed === null) throw new ConnectError('C005_INVALID_VALUE', `fields.${name}: ${EXPECTED}`)
      const to: Field = { ...from, type: parsed.type, nullable: from.nullable || parsed.nullable }
      const convert = converter(from.type, to.type, this.fraction)
      if (convert === null) {
        throw new ConnectError('C020_TYPE_MISMATCH', `fields.${name}: a ${fieldTypeName(from)} cannot become ${text}`, {
          hint: 'cast it to utf8 first, or compute it with `derive`',
        })
      }
      fields[at] = to
      return { at, to, convert, kernel: numberCast(from, to) }
    })
    this.#bound = { schema: { ...schema, fields }, steps }
    return this.#bound.schema
  }

  apply(batch: Batch, context: ApplyContext): Batch {
    if (this.#bound === null) throw unbound('cast')
    const errors = new RowErrors(batch, context)
    const columns = [...batch.columns]
    let slow = 0
    for (const step of this.#bound.steps) {
      const result = step.kernel === null ? castRows(batch, step, errors) : castNumbers(batch, step, step.kernel, errors)
      columns[step.at] = result.column
      slow += result.slow
    }
    reportSlow(this.context, 'cast', slow)
    return errors.applyTo({ ...batch, schema: this.#bound.schema, columns })
  }
}

interface CastResult {
  readonly column: Column
  readonly slow: number
}

function castNumbers(batch: Batch, step: Step, kernel: NumberCast, errors: RowErrors): CastResult {
  const from = batch.columns[step.at]
  const { length, selection } = batch
  const bad = new Uint8Array(length)
  const column = kernel(from, length, bad)
  if (column.nulls && from.nulls) column.nulls.set(from.nulls.subarray(0, length))
  column.length = length
  const live = selection && new Set(selection)
  let slow = 0
  for (let row = bad.indexOf(1); row >= 0; row = bad.indexOf(1, row + 1)) {
    if (from.nulls?.[row] || (live && !live.has(row))) continue
    slow++
    convertRow(from, step, row, errors, value => overwrite(column, row, value))
  }
  return { column, slow }
}

/** Puts one value into a finished numeric column, by way of a column of one row (which checks the range). */
function overwrite(column: Column, row: number, value: unknown): void {
  const one = createColumn(column)
  appendValue(one, value)
  if (column.layout === 'i64' && one.layout === 'i64') column.halves.set(one.halves.subarray(0, 2), 2 * row)
  else if ('values' in column && 'values' in one) (column.values as Float64Array)[row] = Number(one.values[0])
}

function castRows(batch: Batch, step: Step, errors: RowErrors): CastResult {
  const from = batch.columns[step.at]
  const { selection } = batch
  const column = createColumn(step.to, batch.length)
  const count = selection === null ? batch.length : selection.length
  for (let i = 0; i < count; i++) {
    const row = selection === null ? i : selection[i]
    while (column.length < row) appendEmpty(column)
    convertRow(from, step, row, errors, value => appendValue(column, value))
    if (column.length === row) appendEmpty(column)
  }
  while (column.length < batch.length) appendEmpty(column)
  return { column, slow: count }
}

/** Converts one cell and hands it on; an error of either rejects the row. */
function convertRow(from: Column, step: Step, row: number, errors: RowErrors, put: (value: unknown) => void): void {
  try {
    const value = valueAt(from, row)
    put(value === null ? null : step.convert(value))
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error
    errors.add(row, new ConnectError(error.code, `${step.to.name}: ${error.message}`, { hint: error.hint, cause: error }))
  }
}
