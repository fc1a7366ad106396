import { z } from 'zod'
import { ConnectError } from '../../runtime/errors'
import type { TableName } from '../../runtime/store'

/** The mark in the comment of `t__in`: one pipeline writes a table, because a second one's rows could not be told apart. */
const mark = z.looseObject({ olap_connect: z.looseObject({ pipeline: z.string() }) })

export const ownerComment = (pipeline: string): string => JSON.stringify({ olap_connect: { pipeline } })

/** Throws S009 if another pipeline's mark stands there. A comment that is no mark is the user's own and says nothing. */
export function checkOwner(comment: string, pipeline: string, table: TableName): void {
  const owner = readMark(comment)
  if (owner === null || owner === pipeline) return
  throw new ConnectError(
    'S009_TABLE_OWNED',
    `the table ${table.database}.${table.table} is written by the pipeline "${owner}", not "${pipeline}"`,
  )
}

function readMark(comment: string): string | null {
  try {
    return mark.parse(JSON.parse(comment)).olap_connect.pipeline
  } catch {
    return null
  }
}
