import { ConnectError } from '../../runtime/errors'
import type { OffsetRange } from '../../runtime/origin'
import { ClickHouseError } from '../../sql/errors'
import { identifier, literal, tableName } from '../../sql/quote'
import { type CompiledView, OFFSET, paneKey, paneTableColumns } from '../../sql/windows/compile'
import { missingPanes } from '../../sql/windows/finalise'
import { sourceName } from './provenance'

export interface ViewRepair {
  readonly view: CompiledView
  readonly flow: string
  readonly ranges: readonly OffsetRange[]
  /** `name type, ...` of the batch's columns, as `input()` wants it. */
  readonly structure: string
  readonly token: string
  /** A statement that reads the batch through `input()`. */
  readonly send: (statement: string, token: string | null) => Promise<void>
  readonly repaired: (table: string) => void
}

const MOST = 5
/** Error code of `throwIf`. */
const THROWN = 395

/**
 * Makes sure that a batch which was sent again is in a panes table once.
 *
 * A row of panes keeps the highest offset of each source partition in it, and batches of a partition arrive in offset order, one
 * after the other. So the pane row of a key holds this batch exactly if its highest offset lies at or beyond the batch's first:
 * later batches are not sent before this one is settled. What is missing is computed from the batch by the view's own SELECT and
 * inserted into that one table under a token of its own; as in repair.ts the next name follows only after an acknowledgement.
 */
export async function repairView(r: ViewRepair): Promise<void> {
  const { view } = r
  const landed = r.ranges.map(range => ({
    source: literal(sourceName(r.flow, range.topic)),
    partition: range.partition,
    from: range.from,
  }))
  const missing = missingPanes(view, view.select(`input(${literal(r.structure)})`), paneKey(view), landed, OFFSET)
  const columns = paneTableColumns(view).map(c => identifier(c.name))
  const table = tableName(view.tables.panes)
  for (let n = 1; await anyMissing(missing, r); n++) {
    if (n > MOST) {
      throw new ConnectError('S005_PARTIAL_PART', `rows do not stay in ${table}, though ${MOST} inserts were acknowledged`)
    }
    await r.send(
      `INSERT INTO ${table} (${columns.join(', ')}) ${missing} FORMAT ArrowStream`,
      `${r.token}|${view.spec.name}|repair${n}`,
    )
    r.repaired(view.tables.panes.table)
  }
}

/** Only an INSERT reads a batch from the body of a request; this one writes nothing and fails where something is missing. */
async function anyMissing(missing: string, r: ViewRepair): Promise<boolean> {
  const look = `INSERT INTO FUNCTION null('n UInt8') SELECT throwIf(count() > 0, 'missing') FROM (${missing}) FORMAT ArrowStream`
  try {
    await r.send(look, null)
    return false
  } catch (error) {
    if (error instanceof ConnectError && error.cause instanceof ClickHouseError && error.cause.code === THROWN) return true
    throw error
  }
}
