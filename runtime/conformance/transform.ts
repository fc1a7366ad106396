import { type Batch, liveRows } from '../batch'
import { systemClock } from '../clock'
import { ConnectError } from '../errors'
import { silent } from '../events'
import type { ApplyContext, Transform, TransformDeclaration } from '../plugin'
import { field, type Schema, schemaText } from '../schema'
import { valueAt } from '../value'
import { columnHash, SUITE_SCHEMA, suiteBatch } from './batches'
import { check, checkEqual, type Test } from './test'

/** What the engine relies on in every transform. */
export function transformTests(declaration: TransformDeclaration): readonly Test[] {
  const schema = declaration.conformance.schema ?? SUITE_SCHEMA
  const create = (): Transform => {
    check(declaration.conformance.config !== undefined, 'give conformance.config, or skip the group "transform" with the reason')
    return declaration.create(declaration.config.parse(declaration.conformance.config), CONTEXT)
  }
  const apply = async (batch: Batch): Promise<{ readonly out: Batch; readonly schema: Schema }> => {
    const transform = create()
    const bound = transform.bind(batch.schema)
    const out = await transform.apply(batch, applyContext(declaration.name))
    await transform.close?.()
    return { out, schema: bound }
  }
  const rows = 200
  /** What the batches become one after the other; after `moved` of them another instance goes on from a snapshot. */
  const applied = async (batches: readonly Batch[], moved: number | null): Promise<string> => {
    let transform = create()
    transform.bind(schema)
    const texts: string[] = []
    for (const [i, batch] of batches.entries()) {
      if (i === moved) {
        const { lane } = batch.origin
        const bytes = transform.snapshot?.(lane)
        await transform.close?.()
        transform = create()
        transform.bind(schema)
        check(bytes !== undefined && transform.restore !== undefined, 'a stateful transform has snapshot and restore')
        check(transform.restore(lane, bytes), 'restore did not take the snapshot of an instance with the same config')
      }
      const text = contents(await transform.apply(batch, applyContext(declaration.name)))
      if (text !== '') texts.push(text)
    }
    await transform.close?.()
    return texts.join('\n')
  }
  const some = Int32Array.from({ length: rows / 2 }, (_, i) => 2 * i + (i % 2))
  const batches = (): readonly Batch[] => [
    suiteBatch(schema, rows, null),
    suiteBatch(schema, rows, some),
    suiteBatch(schema, rows, new Int32Array(0)),
    suiteBatch(schema, 0, null),
  ]
  const each = (name: string, verify: (input: Batch, out: Batch, bound: Schema) => void): Test => ({
    name: `transform: ${name}`,
    run: async () => {
      for (const input of batches()) {
        const { out, schema: bound } = await apply(input)
        verify(input, out, bound)
      }
    },
  })
  return [
    {
      name: 'transform: what it gives whatever goes in is what it gives',
      run: async () => {
        const { gives } = declaration
        if (!gives) return
        const { schema: bound } = await apply(suiteBatch(schema, rows, null))
        checkEqual(schemaText(bound), schemaText(gives), 'the columns that come out')
      },
    },
    {
      name: 'transform: does not change its input',
      run: async () => {
        for (const input of batches()) {
          const before = input.columns.map(columnHash)
          const selection = input.selection && [...input.selection]
          await apply(input)
          checkEqual(input.columns.map(columnHash), before, 'the columns of the input')
          checkEqual(input.selection && [...input.selection], selection, 'the selection of the input')
        }
      },
    },
    each('keeps origin, rows, raw and length', (input, out) => {
      check(out.origin === input.origin, 'origin must be passed on as it is')
      if (declaration.capabilities.changes_rows) {
        checkProvenance(input, out)
        return
      }
      check(out.rows === input.rows, 'rows must be passed on as it is')
      check(out.raw === input.raw, 'raw must be passed on as it is')
      checkEqual(out.length, input.length, 'length')
    }),
    each('gives columns that fit the schema it announced', (_, out, bound) => {
      checkEqual(schemaText(out.schema), schemaText(bound), 'the schema of the batch')
      checkEqual(out.columns.length, bound.fields.length, 'the number of columns')
      bound.fields.forEach((f, k) => {
        const column = out.columns[k]
        checkEqual(column.length, out.length, `the length of "${f.name}"`)
        checkEqual(column.type, f.type, `the type of "${f.name}"`)
        checkEqual(column.nulls !== null, f.nullable, `whether "${f.name}" can be null`)
      })
    }),
    each('only narrows the selection, in order', (input, out) => {
      if (declaration.capabilities.changes_rows) return
      const before = new Set(liveOf(input))
      let last = -1
      for (const row of liveOf(out)) {
        check(row > last, `row ${row} stands behind row ${last}`)
        check(before.has(row), `row ${row} was not live before`)
        last = row
      }
    }),
    each('takes rejected rows out of the selection and adds them to those before', (input, out) => {
      check(out.rejected.length >= input.rejected.length, 'earlier rejections were lost')
      if (declaration.capabilities.changes_rows) return
      const live = new Set(liveOf(out).map(row => input.raw(row).offset))
      for (const { record } of out.rejected) check(!live.has(record.offset), `the rejected offset ${record.offset} is still live`)
      check(liveRows(out) + out.rejected.length <= liveRows(input), 'there are more rows than came in')
    }),
    {
      name: 'transform: gives the same for the same batch, whatever came between',
      run: async () => {
        const transform = create()
        transform.bind(schema)
        if (declaration.capabilities.stateful) return // what it gives depends on what came before
        const first = await transform.apply(suiteBatch(schema, rows, null), applyContext(declaration.name))
        const text = contents(first)
        await transform.apply(suiteBatch(schema, rows, some), applyContext(declaration.name))
        checkEqual(contents(first), text, 'the first result after a second batch')
        const again = await transform.apply(suiteBatch(schema, rows, null), applyContext(declaration.name))
        checkEqual(contents(again), text, 'the same batch again')
        await transform.close?.()
      },
    },
    {
      name: 'transform: gives the same however the rows are cut, and after a snapshot',
      run: async () => {
        if (!declaration.capabilities.stateful) return
        const whole = suiteBatch(schema, rows, null)
        const once = await applied([whole], null)
        const cut = Int32Array.from({ length: rows }, (_, i) => i)
        const parts = [cut.slice(0, 3), cut.slice(3, 120), cut.slice(120)].map(selection => ({ ...whole, selection }))
        checkEqual(await applied(parts, null), once, 'the rows of three batches')
        checkEqual(await applied(parts, 1), once, 'the rows with a snapshot restored after the first batch')
        checkEqual(await applied(parts, 2), once, 'the rows with a snapshot restored after the second batch')
      },
    },
    {
      name: 'transform: bind is the same for the same schema',
      run: () => checkEqual(schemaText(create().bind(schema)), schemaText(create().bind(schema)), 'the second schema'),
    },
    {
      name: 'transform: refuses a schema without its columns when it is bound',
      run: async () => {
        const other: Schema = { fields: [field('some_other_column', 'i32')] }
        const transform = create()
        try {
          transform.bind(other)
        } catch (error) {
          check(error instanceof ConnectError, `bind threw ${String(error)}, not a ConnectError`)
          check(error.code.startsWith('C0'), `bind threw ${error.code}; what a configuration gets wrong has a C code`)
          return
        }
        // it names no columns, so it must work on any
        await transform.apply(suiteBatch(other, 3, null), applyContext(declaration.name))
      },
    },
  ]
}

/** Every output row stands for an input row, in order, and the difference in rows is told. */
function checkProvenance(input: Batch, out: Batch): void {
  checkEqual(out.rows.offset.length, out.length, 'the number of offsets')
  const live = new Set(liveOf(input).map(row => input.raw(row).offset))
  let last = -1
  for (const row of liveOf(out)) {
    const { offset } = out.raw(row)
    checkEqual(out.rows.offset[row], offset, 'the offset of the source record')
    check(live.has(offset), `offset ${offset} was not live before`)
    check(offset >= last, `offset ${offset} stands behind offset ${last}`)
    last = offset
  }
  const rejected = out.rejected.length - input.rejected.length
  const replaced = (out.replaced ?? 0) - (input.replaced ?? 0)
  checkEqual(liveRows(out) + replaced + rejected, liveRows(input), 'rows given out, replaced and rejected')
}

const CONTEXT = {
  pipeline: 'conformance',
  flow: 'conformance',
  connection: undefined,
  connectionName: '',
  lanes: 1,
  baseDir: '.',
  dataDir: '.',
  clock: systemClock,
  events: silent,
  memory: 1 << 26,
}

const applyContext = (plugin: string): ApplyContext => ({
  signal: new AbortController().signal,
  reject: (batch, row, error) => ({ stage: 'transform', plugin, error, record: batch.raw(row) }),
})

const liveOf = (batch: Batch): readonly number[] => Array.from({ length: liveRows(batch) }, (_, i) => batch.selection?.[i] ?? i)

/** The live rows of a batch as text, for comparison. */
const contents = (batch: Batch): string =>
  liveOf(batch)
    .map(row => batch.columns.map(c => cellText(valueAt(c, row))).join('|'))
    .join('\n')

const cellText = (value: unknown): string =>
  JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v instanceof Map ? [...v] : v)) ?? 'undefined'
