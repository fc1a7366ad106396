import { createHash, randomBytes } from 'node:crypto'
import { type OffsetRange, partitionKey } from './origin'

export interface TokenParts {
  readonly pipeline: string
  readonly flow: string
  readonly epoch: number
  readonly lane: number
  readonly ranges: readonly (OffsetRange & { readonly incarnation: string })[]
}

/** The deduplication token of a batch: the same ranges of the same partitions give the same 32 hex digits, others never. */
export const batchToken = ({ pipeline, flow, epoch, lane, ranges }: TokenParts): string =>
  createHash('sha256')
    .update(JSON.stringify([pipeline, flow, epoch, lane, ranges.map(r => [partitionKey(r), r.incarnation, r.from, r.to])]))
    .digest('hex')
    .slice(0, 32)

/** Drawn once for each partition without a position. */
export const newIncarnation = (): string => randomBytes(6).toString('base64url')
