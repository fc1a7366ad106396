import { z } from 'zod'
import { ConnectError } from '../../runtime/errors'
import type { ViewSpec } from '../../runtime/spec'
import type { TableName } from '../../runtime/store'
import type { ClickHouseStore } from '../../sql/client'
import { tableName } from '../../sql/quote'
import { readTable } from '../../sql/table'
import { type CompiledView, compileView } from '../../sql/windows/compile'
import { createStatements, dropStatements } from '../../sql/windows/ddl'
import { checkOwner } from './owner'

export interface ViewPreparation {
  readonly store: ClickHouseStore
  readonly views: readonly ViewSpec[]
  readonly table: TableName
  /** `<table>__in`, which feeds them. */
  readonly input: TableName
  readonly pipeline: string
  /** False: missing objects are an error. */
  readonly create: boolean
  readonly signal: AbortSignal
  readonly created: (object: string, statement: string) => void
  /** Rows that were in the table before the view, which lacks them. Told at each start. */
  readonly lacks: (view: string, rows: number) => void
}

/** The mark in the comment of the panes table: whose it is, of which definition, and how many rows were there before it. */
const mark = z.looseObject({
  olap_connect: z.looseObject({ pipeline: z.string(), view: z.string(), hash: z.string(), lacks: z.number().prefault(0) }),
})

/**
 * Makes the objects of views that are missing and checks those that are there. Must be done before the first row is written, or
 * the views would lack it. Throws S006 for SQL that cannot be, S010 where a view was made from another definition, S009 where
 * another pipeline made it.
 */
export async function prepareViews(p: ViewPreparation): Promise<readonly CompiledView[]> {
  const compiled: CompiledView[] = []
  for (const spec of p.views) {
    const view = await compileView(spec, p.input, p.input.database, p.store, p.signal)
    await prepareView(view, p)
    compiled.push(view)
  }
  return compiled
}

async function prepareView(view: CompiledView, p: ViewPreparation): Promise<void> {
  const { spec, tables, hash } = view
  let ours = await marked(view, p)
  const lacks = ours ? ours.lacks : await rowsOf(p)
  const comment = JSON.stringify({ olap_connect: { pipeline: p.pipeline, view: spec.name, hash, lacks } })
  for (const { object, statement } of createStatements(view, comment, tableName(p.input))) {
    const there = await readTable(p.store, { database: tables.view.database, table: object }, p.signal)
    // panes are made first, maybe by another worker a moment ago
    if (there) ours ??= await marked(view, p)
    if (there && !ours) throw changed(view, `cannot be made: ${tables.view.database}.${object} exists and is not part of it`)
    if (there) continue
    if (!p.create) {
      throw new ConnectError('S003_TABLE_MISMATCH', `${spec.at}: ${object} is missing and create is false`, {
        hint: `run: ${statement}`,
      })
    }
    await p.store.command(statement, { signal: p.signal })
    p.created(object, statement)
  }
  if (lacks > 0) p.lacks(spec.name, lacks)
}

const rowsOf = async ({ store, table, signal }: ViewPreparation): Promise<number> =>
  Number((await store.query(`SELECT count() AS rows FROM ${tableName(table)}`, { signal }))[0].rows)

type Mark = z.output<typeof mark>['olap_connect']

/** The mark on the panes of this view, of which it follows that its other objects belong to it; throws where they are another's. */
async function marked(view: CompiledView, p: ViewPreparation): Promise<Mark | null> {
  const { tables, hash } = view
  const panes = await readTable(p.store, tables.panes, p.signal)
  if (!panes) return null
  checkOwner(panes.comment, p.pipeline, tables.panes)
  const found = markOf(panes.comment)
  if (found?.hash !== hash) throw changed(view, 'was made from another definition than the file has now')
  return found
}

const changed = (view: CompiledView, what: string): ConnectError =>
  new ConnectError('S010_VIEW_CHANGED', `${view.spec.at}: the view ${view.spec.name} ${what}`, {
    hint: `undo the change, give the view another name, or drop it and what it holds with \`connect sql FILE\`: ${dropStatements(view).join('; ')}`,
  })

function markOf(comment: string): Mark | null {
  try {
    return mark.parse(JSON.parse(comment)).olap_connect
  } catch {
    return null
  }
}
