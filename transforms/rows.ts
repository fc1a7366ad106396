import type { Batch, Rejection } from '../runtime/batch'
import type { ConnectError } from '../runtime/errors'
import type { ApplyContext, PluginContext } from '../runtime/plugin'

/** Rows of one batch that a transform rejects, each once, with its first error. */
export class RowErrors {
  readonly #rejected = new Map<number, Rejection>()

  constructor(
    readonly batch: Batch,
    readonly context: ApplyContext,
  ) {}

  readonly add = (row: number, error: ConnectError): void => {
    if (!this.#rejected.has(row)) this.#rejected.set(row, this.context.reject(this.batch, row, error))
  }

  /** The result with the rejected rows out of its selection and, in row order, behind the earlier ones in `rejected`. */
  applyTo(result: Batch): Batch {
    if (this.#rejected.size === 0) return result
    const live = result.selection ?? Int32Array.from({ length: result.length }, (_, i) => i)
    const ascending = [...this.#rejected].sort(([a], [b]) => a - b).map(([, rejection]) => rejection)
    return {
      ...result,
      selection: live.filter(row => !this.#rejected.has(row)),
      rejected: [...result.rejected, ...ascending],
    }
  }
}

/** Counts rows that were computed one by one instead of by a kernel. */
export function reportSlow(context: PluginContext, transform: string, rows: number): void {
  if (rows === 0) return
  context.events.emit('slow_path', { pipeline: context.pipeline, flow: context.flow, reason: transform, rows })
}
