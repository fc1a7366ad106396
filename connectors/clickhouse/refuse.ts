import type { Column } from '../../runtime/column'
import { ConnectError } from '../../runtime/errors'
import type { RowFailure } from '../../sql/check'

/** Tries rows without writing them; throws D014 if the store refuses them. */
export type Probe = (columns: readonly Column[], rows: Int32Array) => Promise<void>

/** More refused rows than this in one batch are no longer single bad rows. */
const MOST = 1000

/**
 * The rows of a refused block that the store refuses one by one, found by halving: about 2 log2(rows) probes for each. Empty if
 * the block passes the probe, which means that the reason lies not in its values.
 */
export async function findRefused(columns: readonly Column[], rows: number, probe: Probe): Promise<readonly RowFailure[]> {
  const failed: RowFailure[] = []
  const search = async (from: number, to: number): Promise<void> => {
    const error = await refusal(columns, from, to, probe)
    if (error === null) return
    if (to - from === 1) {
      if (failed.length >= MOST) throw error
      failed.push({ row: from, error })
      return
    }
    const middle = (from + to) >> 1
    await search(from, middle)
    await search(middle, to)
  }
  await search(0, rows)
  return failed
}

async function refusal(columns: readonly Column[], from: number, to: number, probe: Probe): Promise<ConnectError | null> {
  try {
    await probe(
      columns,
      Int32Array.from({ length: to - from }, (_, i) => from + i),
    )
    return null
  } catch (error) {
    if (error instanceof ConnectError && error.code === 'D014_REFUSED_BY_STORE') return error
    throw error
  }
}
