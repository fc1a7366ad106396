import { resolve } from 'node:path'
import { z } from 'zod'
import type { Batch } from '../runtime/batch'
import { type Column, createColumn } from '../runtime/column'
import { ConnectError } from '../runtime/errors'
import { inlineSchema } from '../runtime/fields'
import { type ApplyContext, defineTransform, type Transform } from '../runtime/plugin'
import { didYouMean } from '../runtime/registry'
import { type RowView, type RowViewClass, rowViewClass } from '../runtime/row_view'
import { type Field, fieldIndex, type Schema } from '../runtime/schema'
import { parseType } from '../runtime/type_text'
import { appendEmpty, appendValue, type Value, valueAt } from '../runtime/value'
import { unbound } from './columns'
import { RowErrors } from './rows'

export const javascript = defineTransform({
  name: 'javascript',
  status: 'stable',
  since: '0.1.0',
  summary: "Runs the user's own function on each record.",
  description:
    'The file exports a function `(row) => result` as its default (or as module.exports). `row` has a property for each column; ' +
    'it is one object that moves from record to record, so copy what must outlive the call (`row.toObject()`). The result is ' +
    'null or false to leave the record out (counted as filtered), true, undefined or the row itself to keep it as it is, or an ' +
    'object with columns declared in `columns`: they are added or replaced; one that is missing keeps its value, or is null if it is new. ' +
    'An exception rejects the record with D012, a value of another type with D006. The function must not be async: one record must not wait.',
  config: z.strictObject({
    file: z
      .string()
      .min(1)
      .describe('Path of the module, relative to the pipeline file.')
      .meta({ examples: ['enrich.js'] }),
    columns: inlineSchema().prefault({}).describe('Columns the function sets and their types; an existing one changes its type.'),
  }),
  capabilities: { stateful: false },
  examples: [
    {
      title: 'Two computed columns',
      yaml: `name: javascript
flows:
  example:
    source:
      type: generate
      count: 5
      keys: { column: device, count: 2, prefix: d- }
      fields: { cpu: { type: uniform, min: 0, max: 100 } }
    transforms:
      - { type: javascript, file: enrich.js, columns: { site: utf8, load: f64? } }
    sink: { type: stdout }
`,
      files: {
        'enrich.js': `module.exports = row => ({ site: row.device === 'd-0' ? 'north' : 'south', load: row.cpu > 0 ? row.cpu / 100 : null })
`,
      },
    },
  ],
  conformance: { skip: { transform: 'needs a file of the user; its unit test runs the suite with one' } },
  create: (config, context) =>
    new Javascript(loadFunction(resolve(context.baseDir, config.file), config.file), declared(config.columns)),
})

export type RowFunction = (row: RowView & Readonly<Record<string, Value>>) => unknown

/** Throws C012_UNREADABLE_FILE or C018_PLUGIN_INVALID. */
function loadFunction(path: string, shown: string): RowFunction {
  let module: unknown
  try {
    module = require(path)
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw new ConnectError('C012_UNREADABLE_FILE', `file: ${shown} cannot be loaded: ${reason}`, { cause: error })
  }
  const exported = typeof module === 'object' && module !== null && 'default' in module ? module.default : module
  if (typeof exported !== 'function') {
    throw new ConnectError('C018_PLUGIN_INVALID', `file: ${shown} does not export a function`, {
      hint: 'export default row => ({...})',
    })
  }
  return exported as RowFunction
}

function declared(columns: Readonly<Record<string, string>>): readonly Field[] {
  return Object.entries(columns).map(([name, text]) => {
    const parsed = parseType(text)
    if (parsed === null) throw new ConnectError('C005_INVALID_VALUE', `columns.${name}: "${text}" is no type`)
    return { name, ...parsed }
  })
}

interface Output {
  readonly field: Field
  /** Place in the output. */
  readonly at: number
  /** Place of the column it replaces in the input; -1: it is new. */
  readonly old: number
}

class Javascript implements Transform {
  #bound: { readonly schema: Schema; readonly outputs: readonly Output[]; readonly View: RowViewClass } | null = null

  constructor(
    readonly run: RowFunction,
    readonly columns: readonly Field[],
  ) {}

  bind(schema: Schema): Schema {
    const fields = [...schema.fields]
    const outputs = this.columns.map(field => {
      const old = fieldIndex(schema, field.name)
      const at = old >= 0 ? old : fields.length
      fields[at] = field
      return { field, at, old }
    })
    this.#bound = { schema: { ...schema, fields }, outputs, View: rowViewClass(schema) }
    return this.#bound.schema
  }

  apply(batch: Batch, context: ApplyContext): Batch {
    if (this.#bound === null) throw unbound('javascript')
    const { schema, outputs, View } = this.#bound
    const errors = new RowErrors(batch, context)
    const view = new View()
    view.cols = batch.columns
    const columns = outputs.map(o => createColumn(o.field, batch.length))
    const { selection } = batch
    const count = selection === null ? batch.length : selection.length
    const kept = new Int32Array(count)
    let n = 0
    for (let i = 0; i < count; i++) {
      const row = selection === null ? i : selection[i]
      view.row = row
      for (const column of columns) while (column.length < row) appendEmpty(column)
      try {
        const result = this.run(view)
        if (result === null || result === false) continue
        kept[n++] = row
        this.#write(result === view || result === true ? undefined : result, outputs, columns, batch, row)
      } catch (error) {
        errors.add(row, rowError(error))
      }
    }
    for (const column of columns) while (column.length < batch.length) appendEmpty(column)
    const all = [...batch.columns]
    outputs.forEach((o, k) => {
      all[o.at] = columns[k]
    })
    return errors.applyTo({ ...batch, schema, columns: all, selection: kept.slice(0, n) })
  }

  #write(result: unknown, outputs: readonly Output[], columns: readonly Column[], batch: Batch, row: number): void {
    const given = entriesOf(result)
    for (const name of Object.keys(given)) {
      if (outputs.some(o => o.field.name === name)) continue
      const near = didYouMean(
        name,
        outputs.map(o => o.field.name),
      )
      throw new ConnectError('D013_UNKNOWN_FIELD', `the function returned "${name}", which \`columns\` does not declare`, {
        hint: near ? `did you mean "${near}"?` : `add it to \`columns\` with its type`,
      })
    }
    outputs.forEach(({ field, old }, k) => {
      const has = Object.hasOwn(given, field.name)
      const value = has ? given[field.name] : old >= 0 ? valueAt(batch.columns[old], row) : null
      try {
        appendValue(columns[k], value)
      } catch (error) {
        if (!(error instanceof ConnectError)) throw error
        throw new ConnectError(error.code, `${field.name}: ${error.message}`, { cause: error })
      }
    })
  }
}

function entriesOf(result: unknown): Readonly<Record<string, unknown>> {
  if (result === undefined) return {}
  if (typeof result !== 'object' || result === null || Array.isArray(result)) {
    throw new ConnectError(
      'D006_WRONG_TYPE',
      `the function returned a ${Array.isArray(result) ? 'list' : typeof result}, not an object`,
    )
  }
  if (result instanceof Promise) {
    // nobody else will look at it, and an unhandled rejection would end the process
    result.catch(() => {})
    throw new ConnectError('D006_WRONG_TYPE', 'the function returned a promise; it must not be async')
  }
  return result as Readonly<Record<string, unknown>>
}

const rowError = (error: unknown): ConnectError => {
  if (error instanceof ConnectError) return error
  return new ConnectError('D012_EXPRESSION', error instanceof Error ? `${error.name}: ${error.message}` : String(error), {
    cause: error,
  })
}
