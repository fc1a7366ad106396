import type { Column } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import { countRows, type Look, presentKey, presentOffsets } from './look'
import { sourceName } from './provenance'
import { millisecondsOf, pick, type Rows } from './rows'

export interface Repair {
  readonly rows: Rows
  readonly look: Look
  readonly token: string
  /** Look before anything is sent. */
  readonly lookFirst: boolean
  /** False: what is missing goes into `t` alone, because views are fed by `t__in` too and may hold rows that `t` lacks. */
  readonly mayFeedViews: boolean
  /** Rows with an event time before this may have been deleted by the table's TTL already; null: no TTL of ours. */
  readonly expiredBefore: number | null
  readonly timeColumn: Column | null
  /** The whole block again, through `t__in`. */
  readonly send: (token: string) => Promise<void>
  /** Rows into `t` alone. */
  readonly sendToTable: (columns: readonly Column[], count: number, token: string) => Promise<void>
  readonly repaired: (rows: number) => void
}

/** Repairs that were acknowledged and still did not bring the rows: something deletes them, and we stop. */
const MOST = 5

/**
 * Sends a block again and makes sure that its rows are in the table once.
 *
 * The same token goes first: a first try that still runs holds the table's lock for its block, so when the second returns, what the
 * first did is visible. (Looking first would see half of it, and insert the other half twice.) Then the rows are counted. Missing
 * ones are inserted under `token|repair1`; only when that is acknowledged and rows are still missing does `repair2` follow. An error
 * leaves this function, and the next call begins with the same names again, so neither a slow first try nor another process that
 * does the same can double a row.
 */
export async function repair(r: Repair): Promise<void> {
  const expected = expectation(r)
  const nothingThere = r.lookFirst && r.mayFeedViews && (await countRows(r.look)).rows === 0
  if (!r.lookFirst || nothingThere) await r.send(r.token)
  for (let n = 1; ; n++) {
    const found = await countRows(r.look)
    if (found.rows !== found.different || found.rows > r.rows.count) {
      throw new ConnectError(
        'S005_PARTIAL_PART',
        `${where(r)} holds ${found.rows} rows (${found.different} different) of a batch of ${r.rows.count}`,
      )
    }
    if (found.rows >= expected.least) return
    const missing = expected.missing(await presentOffsets(r.look))
    if (missing.length === 0) return
    if (n > MOST) {
      throw new ConnectError(
        'S005_PARTIAL_PART',
        `${missing.length} rows of a batch do not stay in ${where(r)}, though ${MOST} inserts of them were acknowledged`,
      )
    }
    const part = pick(r.rows, missing)
    await r.sendToTable(part.columns, part.count, `${r.token}|repair${n}`)
    r.repaired(part.count)
  }
}

const where = (r: Repair): string => `${r.look.table.database}.${r.look.table.table}`

function expectation({ rows, look, expiredBefore, timeColumn }: Repair) {
  const at = timeColumn && millisecondsOf(timeColumn)
  const expired = (row: number): boolean => expiredBefore !== null && at !== null && at(row) < expiredBefore
  let least = 0
  for (let i = 0; i < rows.count; i++) if (!expired(i)) least++
  const { origin, rows: origins } = rows.batch
  const missing = (present: ReadonlyMap<string, ReadonlySet<number>>): Int32Array => {
    const sets = origin.ranges.map(range => present.get(presentKey(sourceName(look.flow, range.topic), range.partition)))
    const out: number[] = []
    for (let i = 0; i < rows.count; i++) {
      const row = rows.positions?.[i] ?? i
      if (!expired(i) && !sets[origins.range[row]]?.has(origins.offset[row])) out.push(i)
    }
    return Int32Array.from(out)
  }
  return { least, missing }
}
