import { ConnectError } from '../../runtime/errors'
import { requireColumn } from '../../runtime/require_column'
import { type Field, fieldIndex, fieldTypeName, type Schema } from '../../runtime/schema'
import { type Binding, bind, type TableColumn } from '../../sql/bind'
import type { ClickHouseStore } from '../../sql/client'
import { ensureDatabase } from '../../sql/database'
import { mismatch } from '../../sql/insert'
import { identifier, tableName } from '../../sql/quote'
import { readColumns, readTable, type TableInfo } from '../../sql/table'
import { columnsFor } from '../../sql/types'
import type { SinkConfig } from './config'
import { addColumns, type ColumnText, createForward, createInput, createTable, forwardQuery, keyColumns } from './ddl'
import type { SinkTables } from './names'
import { checkOwner, ownerComment } from './owner'
import { provenanceFields } from './provenance'

export interface Preparation {
  readonly store: ClickHouseStore
  readonly config: SinkConfig
  readonly tables: SinkTables
  readonly pipeline: string
  readonly signal: AbortSignal
  readonly created: (table: string, statement: string) => void
}

export interface Prepared {
  /** How the flow's columns and the provenance columns, in this order, go into `t__in`. */
  readonly input: Binding
  /** How they go into `t` itself, for rows that were lost on the way. */
  readonly table: Binding
  /** Types of the columns of `t__in`. */
  readonly types: ReadonlyMap<string, string>
}

/** Makes what is missing, checks what is there. Throws S003 with every difference at once, S004, S009. */
export async function prepareTables(schema: Schema, p: Preparation): Promise<Prepared> {
  const { config, tables } = p
  checkSchema(schema, config)
  const provenance = provenanceFields(config.time !== undefined)
  const full: Schema = { ...schema, fields: [...schema.fields, ...provenance] }
  await ensureDatabase(p.store, p.signal)

  const existing = await readTable(p.store, tables.table, p.signal)
  if (!existing) await create(p, tables.table.table, createTable(tables, full, config, ownerComment(p.pipeline)))
  const table = existing ?? (await mustRead(p, tables.table.table))
  checkEngine(table, p)
  const binding = bindTable(schema, provenance, table, p)

  const wanted = inputColumns(full, table.columns)
  const input = await readTable(p.store, tables.input, p.signal)
  if (!input) await create(p, tables.input.table, createInput(tables, wanted, ownerComment(p.pipeline)))
  else await widenInput(p, input, wanted)
  const ready = await mustRead(p, tables.input.table)
  checkOwner(ready.comment, p.pipeline, tables.table)
  await prepareForward(p, binding.columns)

  const inputBinding = bind(full, ready.columns)
  if (inputBinding.problems.length > 0) throw mismatch(tables.input, inputBinding.problems)
  return { input: inputBinding, table: binding, types: new Map(ready.columns.map(c => [c.name, c.type])) }
}

/** Throws C015 or C020 for columns that the sink's options name, or takes for itself. */
export function checkSchema(schema: Schema, config: SinkConfig): void {
  const taken = provenanceFields(true).filter(f => fieldIndex(schema, f.name) >= 0)
  if (taken.length > 0) {
    const names = taken.map(f => f.name).join(', ')
    throw new ConnectError('C020_TYPE_MISMATCH', `the sink writes ${names} itself; rename the flow's column of that name`)
  }
  const need = (name: string, what: string): Field => schema.fields[requireColumn(schema, name, what)]
  if (config.time !== undefined) {
    const time = need(config.time, 'time')
    if ((time.type.kind !== 'timestamp' && time.type.kind !== 'date') || time.nullable) {
      throw new ConnectError(
        'C020_TYPE_MISMATCH',
        `the time column ${time.name} is ${fieldTypeName(time)}; it must be a timestamp or date that is never null`,
      )
    }
  }
  for (const name of keyColumns(config)) {
    if (need(name, 'order_by').nullable) {
      throw new ConnectError('C020_TYPE_MISMATCH', `order_by names the column ${name}, which may be null: a sorting key may not`)
    }
  }
  if (config.version !== undefined) {
    const version = need(config.version, 'version')
    if (!['i32', 'i64', 'timestamp', 'date'].includes(version.type.kind) || version.nullable) {
      throw new ConnectError(
        'C020_TYPE_MISMATCH',
        `the version column ${version.name} is ${fieldTypeName(version)}; it must be an integer, timestamp or date that is never null`,
      )
    }
  }
}

function checkEngine(table: TableInfo, p: Preparation): void {
  const { config, tables } = p
  const name = `${tables.table.database}.${tables.table.table}`
  if (config.mode === 'upsert') {
    if (/ReplacingMergeTree$/.test(table.engine)) return
    throw new ConnectError('S003_TABLE_MISMATCH', `mode: upsert needs a ReplacingMergeTree; ${name} is ${table.engine}`)
  }
  if (config.delivery === 'at_least_once') return
  if (!/^(Replicated|Shared)?MergeTree$/.test(table.engine)) {
    throw new ConnectError(
      'S004_CANNOT_DEDUPLICATE',
      `${name} is ${table.engine}: its rows cannot be counted after an insert was sent again`,
      {
        hint: 'use a MergeTree table, mode: upsert for a ReplacingMergeTree, or delivery: at_least_once',
      },
    )
  }
  const replicated = table.engine !== 'MergeTree'
  const setting = replicated ? 'replicated_deduplication_window' : 'non_replicated_deduplication_window'
  const window = settingOf(table.engineFull, setting) ?? (replicated ? 10_000 : 0)
  if (window > 0) return
  throw new ConnectError(
    'S004_CANNOT_DEDUPLICATE',
    `${name} remembers no inserts (${setting} is 0), so a batch sent again would stand twice`,
    {
      hint: `run: ALTER TABLE ${tableName(tables.table)} MODIFY SETTING ${setting} = 1000000; or set delivery: at_least_once`,
    },
  )
}

const settingOf = (engineFull: string, name: string): number | null => {
  const match = new RegExp(`\\b${name} = '?(\\d+)`).exec(engineFull)
  return match ? Number(match[1]) : null
}

/** Provenance columns may be absent where nobody looks rows up by them; then they end in `t__in`. */
function bindTable(schema: Schema, provenance: readonly Field[], table: TableInfo, p: Preparation): Binding {
  const { config, tables } = p
  const required = config.delivery === 'exactly_once' && config.mode === 'append'
  const has = (f: Field): boolean => table.columns.some(c => c.name === f.name)
  const fields = [...schema.fields, ...provenance.filter(f => required || has(f))]
  const binding = bind({ ...schema, fields }, table.columns)
  if (binding.problems.length > 0) {
    const missing = fields.filter(f => !has(f))
    const error = mismatch(tables.table, binding.problems)
    throw missing.length === 0
      ? error
      : new ConnectError(error.code, error.message, { hint: `run: ${addColumns(tables, missing)}` })
  }
  return binding
}

/**
 * `t__in` has every column that is sent, typed as in `t`, so that a value is converted and checked once. Where `t` lacks a
 * provenance column it ends here, for the views; where it lacks a companion, a null is a failed row.
 */
function inputColumns(full: Schema, table: readonly TableColumn[]): readonly ColumnText[] {
  const types = new Map(table.map(c => [c.name, c.type]))
  const ours = new Set(provenanceFields(true).map(f => f.name))
  return columnsFor(full)
    .filter(c => types.has(c.name) || ours.has(c.name))
    .map(c => ({ name: c.name, type: types.get(c.name) ?? c.type }))
}

/** The flow or the table has new columns: `t__in` follows. It holds no rows, so this is quick. */
async function widenInput(p: Preparation, input: TableInfo, wanted: readonly ColumnText[]) {
  checkOwner(input.comment, p.pipeline, p.tables.table)
  const has = new Map(input.columns.map(c => [c.name, c.type]))
  const changes = wanted.flatMap(c => {
    const type = has.get(c.name)
    if (type === c.type) return []
    return [`${type === undefined ? 'ADD' : 'MODIFY'} COLUMN ${identifier(c.name)} ${c.type}`]
  })
  if (changes.length > 0) await run(p, p.tables.input.table, `ALTER TABLE ${tableName(p.tables.input)} ${changes.join(', ')}`)
}

async function prepareForward(p: Preparation, columns: readonly string[]): Promise<void> {
  const { tables } = p
  const existing = await readColumns(p.store, tables.forward, p.signal)
  if (existing.length === 0) return create(p, tables.forward.table, createForward(tables, columns))
  const forwarded = new Set(existing.map(c => c.name))
  if (columns.every(c => forwarded.has(c))) return
  await run(p, tables.forward.table, `ALTER TABLE ${tableName(tables.forward)} MODIFY QUERY ${forwardQuery(tables, columns)}`)
}

async function create(p: Preparation, table: string, ddl: string): Promise<void> {
  if (p.config.create) return run(p, table, ddl)
  throw new ConnectError('S003_TABLE_MISMATCH', `the table ${table} is missing and create is false`, { hint: `run: ${ddl}` })
}

async function run(p: Preparation, table: string, ddl: string): Promise<void> {
  // tables made by the user may have the one type that needs leave; older servers do not know the setting, nor the type
  const settings: Record<string, number> = /Nullable\(Tuple\(/.test(ddl) ? { allow_experimental_nullable_tuple_type: 1 } : {}
  await p.store.command(ddl, { signal: p.signal, settings })
  p.created(table, ddl)
}

async function mustRead(p: Preparation, table: string): Promise<TableInfo> {
  const found = await readTable(p.store, { database: p.tables.table.database, table }, p.signal)
  if (found) return found
  throw new ConnectError('S003_TABLE_MISMATCH', `the table ${table} was there and is gone`, { retriable: true })
}
