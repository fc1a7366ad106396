import { type DataType, type Field, fieldTypeName, type Schema } from '../runtime/schema'
import { type ChType, chTypeText, parseChType } from './ch_type'
import { type Limit, verdict } from './limits'
import { isContainer, NULL_SUFFIX, WRAPPED } from './types'

/** A column of an existing table, as system.columns shows it. */
export interface TableColumn {
  readonly name: string
  readonly type: string
  /** '', DEFAULT, MATERIALIZED, ALIAS, EPHEMERAL. */
  readonly defaultKind: string
}

/**
 * How one value is sent. `nulls`: as a bitmap; as a companion column beside it; as `Tuple(value, value__null)`; not at all, so
 * that a null is a failed row; or the field has none.
 */
export interface Plan {
  readonly target: string
  readonly nulls: 'none' | 'bitmap' | 'companion' | 'wrapped' | 'refused'
  readonly limit: Limit | null
  /** Of a list or map: its item. Of a struct: its fields in the table's order. */
  readonly children: readonly ChildPlan[]
}

export interface ChildPlan {
  readonly name: string
  /** Index of the child in our struct; 0 for items. */
  readonly index: number
  readonly plan: Plan
}

export interface Binding {
  readonly plans: readonly { readonly name: string; readonly plan: Plan }[]
  /** Columns an insert names, companions included, in the order in which they are sent. */
  readonly columns: readonly string[]
  /** All that does not fit, one sentence each; nothing may be sent while there is any. */
  readonly problems: readonly string[]
}

/** Holds a schema against a table's columns. Columns only the table has are left to their defaults. */
export function bind(schema: Schema, table: readonly TableColumn[]): Binding {
  const byName = new Map(table.map(c => [c.name, c]))
  const problems: string[] = []
  const plans: { name: string; plan: Plan }[] = []
  const columns: string[] = []
  for (const field of schema.fields) {
    const column = byName.get(field.name)
    if (!column) {
      problems.push(`column ${field.name} (${fieldTypeName(field)}) is not in the table`)
      continue
    }
    if (column.defaultKind === 'MATERIALIZED' || column.defaultKind === 'ALIAS') {
      problems.push(`column ${field.name} is ${column.defaultKind} in the table and cannot be written`)
      continue
    }
    const type = parseChType(column.type)
    const companion = byName.get(field.name + NULL_SUFFIX)
    const plan = type ? bindField(field, type, companion?.type === 'Bool') : `cannot read the type ${column.type}`
    if (typeof plan === 'string') {
      problems.push(`column ${field.name}: ${fieldTypeName(field)} does not go into ${column.type}: ${plan}`)
      continue
    }
    plans.push({ name: field.name, plan })
    columns.push(field.name)
    if (plan.nulls === 'companion') columns.push(field.name + NULL_SUFFIX)
  }
  return { plans, columns, problems }
}

/** A plan, or the reason why there is none. */
function bindField(field: Field, target: ChType, hasCompanion: boolean): Plan | string {
  const bare = unwrap(target)
  if (!isContainer(field.type)) {
    const result = verdict(field.type, bare.type)
    if (typeof result === 'string') return result
    const nulls = !field.nullable ? 'none' : bare.nullable ? 'bitmap' : 'refused'
    return { target: chTypeText(target), nulls, limit: result, children: [] }
  }
  const children = bindContainer(field.type, bare.type)
  if (typeof children === 'string') return children
  const nulls = !field.nullable ? 'none' : bare.nullable ? 'bitmap' : hasCompanion ? 'companion' : 'refused'
  return { target: chTypeText(target), nulls, limit: null, children }
}

function bindContainer(type: DataType, target: ChType): readonly ChildPlan[] | string {
  const types = target.args.flatMap(a => (a.kind === 'type' ? [a] : []))
  switch (type.kind) {
    case 'list':
      return target.name === 'Array' ? bindItem(type.item, types[0].type) : 'a list needs an Array'
    case 'map': {
      if (target.name !== 'Map') return 'a map needs a Map'
      return unwrap(types[0].type).type.name === 'String' ? bindItem(type.value, types[1].type) : 'the keys of a map are strings'
    }
    case 'struct':
      return target.name === 'Tuple' ? bindStruct(type.fields, types) : 'a struct needs a Tuple with named elements'
    default:
      return 'not a container'
  }
}

function bindItem(item: Field, target: ChType): readonly ChildPlan[] | string {
  const wrapped = isContainer(item.type) && item.nullable ? wrappedType(target) : null
  const plan = bindField(item, wrapped ?? target, wrapped !== null)
  if (typeof plan === 'string') return plan
  return [{ name: item.name, index: 0, plan: wrapped ? { ...plan, nulls: 'wrapped' } : plan }]
}

/** The inner type of `Tuple(value T, value__null Bool)`, or null if it is another type. */
function wrappedType(target: ChType): ChType | null {
  const [value, flag] = target.args
  const fits =
    target.name === 'Tuple' &&
    target.args.length === 2 &&
    value?.kind === 'type' &&
    value.label === WRAPPED &&
    flag?.kind === 'type' &&
    flag.label === WRAPPED + NULL_SUFFIX
  return fits ? value.type : null
}

/**
 * Elements are matched by name and sent in the table's order: ClickHouse matches them by name too, but a Nullable element that
 * stands elsewhere loses its nulls on the way (26.7).
 */
function bindStruct(fields: readonly Field[], elements: readonly { readonly label: string | null; readonly type: ChType }[]) {
  if (elements.length === 0) return 'a struct needs at least one field'
  const labels = new Set(elements.map(e => e.label))
  const missing = fields.filter(f => !labels.has(f.name)).map(f => f.name)
  if (missing.length > 0) return `the Tuple has no element ${missing.join(', ')}`
  const out: ChildPlan[] = []
  for (const element of elements) {
    if (element.label === null) return 'the Tuple needs named elements'
    const index = fields.findIndex(f => f.name === element.label)
    if (index < 0) {
      if (isCompanion(element.label, fields)) continue
      return `the Tuple has an element ${element.label} that the struct lacks`
    }
    const plan = bindField(fields[index], element.type, labels.has(fields[index].name + NULL_SUFFIX))
    if (typeof plan === 'string') return `${element.label}: ${plan}`
    out.push({ name: element.label, index, plan })
  }
  return out
}

const isCompanion = (label: string, fields: readonly Field[]): boolean =>
  fields.some(f => f.nullable && isContainer(f.type) && label === f.name + NULL_SUFFIX)

/** Without LowCardinality and Nullable around it. */
export function unwrap(type: ChType): { readonly type: ChType; readonly nullable: boolean } {
  const inner = type.args[0]
  if (inner?.kind !== 'type') return { type, nullable: false }
  if (type.name === 'LowCardinality') return unwrap(inner.type)
  if (type.name === 'Nullable') return { type: inner.type, nullable: true }
  return { type, nullable: false }
}
